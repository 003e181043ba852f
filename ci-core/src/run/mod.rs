//! Runs a workflow: wires the scheduler, the executors, the events, the store and the storage.
//!
//! [`run`] is the whole engine in one call; [`start`] gives a [`RunHandle`] to watch and steer the run.
//! [`resume`] goes on with a run whose process died, [`rerun`] repeats what failed.

mod adopt;
mod approver;
mod attempt;
mod book;
mod course;
mod env;
mod error;
#[cfg(all(feature = "reports", feature = "storage"))]
mod gates;
mod given;
mod handle;
mod history;
mod host;
mod judge;
mod leases;
mod log;
#[cfg(all(feature = "reports", feature = "storage"))]
mod measured;
mod options;
mod past;
mod place;
mod recorder;
mod report;
mod reported;
mod services;
mod start;
mod stated;
mod supervise;
mod watch;

pub use approver::{ApprovalRequest, ApproveFn, Approver, approve_fn};
pub use error::{RunError, RunErrorKind};
pub use handle::{RunControl, RunHandle};
pub use options::{Hold, RunOptions};
pub use report::{JobReport, RunReport};
pub use start::{rerun, resume, run, start};

pub use crate::event::BudgetReport;
