//! The settings file as values.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{self, CoresNumber, DurationText, ImageSubstitute, SizeText};
use super::{JobSettings, NotifySettings, Rules};
use crate::executor::ExecutorError;
use crate::workflow::OverBudget;

/// The settings of a project; see the [module](super) for the file.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// The version of the file's form: 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// The executors of the project by name, beside `local`, which is always there.
    #[serde(default)]
    pub executors: BTreeMap<String, ExecutorSettings>,
    /// The executor of jobs that ask for nothing; `local` by default.
    #[serde(default = "local")]
    pub default_executor: String,
    /// The executor of jobs that ask only for an image. Without it such a job is refused.
    #[serde(default)]
    pub image_executor: Option<String>,
    /// What resource classes stand for. Classes of the same name that are built in give what an entry
    /// leaves out.
    #[serde(default)]
    pub resource_classes: BTreeMap<String, Target>,
    /// What labels (also called tags) stand for; `*` and `?` are wildcards.
    #[serde(default)]
    pub labels: Rules<Target>,
    /// Options of jobs, by their name; `*` and `?` are wildcards, and a later entry wins.
    #[serde(default)]
    pub jobs: Rules<JobSettings>,
    /// Known flaky tests, whose failure fails no job.
    #[serde(default)]
    pub quarantine: QuarantineSettings,
    /// What replaces the images of jobs and services; `*` and `?` are wildcards, and a later entry
    /// wins.
    #[serde(default)]
    pub images: Rules<ImageSubstitute>,
    /// Named groups of jobs, as names with wildcards; a budget counts their time.
    #[serde(default)]
    pub stages: BTreeMap<String, Vec<String>>,
    /// How long the jobs of a stage may take together, measured from the first of them to start.
    #[serde(default)]
    pub budgets: BTreeMap<String, BudgetSettings>,
    /// What GitLab's `include` calls projects, URLs and `templates`, and where they are on this machine;
    /// relative to the project.
    #[serde(default)]
    pub includes: BTreeMap<String, PathBuf>,
    /// Whom to tell how runs end.
    #[serde(default)]
    pub notify: NotifySettings,
    /// How much of this machine local jobs may use.
    #[serde(default)]
    pub local: LocalSettings,
    /// Where caches, workspaces and artifacts are kept.
    #[serde(default)]
    pub storage: StorageSettings,
    /// Where runs are recorded.
    #[serde(default)]
    pub store: StoreSettings,
    /// What is written when a run has ended.
    #[serde(default)]
    pub report: ReportSettings,
}

fn local() -> String {
    super::LOCAL.into()
}

impl Settings {
    /// The version of the file's form that this engine reads.
    pub const VERSION: u32 = 1;

    /// The JSON schema of the file, for editors.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

impl Default for Settings {
    /// What holds without a file.
    fn default() -> Self {
        Self {
            version: Self::VERSION,
            executors: BTreeMap::new(),
            default_executor: local(),
            image_executor: None,
            resource_classes: BTreeMap::new(),
            labels: Rules::default(),
            jobs: Rules::default(),
            quarantine: QuarantineSettings::default(),
            images: Rules::default(),
            stages: BTreeMap::new(),
            budgets: BTreeMap::new(),
            includes: BTreeMap::new(),
            notify: NotifySettings::default(),
            local: LocalSettings::default(),
            storage: StorageSettings::default(),
            store: StoreSettings::default(),
            report: ReportSettings::default(),
        }
    }
}

/// An executor of the project.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ExecutorSettings {
    /// The kind of executor, such as `local` or `docker`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What only executors of that kind understand; they refuse what they do not know.
    #[serde(default)]
    pub options: BTreeMap<String, serde_json::Value>,
    /// Where each option stands, as `file:line:column`, if they were read from a file.
    #[serde(skip)]
    pub(super) places: BTreeMap<String, String>,
}

impl ExecutorSettings {
    /// Where the option stands that an error is about, as `file:line:column`, if it was read from a file.
    #[must_use]
    pub fn place_of(&self, error: &ExecutorError) -> Option<&str> {
        let key = error.option()?.split('.').next()?;
        self.places.get(key).map(String::as_str)
    }
}

/// What a resource class or a label stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Target {
    /// The executor; by default what the job's labels or image lead to.
    pub executor: Option<String>,
    /// Processor cores that the job gets, in thousandths; written as cores.
    #[serde(rename = "cpu", deserialize_with = "value::some_millicores")]
    #[schemars(with = "Option<CoresNumber>")]
    pub cpu_milli: Option<u32>,
    /// Memory that the job gets, in MiB; written as a size.
    #[serde(rename = "memory", deserialize_with = "value::some_mebibytes")]
    #[schemars(with = "Option<SizeText>")]
    pub memory_mib: Option<u32>,
}

/// Known flaky tests, whose failure fails no job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct QuarantineSettings {
    /// The tests: `class::name`, where `*` stands for any characters and `?` for one.
    pub tests: Vec<String>,
    /// A file with more of them, one a line, relative to the project; `#` begins a comment line. It
    /// is read with the settings.
    pub file: Option<PathBuf>,
}

/// The time budget of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BudgetSettings {
    /// How long the jobs of the stage may take together.
    #[serde(deserialize_with = "value::duration")]
    #[schemars(with = "DurationText")]
    pub limit: Duration,
    /// What happens when it is over: `warn` (the default) or `fail`.
    #[serde(default, deserialize_with = "over")]
    #[schemars(with = "OverForm")]
    pub over: OverBudget,
}

/// The written form of what happens when a budget is over.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
enum OverForm {
    /// The report says so.
    #[default]
    Warn,
    /// The jobs of the stage that are not done time out.
    Fail,
}

fn over<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<OverBudget, D::Error> {
    Ok(match OverForm::deserialize(deserializer)? {
        OverForm::Warn => OverBudget::Warn,
        OverForm::Fail => OverBudget::Fail,
    })
}

/// How much of this machine local jobs may use. What is left out is what the machine has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LocalSettings {
    /// How many jobs run at once.
    #[schemars(range(min = 1))]
    pub slots: Option<std::num::NonZeroU32>,
    /// Processor cores, in thousandths; written as cores.
    #[serde(rename = "cpu", deserialize_with = "value::some_millicores")]
    #[schemars(with = "Option<CoresNumber>")]
    pub cpu_milli: Option<u32>,
    /// Memory, in MiB; written as a size.
    #[serde(rename = "memory", deserialize_with = "value::some_mebibytes")]
    #[schemars(with = "Option<SizeText>")]
    pub memory_mib: Option<u32>,
    /// Whether a job gets a home directory of its own; by default it does.
    pub private_home: Option<bool>,
}

/// Where caches, workspaces and artifacts are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct StorageSettings {
    /// The directory, absolute or relative to the project; by default it is in the user's own
    /// directory for such things.
    pub path: Option<PathBuf>,
    /// How large all caches together may become, in bytes; written as a size. The least recently used
    /// go first.
    #[serde(deserialize_with = "value::some_size")]
    #[schemars(with = "Option<SizeText>")]
    pub cache_limit: Option<u64>,
}

/// Where runs are recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct StoreSettings {
    /// The file, absolute or relative to the project; by default it is in the user's own directory for
    /// such things.
    pub path: Option<PathBuf>,
    /// Which runs are forgotten.
    pub retention: RetentionSettings,
}

/// Which runs are forgotten. By default none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RetentionSettings {
    /// Runs that ended longer ago than this.
    #[serde(deserialize_with = "value::some_duration")]
    #[schemars(with = "Option<DurationText>")]
    pub max_age: Option<Duration>,
    /// The oldest runs above this number.
    pub max_runs: Option<u32>,
}

/// What is written when a run has ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ReportSettings {
    /// The page of the run, one HTML file, absolute or relative to the project; `{run}` in the name is
    /// the run's id. By default none is written.
    pub html: Option<PathBuf>,
    /// Whether the page of every run is kept among its artifacts, as `run.html` of `(run)`.
    pub artifact: bool,
}
