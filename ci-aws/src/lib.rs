//! Executor of ci-core on AWS EC2 over SSH, with no instance ever left running.
//!
//! Features: `sdk` (on by default) brings EC2 through the AWS SDK, [`ec2`] asks for nothing else;
//! `testing` brings a stand-in for EC2 and points at which a test kills its process.

#[cfg(unix)]
pub mod e2c;
#[cfg(unix)]
pub mod ec2;
#[cfg(unix)]
mod faults;
#[cfg(unix)]
mod scratch;
#[cfg(unix)]
pub mod ssh;
#[cfg(all(unix, feature = "testing"))]
pub mod testing;
