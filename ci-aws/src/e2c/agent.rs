//! A private agent that has one key in its memory: the key is never in a file.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::ec2::{Ec2Error, Ec2ErrorKind};

/// Runs the agent until the input ends, as it does when this process is killed, then removes its directory.
const KEEPER: &str = r#"
command -v ssh-agent >/dev/null || { rm -rf "$1"; exit 127; }
ssh-agent -D -a "$1/s" &
read -r _
kill $!
rm -rf "$1"
"#;

/// An agent that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Agent {
    keeper: Child,
    socket: PathBuf,
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
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What is typed at a terminal is not meant for it.
            .process_group(0)
            .spawn()
            .map_err(|error| missing("sh").with_source(error))?;
        // From here on the keeper removes it.
        let socket = dir.keep().join("s");
        let deadline = Instant::now() + Duration::from_secs(10);
        // The socket is there a moment before anybody listens on it.
        while UnixStream::connect(&socket).await.is_err() {
            if let Ok(Some(_)) = keeper.try_wait() {
                return Err(missing("ssh-agent"));
            }
            if Instant::now() > deadline {
                let text = "the program `ssh-agent` does not answer";
                return Err(Ec2Error::new(Ec2ErrorKind::Machine, text));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let agent = Self { keeper, socket };
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

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
    }
}

fn missing(program: &str) -> Ec2Error {
    let text = format!("could not start the program `{program}`");
    Ec2Error::new(Ec2ErrorKind::Machine, text).with_hint("install the OpenSSH client")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_left_when_its_input_ends() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status();
        assert!(made.await.unwrap().success());
        let key = std::fs::read_to_string(key).unwrap();
        let mut agent = Agent::start(&key).await.unwrap();
        let dir = agent.socket().parent().unwrap().to_owned();
        assert!(dir.exists());
        // As the system does when it kills this process.
        drop(agent.keeper.stdin.take());
        assert!(agent.keeper.wait().await.unwrap().success());
        assert!(!dir.exists());
        assert!(UnixStream::connect(agent.socket()).await.is_err());
    }
}
