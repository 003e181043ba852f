//! What the tests share: machines, and executors that reach them.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::time::Duration;

pub(crate) mod cloud;
pub(crate) mod machines;

use ci_aws::ssh::{HostKey, SshExecutor};

use machines::sshd::Sshd;

/// The grace period of the executors in the tests.
pub(crate) const GRACE: Duration = Duration::from_secs(3);

impl Sshd {
    /// An executor that pins the server's key.
    pub(crate) fn executor(&self) -> SshExecutor {
        SshExecutor::new("127.0.0.1")
            .port(self.port)
            .identity(self.path("user"))
            .config_file("none")
            .host_key(HostKey::Pinned(self.public_key("host")))
            .root(self.path("root").to_str().unwrap())
            .grace(GRACE)
    }
}
