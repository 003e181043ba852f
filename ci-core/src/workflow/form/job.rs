//! Jobs: the mapping under a job's name.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess};
use serde::{Deserialize, Serialize};

use super::duration::Time;
use super::entries::Entries;
use super::machine::{Cpu, Memory, ServiceForm};
use super::policy::{
    AllowFailureForm, GroupForm, ManualForm, MatrixForm, NeedForm, RetryForm, start, start_form,
};
use super::shape::{Shape, shaped};
use super::step::StepForm;
use crate::job::{
    Condition, JobOptions, JobSpec, Need, ReportRules, Requirements, Retry, Timeouts,
};
use crate::outcome::OutcomeSet;
use crate::step::StepSpec;

/// A job without its name.
#[derive(Debug)]
pub(super) struct JobForm(pub(super) JobSpec);

shaped!(JobForm: JobFields);

impl Shape for JobForm {
    const EXPECTED: &'static str = "a mapping with the steps of the job";

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        JobFields::deserialize(MapAccessDeserializer::new(map))?
            .job()
            .map(Self)
            .map_err(A::Error::custom)
    }
}

impl Serialize for JobForm {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        JobFields::from(&self.0).serialize(serializer)
    }
}

/// A job.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct JobFields {
    /// The stage or group it is shown in and whose time budget it uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<Arc<str>>,
    /// What has to end before it starts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    needs: Vec<NeedForm>,
    /// Whether the job is part of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<Condition>,
    /// Whether it waits until somebody approves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    manual: Option<ManualForm>,
    /// How long after its dependencies allow it the job starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    delayed: Option<Time>,
    /// Whether it is a teardown job: it runs whatever the outcome of what it needs, also after the
    /// run was canceled or ran out of time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    always: bool,
    /// Which failures count as success.
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_failure: Option<AllowFailureForm>,
    /// Which failures are worth another attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<RetryForm>,
    /// The longest the job may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Time>,
    /// The longest each step may take that names no limit of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    step_timeout: Option<Time>,
    /// The longest a step may be silent that names no limit of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_output_timeout: Option<Time>,
    /// The groups it belongs to, of which only so many jobs run at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<GroupForm>,
    /// Jobs with a higher number go first.
    #[serde(skip_serializing_if = "is_zero")]
    priority: i32,
    /// Into how many shards the job is split.
    #[serde(skip_serializing_if = "Option::is_none")]
    parallelism: Option<u32>,
    /// The values the job is repeated for.
    #[serde(skip_serializing_if = "Option::is_none")]
    matrix: Option<MatrixForm>,
    /// The container image.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    /// Containers beside the job's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<ServiceForm>,
    /// The vendor's name for a size of machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_class: Option<String>,
    /// Labels or tags that the executor must have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<String>,
    /// Operating system and architecture, such as `linux/arm64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    /// The executor by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    executor: Option<String>,
    /// Processor cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<Cpu>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    /// The named contexts whose secrets the job gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contexts: Vec<String>,
    /// Variables of every step.
    #[serde(skip_serializing_if = "Entries::is_empty")]
    env: Entries<String>,
    /// The shell of its scripts, as words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shell: Vec<String>,
    /// The directory its steps start in.
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<String>,
    /// Whether it runs only if a job that it needs failed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    only_after_failure: bool,
    /// Whether a local job gets a home directory of its own; by default it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_home: Option<bool>,
    /// How its reports are judged.
    #[serde(skip_serializing_if = "ReportRules::is_empty")]
    reports: ReportRules,
    /// Settings that only some executor understands, by name.
    #[serde(skip_serializing_if = "Entries::is_empty")]
    extra: Entries<serde_json::Value>,
    /// What it does, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<StepForm>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// What a need accepts that says nothing about it.
const fn usual(always: bool) -> OutcomeSet {
    if always {
        OutcomeSet::ANY
    } else {
        OutcomeSet::SUCCESS
    }
}

impl JobFields {
    fn job(self) -> Result<JobSpec, String> {
        let usual = usual(self.always);
        let needs: Vec<Need> = self
            .needs
            .into_iter()
            .map(|need| need.need(usual))
            .collect();
        let steps: Arc<[StepSpec]> = self.steps.into_iter().map(|step| step.0).collect();
        let options = JobOptions {
            env: self.env.sorted(),
            contexts: self.contexts,
            requires: Requirements {
                executor: self.executor,
                image: self.image,
                services: self.services.into_iter().map(Into::into).collect(),
                resource_class: self.resource_class,
                labels: self.labels,
                platform: self.platform,
                cpu_milli: self.cpu.map(|cpu| cpu.0),
                memory_mib: self.memory.map(|memory| memory.0),
            },
            shell: self.shell,
            working_dir: self.working_dir,
            condition: self.when,
            start: start(self.manual, self.delayed)?,
            always: self.always,
            allow_failure: self.allow_failure.into(),
            retry: self.retry.map(Retry::from).unwrap_or_default(),
            timeouts: Timeouts {
                job: self.timeout.map(|limit| limit.0),
                step: self.step_timeout.map(|limit| limit.0),
                no_output: self.no_output_timeout.map(|limit| limit.0),
            },
            groups: self.groups.into_iter().map(Into::into).collect(),
            priority: self.priority,
            matrix: self.matrix.map(Into::into),
            parallelism: self.parallelism,
            stage: self.stage,
            only_after_failure: self.only_after_failure,
            private_home: self.private_home,
            reports: self.reports,
            extra: self.extra.sorted(),
        };
        let mut job = JobSpec::new("").steps(steps).needs_all(needs);
        // Jobs that set nothing go on sharing one value.
        if options != *job.options {
            job.options = Arc::new(options);
        }
        Ok(job)
    }
}

impl From<&JobSpec> for JobFields {
    fn from(job: &JobSpec) -> Self {
        let options: &JobOptions = &job.options;
        let requires = &options.requires;
        let usual = usual(options.always);
        let (manual, delayed) = start_form(&options.start);
        Self {
            stage: options.stage.clone(),
            needs: job
                .needs
                .iter()
                .map(|need| NeedForm::new(need, usual))
                .collect(),
            when: options.condition.clone(),
            manual,
            delayed,
            always: options.always,
            allow_failure: AllowFailureForm::new(&options.allow_failure),
            retry: (options.retry != Retry::default()).then(|| (&options.retry).into()),
            timeout: options.timeouts.job.map(Time),
            step_timeout: options.timeouts.step.map(Time),
            no_output_timeout: options.timeouts.no_output.map(Time),
            groups: options.groups.iter().map(Into::into).collect(),
            priority: options.priority,
            parallelism: options.parallelism,
            matrix: options.matrix.as_ref().map(Into::into),
            image: requires.image.clone(),
            services: requires.services.iter().map(Into::into).collect(),
            resource_class: requires.resource_class.clone(),
            labels: requires.labels.clone(),
            platform: requires.platform.clone(),
            executor: requires.executor.clone(),
            cpu: requires.cpu_milli.map(Cpu),
            memory: requires.memory_mib.map(Memory),
            contexts: options.contexts.clone(),
            env: (&options.env).into(),
            shell: options.shell.clone(),
            working_dir: options.working_dir.clone(),
            only_after_failure: options.only_after_failure,
            private_home: options.private_home,
            reports: options.reports.clone(),
            extra: (&options.extra).into(),
            steps: job.steps.iter().cloned().map(StepForm).collect(),
        }
    }
}
