//! Jobs on a machine that is reached over SSH, with the system's `ssh` program.
//!
//! The executor opens one connection for each session. A *guard*, a small POSIX shell script, runs at
//! its other end: it makes the session's directories, and it holds a lease. When the controller, the
//! link or the session ends, the guard ends every process of the session and removes its directories.
//! Each step runs below a supervisor of its own on the same connection. The supervisor gets the
//! environment through its input, and it says how the step ended in a trailer that only it can write:
//! an output without a trailer is a lost link, never an exit code.

mod args;
mod client;
mod copy;
mod error;
mod executor;
mod guard;
mod mirror;
mod session;
mod spec;
mod step;
mod trailer;

pub use args::HostKey;
pub use error::{SshError, SshErrorKind};
pub use executor::SshExecutor;
pub use mirror::{Mirror, Mirrored, Way};
pub use session::SshSession;
