//! The built-in steps: what stands behind each [`Action`](crate::step::Action).
//!
//! A workflow names them through [`StepSpec`](crate::step::StepSpec); the types are public so that a
//! step of an embedding program can run one as a part of its own work.
//!
//! | step | does |
//! |---|---|
//! | [`RunCommand`] | runs a command, in the background if asked |
//! | [`Checkout`] | puts the sources at a commit, tag or branch into a directory |
//! | [`WaitFor`] | waits until a port, a URL or a command answers |
//! | [`Approval`] | waits until somebody decides |
//!
//! With the feature `storage` there are also those that bring back and save caches, add to and attach
//! the workspace of the run, and keep artifacts, test results, coverage reports, values that were
//! measured and findings. With the feature
//! `http`, `step_runner` lets a server do the steps.

mod approval;
#[cfg(feature = "storage")]
mod artifacts;
#[cfg(feature = "storage")]
mod cache;
mod checkout;
#[cfg(feature = "storage")]
mod checksum;
mod command;
mod dispatch;
#[cfg(feature = "storage")]
mod files;
mod job_env;
#[cfg(feature = "storage")]
mod links;
#[cfg(all(feature = "storage", feature = "reports"))]
pub(crate) mod measured;
#[cfg(all(feature = "storage", feature = "reports"))]
pub(crate) mod reports;
mod skip;
#[cfg(feature = "http")]
pub mod step_runner;
#[cfg(test)]
mod storage_tests;
#[cfg(test)]
#[cfg(unix)]
mod test_support;
#[cfg(feature = "storage")]
mod transfer;
mod url;
mod wait;
#[cfg(feature = "storage")]
mod workspace;

pub use approval::Approval;
#[cfg(feature = "storage")]
pub use artifacts::{StoreArtifacts, StoreCoverage, StoreFindings, StoreMetrics, StoreTestResults};
#[cfg(feature = "storage")]
pub use cache::{RestoreCache, SaveCache};
pub use checkout::Checkout;
pub use command::RunCommand;
pub(crate) use dispatch::builtin;
#[cfg(feature = "git")]
use url::mask_in;
use url::mask_url;
pub use wait::WaitFor;
#[cfg(feature = "storage")]
pub use workspace::{AttachWorkspace, PersistWorkspace};
