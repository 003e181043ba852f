//! A private agent that has one key in its memory: the key is never in a file.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::ec2::{Ec2Error, Ec2ErrorKind};

/// An agent that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Agent {
    _child: Child,
    socket: PathBuf,
    _dir: tempfile::TempDir,
}

impl Agent {
    /// Starts an agent and gives it the key.
    pub(super) async fn start(key: &str) -> Result<Self, Ec2Error> {
        // The name of a socket may have no more than about a hundred bytes.
        let dir = tempfile::Builder::new()
            .prefix("ci-agent-")
            .tempdir_in("/tmp");
        let dir =
            dir.map_err(|error| Ec2Error::file("make a directory in", Path::new("/tmp"), error))?;
        let socket = dir.path().join("s");
        let child = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| missing("ssh-agent").with_source(error))?;
        let deadline = Instant::now() + Duration::from_secs(10);
        // The socket is there a moment before anybody listens on it.
        while UnixStream::connect(&socket).await.is_err() {
            if Instant::now() > deadline {
                let text = "the program `ssh-agent` does not answer";
                return Err(Ec2Error::new(Ec2ErrorKind::Machine, text));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let agent = Self {
            _child: child,
            socket,
            _dir: dir,
        };
        agent.add(key).await?;
        Ok(agent)
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    async fn add(&self, key: &str) -> Result<(), Ec2Error> {
        let mut child = Command::new("ssh-add")
            .args(["-q", "-"])
            .env("SSH_AUTH_SOCK", &self.socket)
            // Nobody is there to be asked for a passphrase.
            .env("SSH_ASKPASS_REQUIRE", "never")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| missing("ssh-add").with_source(error))?;
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(key.as_bytes()).await;
        }
        let failed = |text: String| Ec2Error::new(Ec2ErrorKind::Options, text);
        let done = child.wait_with_output().await;
        let done =
            done.map_err(|error| failed("lost sight of `ssh-add`".into()).with_source(error))?;
        match done.status.code() {
            Some(0) => Ok(()),
            // See ssh-add(1).
            Some(2) => {
                let text = "the program `ssh-add` does not reach its agent";
                Err(Ec2Error::new(Ec2ErrorKind::Machine, text))
            }
            _ => Err(failed(
                "the private key cannot be used; does it have a passphrase?".to_owned(),
            )),
        }
    }
}

fn missing(program: &str) -> Ec2Error {
    let text = format!("could not start the program `{program}`");
    Ec2Error::new(Ec2ErrorKind::Machine, text).with_hint("install the OpenSSH client")
}
