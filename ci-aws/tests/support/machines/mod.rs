//! Machines for tests: real OpenSSH servers, and moto, a stand-in for EC2 that somebody else made.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by it, and what is not tested has to be said"
)]

pub(crate) mod moto;
pub(crate) mod sshd;
pub(crate) mod turner;
