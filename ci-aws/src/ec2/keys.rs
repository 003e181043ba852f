//! Keys that are made for one launch, with the system's `ssh-keygen`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use super::error::{Ec2Error, Ec2ErrorKind};
use super::user_data::Keys;
use crate::scratch::{self, Scratch};

/// The keys of a launch, and the private directory of the user's one.
#[derive(Debug, Clone)]
pub(super) struct LaunchKeys {
    pub(super) keys: Keys,
    /// The file of the user's private key, if one was made.
    pub(super) identity: Option<PathBuf>,
    /// Goes away with its last user.
    _dir: Arc<Scratch>,
}

impl LaunchKeys {
    /// Makes a host key, and a key of the user if `for_user`.
    pub(super) async fn make(for_user: bool) -> Result<Self, Ec2Error> {
        let dir = Scratch::new();
        let dir =
            dir.map_err(|error| Ec2Error::file("make a directory in", &scratch::place(), error))?;
        let host = dir.path().join("host");
        generate(&host).await?;
        let mut keys = Keys {
            host_private: read(&host)?,
            host_public: read(&host.with_extension("pub"))?,
            user_public: None,
        };
        let mut identity = None;
        if for_user {
            let user = dir.path().join("user");
            generate(&user).await?;
            keys.user_public = Some(read(&user.with_extension("pub"))?);
            identity = Some(user);
        }
        // It is in the user data; nobody needs it here.
        let gone = std::fs::remove_file(&host);
        gone.map_err(|error| Ec2Error::file("remove", &host, error))?;
        Ok(Self {
            keys,
            identity,
            _dir: Arc::new(dir),
        })
    }
}

async fn generate(file: &Path) -> Result<(), Ec2Error> {
    let done = tokio::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "ci-core", "-f"])
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .await;
    let failed = |text: String| {
        Ec2Error::new(Ec2ErrorKind::Machine, text).with_hint("install the OpenSSH client")
    };
    let done = done.map_err(|error| {
        failed("could not start the program `ssh-keygen`".to_owned()).with_source(error)
    })?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(failed(format!("`ssh-keygen` failed: {}", said.trim())))
}

fn read(file: &Path) -> Result<String, Ec2Error> {
    std::fs::read_to_string(file).map_err(|error| Ec2Error::file("read", file, error))
}
