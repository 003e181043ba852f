//! A job as data: its steps, what it depends on, and its policies.

mod condition;
mod options;
mod pattern;
mod policy;
mod reports;
mod spec;

pub use condition::Condition;
pub(crate) use condition::Matchers;
pub use options::{JobOptions, Requirements, ServiceSpec};
#[cfg(feature = "triggers")]
pub(crate) use pattern::Matcher;
pub use pattern::{Pattern, PatternError};
pub use policy::{
    AllowFailure, Backoff, FailureClass, GroupUse, Matrix, Retry, RetryOn, Start, Timeouts,
};
pub use reports::{
    BetterValues, CoverageRules, FindingRules, MetricRule, MetricRules, ReportRules, Warnings,
};
pub use spec::{JobSpec, Need};
