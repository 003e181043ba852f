//! How the system's `ssh` program is called: the one place that knows its options, see ssh(1) and
//! `ssh_config(5)`.

use std::io;
use std::path::{Path, PathBuf};

use ci_core::shell::quote;

/// How the machine proves that it is the right one. A key that has changed is refused in any case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HostKey {
    /// The user's and the system's known hosts must have its key.
    #[default]
    Known,
    /// This file of known hosts must have its key, and no other file counts.
    File(PathBuf),
    /// It must have this public key, such as `ssh-ed25519 AAAA…`.
    Pinned(String),
    /// The first key that it shows is taken and written to this file of known hosts. Whoever is in
    /// between at that time is not noticed.
    AcceptNew(PathBuf),
}

/// How a machine is reached.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// A host, or its name in the `ssh` configuration.
    pub(super) destination: String,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    pub(super) identity: Option<PathBuf>,
    /// The socket of the agent that has the key.
    pub(super) agent: Option<PathBuf>,
    pub(super) host_key: HostKey,
    pub(super) config: Option<PathBuf>,
    /// Seconds.
    pub(super) connect_timeout: u64,
    /// Seconds of silence after which the machine is asked for a sign of life; three of them end the
    /// connection.
    pub(super) alive: u64,
}

/// The name under which a pinned key is looked up, whatever address the machine has today.
const PIN: &str = "ci-pinned";

impl Target {
    /// The arguments of a new connection that others can share through the socket in `dir`.
    pub(super) fn master(&self, dir: &Path, command: &str) -> io::Result<Vec<String>> {
        let mut args = self.options(dir)?;
        args.extend(["-M", "-S"].map(str::to_owned));
        args.push(socket(dir));
        args.extend(option("ControlPersist", "no"));
        self.end(&mut args, command);
        Ok(args)
    }

    /// The arguments of a command on the connection whose socket is in `dir`. If the machine allows no
    /// more sessions on one connection `ssh` makes another connection by itself.
    pub(super) fn shared(&self, dir: &Path, command: &str) -> io::Result<Vec<String>> {
        let mut args = self.options(dir)?;
        args.extend(["-S".to_owned(), socket(dir)]);
        args.extend(option("ControlMaster", "no"));
        self.end(&mut args, command);
        Ok(args)
    }

    /// The arguments of a connection of its own.
    pub(super) fn single(&self, dir: &Path, command: &str) -> io::Result<Vec<String>> {
        let mut args = self.options(dir)?;
        args.extend(["-S", "none"].map(str::to_owned));
        self.end(&mut args, command);
        Ok(args)
    }

    fn options(&self, dir: &Path) -> io::Result<Vec<String>> {
        // No terminal, no forwarding, nobody to answer questions.
        let mut args: Vec<String> = ["-T", "-a", "-x"].map(str::to_owned).to_vec();
        if let Some(config) = &self.config {
            args.extend(["-F".to_owned(), text(config)?]);
        }
        args.extend(option("BatchMode", "yes"));
        args.extend(option("LogLevel", "ERROR"));
        args.extend(option("ConnectTimeout", &self.connect_timeout.to_string()));
        args.extend(option("ServerAliveInterval", &self.alive.to_string()));
        args.extend(option("ServerAliveCountMax", "3"));
        args.extend(option("PermitLocalCommand", "no"));
        args.extend(option("ClearAllForwardings", "yes"));
        if let Some(port) = self.port {
            args.extend(["-p".to_owned(), port.to_string()]);
        }
        if let Some(user) = &self.user {
            args.extend(["-l".to_owned(), user.clone()]);
        }
        if let Some(identity) = &self.identity {
            args.extend(["-i".to_owned(), text(identity)?]);
            args.extend(option("IdentitiesOnly", "yes"));
        }
        if let Some(agent) = &self.agent {
            // A file's name with spaces needs the quotes of ssh_config.
            args.extend(option("IdentityAgent", &format!("\"{}\"", text(agent)?)));
        }
        self.trust(dir, &mut args)?;
        Ok(args)
    }

    fn trust(&self, dir: &Path, args: &mut Vec<String>) -> io::Result<()> {
        let strict = match self.host_key {
            HostKey::AcceptNew(_) => "accept-new",
            _ => "yes",
        };
        args.extend(option("StrictHostKeyChecking", strict));
        let file = match &self.host_key {
            HostKey::Known => return Ok(()),
            HostKey::File(file) | HostKey::AcceptNew(file) => file.clone(),
            HostKey::Pinned(key) => {
                let file = dir.join("known_hosts");
                let mut words = key.split_whitespace();
                let (Some(kind), Some(key)) = (words.next(), words.next()) else {
                    let words = "the pinned host key is not of the form `type key`";
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
                };
                std::fs::write(&file, format!("{PIN} {kind} {key}\n"))?;
                args.extend(option("HostKeyAlias", PIN));
                file
            }
        };
        // A file's name with spaces needs the quotes of ssh_config.
        let file = format!("\"{}\"", text(&file)?);
        args.extend(option("UserKnownHostsFile", &file));
        args.extend(option("GlobalKnownHostsFile", "/dev/null"));
        args.extend(option("UpdateHostKeys", "no"));
        Ok(())
    }

    fn end(&self, args: &mut Vec<String>, command: &str) {
        args.extend([
            "--".to_owned(),
            self.destination.clone(),
            command.to_owned(),
        ]);
    }
}

/// What the user's shell on the machine is asked to run: the supervisor's text comes on the input and
/// ends with a line `#end`. Half a text does nothing.
pub(super) const BOOT: &str =
    r##"exec sh -c 'ci_text=$(sed /^#end/q); case $ci_text in *"#end") eval "$ci_text";; esac'"##;

/// What the user's shell on the machine is asked to run: the `mode` of the supervisor in `dir`.
pub(super) fn supervisor(dir: &str, mode: &str, words: &[&str]) -> String {
    let script = quote(&format!("{dir}/supervisor"));
    let words = words.iter().map(|word| format!(" {}", quote(word)));
    format!("exec sh {script} {mode}{}", words.collect::<String>())
}

fn option(name: &str, value: &str) -> [String; 2] {
    ["-o".to_owned(), format!("{name}={value}")]
}

fn socket(dir: &Path) -> String {
    dir.join("s").to_string_lossy().into_owned()
}

fn text(path: &Path) -> io::Result<String> {
    path.to_str().map(ToOwned::to_owned).ok_or_else(|| {
        let words = format!("the path `{}` is not valid UTF-8", path.display());
        io::Error::new(io::ErrorKind::InvalidInput, words)
    })
}
