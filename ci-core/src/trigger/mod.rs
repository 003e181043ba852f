//! What starts runs: pushes, merge requests, tags, schedules, people and programs.
//!
//! A [`TriggerSpec`] says which [`Event`]s start a run; [`TriggerSpec::decide`] answers with the facts
//! of the run or with why there is none, and starts nothing itself. [`Timer`] tells when a
//! [`Schedule`] is due. With the feature `watch`, `watch::CommitWatcher` finds new commits and tags.

mod error;
mod event;
mod filter;
mod parameter;
mod schedule;
mod skip;
mod spec;
#[cfg(test)]
mod tests;
mod timer;
#[cfg(feature = "watch")]
pub mod watch;

pub use error::{TriggerError, TriggerErrorKind};
pub use event::{Event, EventKind};
pub use filter::{DOCUMENTATION, NameFilter, PathFilter, only_matches};
pub use parameter::{Parameter, ParameterKind, ParameterValue, arguments};
pub use schedule::{Due, Missed, Schedule, Timetable};
pub use skip::skip_word;
pub use spec::{
    Decision, MergeRequestRule, On, PushRule, Supersede, TagKind, TagRule, TriggerSpec,
};
pub use timer::{Fired, Timer};
