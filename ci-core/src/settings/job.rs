//! Options of a job that the settings file may set over the pipeline's own.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{self, CoresNumber, DurationText, SizeText};
use crate::job::{AllowFailure, Backoff, GroupUse, JobOptions, ReportRules, Retry, RetryOn};

/// Options of a job. What an entry leaves out stays as it is in the pipeline.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct JobSettings {
    /// The executor, whatever the job's class and labels say.
    pub executor: Option<String>,
    /// The resource class.
    pub resource_class: Option<String>,
    /// Processor cores that the job gets, in thousandths; written as cores.
    #[serde(rename = "cpu", deserialize_with = "value::some_millicores")]
    #[schemars(with = "Option<CoresNumber>")]
    pub cpu_milli: Option<u32>,
    /// Memory that the job gets, in MiB; written as a size.
    #[serde(rename = "memory", deserialize_with = "value::some_mebibytes")]
    #[schemars(with = "Option<SizeText>")]
    pub memory_mib: Option<u32>,
    /// Variables, beside those of the job; these win.
    pub env: BTreeMap<String, String>,
    /// The longest the job may take.
    #[serde(deserialize_with = "value::some_duration")]
    #[schemars(with = "Option<DurationText>")]
    pub timeout: Option<Duration>,
    /// The longest silence of a step that names no limit of its own.
    #[serde(deserialize_with = "value::some_duration")]
    #[schemars(with = "Option<DurationText>")]
    pub no_output_timeout: Option<Duration>,
    /// Which failures are worth another attempt.
    pub retry: Option<RetrySettings>,
    /// Whether the run and the jobs that depend on it take every failure of the job for a success.
    pub allow_failure: Option<bool>,
    /// Exit codes that are taken for a success.
    pub allow_exit_codes: Option<Vec<i32>>,
    /// Groups that the job belongs to, beside its own; at most `limit` jobs of a group run at once.
    pub groups: Vec<GroupSettings>,
    /// Jobs with a higher number go first.
    pub priority: Option<i32>,
    /// Whether a local job gets a home directory of its own.
    pub private_home: Option<bool>,
    /// How the job's reports are judged.
    pub reports: ReportRules,
}

/// Which failures of a job are worth another attempt.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RetrySettings {
    /// How many times at most, after the first attempt.
    pub max: u32,
    /// How long to wait before the second attempt; doubles for each one after, up to five minutes.
    #[serde(default, deserialize_with = "value::some_duration")]
    #[schemars(with = "Option<DurationText>")]
    pub wait: Option<Duration>,
    /// The share of the wait that is random, from 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub jitter: f64,
    /// Only these failures; all of them by default.
    #[serde(default)]
    pub on: Vec<RetryOn>,
}

/// A group that a job belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GroupSettings {
    /// The group's name.
    pub name: String,
    /// How many jobs of the group run at once; 1 by default.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub limit: NonZeroU32,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

impl JobSettings {
    /// Sets what the entry names.
    pub(super) fn apply(&self, options: &mut JobOptions) {
        let requires = &mut options.requires;
        set(&mut requires.executor, self.executor.as_ref());
        set(&mut requires.resource_class, self.resource_class.as_ref());
        set(&mut requires.cpu_milli, self.cpu_milli.as_ref());
        set(&mut requires.memory_mib, self.memory_mib.as_ref());
        set(&mut options.timeouts.job, self.timeout.as_ref());
        set(
            &mut options.timeouts.no_output,
            self.no_output_timeout.as_ref(),
        );
        set(&mut options.private_home, self.private_home.as_ref());
        options.reports.merge(&self.reports);
        for (name, value) in &self.env {
            options.env.insert(name.clone(), value.clone());
        }
        if let Some(retry) = &self.retry {
            options.retry = retry.to_policy();
        }
        match (self.allow_failure, &self.allow_exit_codes) {
            (Some(true), _) => options.allow_failure = AllowFailure::Always,
            (_, Some(codes)) => options.allow_failure = AllowFailure::ExitCodes(codes.clone()),
            (Some(false), None) => options.allow_failure = AllowFailure::Never,
            (None, None) => {}
        }
        for group in &self.groups {
            let used = GroupUse::counted(group.name.as_str(), group.limit.get());
            options.groups.retain(|other| other.name != used.name);
            options.groups.push(used);
        }
        if let Some(priority) = self.priority {
            options.priority = priority;
        }
    }
}

impl RetrySettings {
    fn to_policy(&self) -> Retry {
        let backoff = Backoff::exponential(self.wait.unwrap_or_default()).jitter(self.jitter);
        let retry = Retry::times(self.max).backoff(backoff);
        self.on.iter().fold(retry, |retry, on| retry.on(*on))
    }
}

fn set<T: Clone>(option: &mut Option<T>, value: Option<&T>) {
    if let Some(value) = value {
        *option = Some(value.clone());
    }
}
