//! Jobs as processes on this machine.
//!
//! Each command is the leader of a process group of its own. What leaves its group (`setsid`, double
//! forks) is found by marks in its environment, by descent, and, on Linux, because this process is the
//! reaper of orphaned descendants and keeps long-running commands in a control group.

mod dirs;
mod env;
mod exec;
#[expect(
    clippy::module_inception,
    reason = "the executor gives the module its name"
)]
mod local;
mod process;
mod programs;
mod session;
mod tree;

pub use local::LocalExecutor;
