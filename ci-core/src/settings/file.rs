//! The settings file as it is written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::workflow::form::{AllowFailureForm, Cpu, GroupForm, Memory, RetryForm, Time};
use crate::workflow::{SpecError, SpecErrorKind};

/// Where a project keeps its settings.
const FILES: [&str; 2] = [".ci/settings.yml", ".ci/settings.yaml"];

/// The project's settings.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The version of the form: 1.
    #[schemars(range(min = 1, max = 1))]
    pub(super) version: u32,
    /// What runs at once on this machine.
    #[serde(default)]
    pub(super) local: LocalForm,
    /// The vendor's sizes of machines: who runs their jobs and what they reserve. CircleCI's sizes for
    /// containers are known already.
    #[serde(default)]
    pub(super) resource_classes: BTreeMap<String, PlaceForm>,
    /// Labels and tags of jobs: who runs their jobs and what they reserve.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, PlaceForm>,
    /// What stands for an image; the first match wins.
    #[serde(default)]
    pub(super) images: Vec<ImageForm>,
    /// What is different for some jobs, by name or glob.
    #[serde(default)]
    pub(super) jobs: BTreeMap<String, JobForm>,
    /// Named groups of jobs, as names or globs.
    #[serde(default)]
    pub(super) stages: BTreeMap<Arc<str>, Vec<String>>,
    /// Time budgets of stages.
    #[serde(default)]
    pub(super) budgets: Vec<BudgetForm>,
}

/// What runs at once on this machine.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LocalForm {
    /// How many jobs.
    slots: Option<usize>,
    /// Processor cores for jobs that reserve some.
    cpu: Option<Cpu>,
    /// Memory for jobs that reserve some.
    memory: Option<Memory>,
    /// Whether jobs get home directories of their own; they do by default.
    pub(super) private_home: Option<bool>,
}

/// Who runs a job and what it reserves.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PlaceForm {
    /// The executor's name; the run's first executor by default.
    pub(super) executor: Option<String>,
    /// Processor cores.
    pub(super) cpu: Option<Cpu>,
    /// Memory.
    pub(super) memory: Option<Memory>,
}

/// What stands for an image.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImageForm {
    /// The image, as a name or glob.
    #[serde(rename = "match")]
    pub(super) matches: String,
    /// Another image, or `local`: the job needs no container.
    #[serde(rename = "use")]
    pub(super) instead: String,
}

/// What is different for a job.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct JobForm {
    /// The longest the job may take.
    pub(super) timeout: Option<Time>,
    /// The longest a step may take that names no limit of its own.
    pub(super) step_timeout: Option<Time>,
    /// The longest a step may be silent that names no limit of its own.
    pub(super) no_output_timeout: Option<Time>,
    /// Which failures are worth another attempt.
    pub(super) retry: Option<RetryForm>,
    /// Which failures count as success.
    pub(super) allow_failure: Option<AllowFailureForm>,
    /// Variables, beside the job's own.
    pub(super) env: BTreeMap<String, String>,
    /// Groups, beside the job's own.
    pub(super) groups: Vec<GroupForm>,
    /// Jobs with a higher number go first.
    pub(super) priority: Option<i32>,
    /// Whether a local job gets a home directory of its own.
    pub(super) private_home: Option<bool>,
    /// The executor's name.
    pub(super) executor: Option<String>,
    /// The size of machine.
    pub(super) resource_class: Option<String>,
    /// Processor cores that it reserves.
    pub(super) cpu: Option<Cpu>,
    /// Memory that it reserves.
    pub(super) memory: Option<Memory>,
}

/// A time budget.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BudgetForm {
    /// The stage.
    pub(super) stage: Arc<str>,
    /// How long its jobs may take together.
    pub(super) limit: Time,
    /// What happens when it is over.
    #[serde(default)]
    pub(super) over: OverForm,
}

/// What happens when a budget is over.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OverForm {
    /// The report says so.
    #[default]
    Warn,
    /// Its jobs time out.
    Fail,
}

/// What may run at once on this machine, as far as the settings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LocalSettings {
    /// How many jobs.
    pub slots: Option<usize>,
    /// Processor cores for jobs that reserve some, in thousandths.
    pub cpu_milli: Option<u32>,
    /// Memory for jobs that reserve some, in MiB.
    pub memory_mib: Option<u32>,
}

impl Settings {
    /// The version of the form.
    pub const VERSION: u32 = 1;

    /// Reads settings from YAML.
    #[cfg(feature = "yaml")]
    pub fn from_yaml(text: &str) -> Result<Self, SpecError> {
        let options = serde_saphyr::options! {
            strict_booleans: true,
            with_snippet: false,
        };
        let settings: Self = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| SpecError::yaml(&error))?;
        settings.check()
    }

    /// Reads settings from JSON.
    pub fn from_json(text: &str) -> Result<Self, SpecError> {
        let settings: Self = serde_json::from_str(text).map_err(|error| SpecError::json(&error))?;
        settings.check()
    }

    /// Reads a settings file: JSON if its name ends with `.json`, else YAML.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, SpecError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|error| SpecError::unreadable(error).in_file(path))?;
        let is_json = path
            .extension()
            .is_some_and(|extension| extension == "json");
        let settings = if is_json {
            Self::from_json(&text)
        } else {
            Self::from_text(&text)
        };
        settings.map_err(|error| error.in_file(path))
    }

    /// The settings of the project in `dir`; the default if it has none.
    pub fn discover(dir: impl AsRef<Path>) -> Result<Self, SpecError> {
        let found = FILES
            .iter()
            .map(|name| dir.as_ref().join(name))
            .find(|file| file.is_file());
        found.map_or_else(|| Ok(Self::default()), Self::load)
    }

    /// The JSON Schema of the file, for editors.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// What may run at once on this machine.
    #[must_use]
    pub fn local(&self) -> LocalSettings {
        LocalSettings {
            slots: self.local.slots,
            cpu_milli: self.local.cpu.map(|cpu| cpu.0),
            memory_mib: self.local.memory.map(|memory| memory.0),
        }
    }

    #[cfg(feature = "yaml")]
    fn from_text(text: &str) -> Result<Self, SpecError> {
        Self::from_yaml(text)
    }

    #[cfg(not(feature = "yaml"))]
    fn from_text(_: &str) -> Result<Self, SpecError> {
        Err(SpecError::no_yaml())
    }

    fn check(self) -> Result<Self, SpecError> {
        let wrong = |message| Err(SpecError::new(SpecErrorKind::Form, message));
        if self.version != Self::VERSION {
            return wrong(format!(
                "version {} of the settings is not known; this program knows {}",
                self.version,
                Self::VERSION
            ));
        }
        if self.local.slots == Some(0) {
            return wrong("`local.slots` is 0: then nothing would ever run".to_owned());
        }
        let globs = self
            .jobs
            .keys()
            .chain(self.stages.values().flatten())
            .chain(self.images.iter().map(|image| &image.matches));
        for glob in globs {
            if let Err(error) = super::apply::matcher(glob) {
                return wrong(format!("`{glob}` is no glob: {}", error.kind()));
            }
        }
        Ok(self)
    }
}
