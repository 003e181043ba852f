//! What people look at when a run is over: what failed in it, and the whole of it on one page.
//!
//! Everything is a value first, made from what a store has, and then text, Markdown or HTML. Names,
//! messages and output may be hostile: every form escapes them.
//!
//! | To … | see |
//! |---|---|
//! | ask what failed, and what changed since it last went well | [`failure()`], [`failure_text`] |
//! | have a whole run as a value | [`run_view`], [`RunView`] |
//! | show it | [`run_text`], [`run_markdown`], `run_html` with the feature `html` |

#[cfg(feature = "html")]
mod bars;
mod excerpt;
mod failure;
mod failure_text;
#[cfg(feature = "html")]
mod html;
mod journal;
mod load;
mod logs;
mod markdown;
mod plan;
mod run;
#[cfg(test)]
mod tests;
mod text;
mod timeline;

pub use excerpt::{Excerpt, ExcerptLine};
pub use failure::{
    ChangedCommit, FailedJob, FailedStep, FailureQuery, FailureView, LastSuccess, failure,
};
pub use failure_text::failure_text;
#[cfg(feature = "html")]
pub use html::run_html;
pub use journal::{AttemptView, JobView, StepView, jobs_of};
pub use load::{RunViewOptions, run_view};
pub use logs::StepLog;
pub use markdown::run_markdown;
pub use run::{
    EnvironmentView, FIDELITY, FileCoverageView, FindingView, FlakyView, GateKind, GateView,
    MetricView, RunView, StoredView,
};
pub use text::run_text;
