//! Starts the system's `ssh` program.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use ci_core::shell::quote;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::args::{self, Target};
use super::error::{SshError, SshErrorKind};
use crate::scratch::Scratch;

/// The most of an `ssh`'s errors that is kept.
const ERRORS: u64 = 16 * 1024;

/// The text of the supervisor.
const SUPERVISOR: &str = include_str!("supervisor.sh");

/// How one machine is reached, and the private directory of one connection to it.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) program: OsString,
    pub(super) target: Arc<Target>,
    dir: Arc<Scratch>,
}

impl Client {
    /// A client with a directory of its own, which goes away with its last clone.
    pub(super) fn new(program: OsString, target: Arc<Target>) -> io::Result<Self> {
        let dir = Arc::new(Scratch::new()?);
        Ok(Self {
            program,
            target,
            dir,
        })
    }

    pub(super) fn destination(&self) -> &str {
        &self.target.destination
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Starts the connection that the others share. It runs the text given to its input.
    pub(super) fn master(&self) -> Result<Child, SshError> {
        self.spawn(self.target.master(self.path(), args::BOOT))
    }

    /// Starts a connection of its own. It runs the text given to its input.
    pub(super) fn single(&self) -> Result<Child, SshError> {
        self.spawn(self.target.single(self.path(), args::BOOT))
    }

    /// Runs `command` on the shared connection.
    pub(super) fn shared(&self, command: &str) -> Result<Child, SshError> {
        self.spawn(self.target.shared(self.path(), command))
    }

    /// As [`shared`](Self::shared), for a thread that blocks.
    pub(super) fn blocking(&self, command: &str) -> io::Result<std::process::Command> {
        let args = self.target.shared(self.path(), command)?;
        Ok(prepare(&self.program, args))
    }

    /// A script that runs its second word on the shared connection, as `rsync -e` calls a remote shell. Its
    /// name has no letter that would have to be quoted.
    pub(super) fn shell(&self) -> io::Result<String> {
        let mut words = vec![self.program.to_string_lossy().into_owned()];
        words.extend(self.target.shared(self.path(), "")?);
        // In the place of the command.
        words.pop();
        let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let file = self.path().join("shell");
        let text = format!("shift\nexec {} \"$*\"\n", words.join(" "));
        std::fs::write(&file, text)?;
        let file = file.into_os_string().into_string();
        let file = file.ok().filter(|it| !it.contains([' ', '\'', '"']));
        file.ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    fn spawn(&self, args: io::Result<Vec<String>>) -> Result<Child, SshError> {
        let args = args.map_err(SshError::client)?;
        let mut command = Command::from(prepare(&self.program, args));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command.spawn().map_err(SshError::client)
    }
}

fn prepare(program: &OsString, args: Vec<String>) -> std::process::Command {
    use std::os::unix::process::CommandExt as _;
    let mut command = std::process::Command::new(program);
    // A group of its own: what a terminal sends to the engine's group must not cut the link before
    // the engine has stopped its jobs.
    command.args(args).process_group(0);
    command
}

/// The supervisor's text with its variables, for the input of [`Client::master`] or
/// [`Client::single`].
pub(super) fn boot_text(variables: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in variables {
        text.push_str(&format_args!("ci_{name}={}\n", quote(value)).to_string());
    }
    text.push_str(SUPERVISOR);
    text.push_str("#end\n");
    text
}

/// Writes all of `text` to the input of a child. A child that does not read is told by its end.
pub(super) async fn feed(child: &mut Child, text: &str) {
    if let Some(stdin) = &mut child.stdin {
        let _ = stdin.write_all(text.as_bytes()).await;
        let _ = stdin.flush().await;
    }
}

/// What a child says on its standard error, or the beginning of it.
pub(super) async fn errors(child: &mut Child) -> String {
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(ERRORS).read_to_end(&mut said).await;
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Runs the supervisor's text once on a connection of its own, and gives its output.
pub(super) async fn run_once(client: &Client, text: &str) -> Result<String, SshError> {
    let mut child = client.single()?;
    feed(&mut child, text).await;
    drop(child.stdin.take());
    let done = child.wait_with_output().await.map_err(SshError::client)?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        if done.status.code() == Some(255) {
            return Err(SshError::no_connection(client.destination(), &said));
        }
        let text = format!(
            "the supervisor on `{}` failed: {said}",
            client.destination()
        );
        return Err(SshError::new(SshErrorKind::Machine, text));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
