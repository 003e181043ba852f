//! The project settings: what the vendors' files have no key for, in `.ci/settings.yml`.
//!
//! The file is optional, and so is every key in it but `version`. A key that is not known is an
//! error with its place, never ignored. [`Settings::json_schema`] gives the schema of the file, which
//! is also published as `schema/settings.schema.json` of this crate. All keys at once:
//!
//! ```yaml
#![doc = include_str!("example.yml")]
//! ```
//!
//! # Where a job runs
//! [`Settings::place`] decides, before the run and from nothing but the job and the settings. First
//! comes the executor that the job itself names (in the pipeline or under `jobs`), then that of its
//! resource class, of its labels, of images, and the default. The processor cores and the memory
//! come from the job, its class or its labels, in this order. A class or label that nothing maps is
//! an error that says which key to add.
//!
//! # What changes in the workflow
//! [`Settings::apply`] puts options, image substitutes, stages and budgets into a
//! [`WorkflowSpec`](crate::workflow::WorkflowSpec), and notes what fits no job.
//!
//! # How values are written
//! Durations are numbers with units (`90s`, `1h30m`; see
//! [`parse_duration`](crate::units::parse_duration)), sizes a number with a unit (`512MiB`, `8GB`;
//! see [`parse_size`](crate::units::parse_size)), processor cores a plain number (`4`, `0.5`).

mod apply;
mod choose;
mod classes;
mod job;
#[cfg(feature = "yaml")]
mod load;
mod model;
mod notify;
mod place;
mod rules;
#[cfg(test)]
mod tests;
mod value;

pub use apply::SettingsNote;
pub use choose::{Chosen, ExecutorChoice};
pub use job::{GroupSettings, JobSettings, RetrySettings};
#[cfg(feature = "yaml")]
pub use load::{SettingsError, SettingsErrorKind};
pub use model::{
    BudgetSettings, ExecutorSettings, LocalSettings, QuarantineSettings, ReportSettings,
    RetentionSettings, Settings, StorageSettings, StoreSettings, Target,
};
pub use notify::{
    ChannelSettings, ChatSettings, EmailSettings, ForgeKind, ForgeSettings, MailSecurity,
    MaybeSecret, NotifyRule, NotifySettings, SecretRef, WebhookSettings,
};
pub use place::{Placement, PlacementError, PlacementErrorKind};
pub use rules::Rules;
pub use value::ImageSubstitute;

/// The executor that is always there: processes on this machine.
pub const LOCAL: &str = "local";
