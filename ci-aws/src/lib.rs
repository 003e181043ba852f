//! Executor of ci-core on AWS EC2 over SSH, with no instance ever left running.

#[cfg(unix)]
pub mod ssh;
