//! `ci watch`: stays, and runs what is new in repositories.
//!
//! Every new commit of every branch, and every tag, runs the workflow that the repository has at that
//! commit: its CircleCI or GitLab file or its `.ci/workflow.yml`, or with `--step-runner` the three steps
//! of the step runner. `.ci/triggers.yml` at that commit says which do not, and when schedules run; so
//! do the schedules of a CircleCI file. The store knows what was run: a restart loses nothing, runs
//! nothing twice, and goes on with what was running.

mod again;
mod args;
mod drive;
mod feeds;
mod orders;
mod plan;
mod resident;
mod schedules;

pub(crate) use args::WatchArgs;
pub(crate) use drive::watch;
pub use orders::Start;
pub use resident::Watching;
