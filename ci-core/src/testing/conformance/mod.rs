//! One suite of checks that every executor has to pass.
//!
//! Call [`conformance()`] from a test of the executor, on a multi-threaded Tokio runtime in a process
//! of its own (it watches the memory of the whole process):
//!
//! ```no_run
//! # async fn test() {
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use ci_core::executor::LocalExecutor;
//! use ci_core::testing::{ConformanceOptions, conformance};
//!
//! let grace = Duration::from_secs(3);
//! let executor = Arc::new(LocalExecutor::new().isolated().grace(grace));
//! let options = ConformanceOptions::new(grace).watch_this_machine();
//! conformance(executor, options).await.assert();
//! # }
//! ```
//!
//! The sessions need a POSIX shell with the usual programs (`awk`, `cat`, `head`, `ls`, `mkdir`, `ps`
//! or `/proc`, `sleep`, `tr`); those of busybox are enough.

mod bench;
mod check;
mod copy;
mod exec;
mod globs;
mod hostile;
mod life;
mod log;
mod machine;
mod options;
mod output;
mod processes;
mod reap;
mod report;
mod stop;
mod suite;
mod tree;

pub use options::{ConformanceOptions, StillRunning};
pub use report::{CheckOutcome, CheckReport, ConformanceReport};
pub use suite::conformance;
