//! Jobs as processes on this machine.
//!
//! A session is a set of process trees that carry the session's marker in their environment, and a
//! few private directories. Nothing exists before the first command asks for it, so that a job that
//! runs one short command costs little more than starting the process.

mod command;
mod dirs;
mod env;
mod exec;
mod executor;
mod options;
mod owner;
mod process;
mod remove;
mod session;
mod shelf;
#[cfg(test)]
#[cfg(unix)]
mod tests;

pub use executor::LocalExecutor;
pub use options::{LocalOptions, WorkIn};
