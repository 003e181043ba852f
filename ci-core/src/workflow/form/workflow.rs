//! The workflow as a whole: the top of the file.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Serialize};

use super::duration::Time;
use super::entries::Entries;
use super::job::JobForm;
use super::policy::GroupForm;
use super::shape::{Shape, shaped};
use crate::workflow::{Budget, OverBudget, WorkflowSpec};

/// A workflow of jobs.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Workflow", rename = "Workflow")]
pub(in crate::workflow) struct WorkflowForm {
    /// The version of this form.
    version: Version,
    /// The workflow's name.
    name: Arc<str>,
    /// Variables of every job.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    env: Entries<String>,
    /// The longest the run may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<Time>,
    /// Whether the first failure cancels what still runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    fail_fast: bool,
    /// The group that the run as a whole belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<GroupForm>,
    /// The time budgets of stages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    budgets: Vec<BudgetForm>,
    /// The jobs by name.
    jobs: Entries<JobForm>,
}

/// The version of the form, which has to be one that this engine reads.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Version(u32);

shaped!(Version: u32);

impl Shape for Version {
    const EXPECTED: &'static str = "the version of the form, which is 1";

    fn from_integer<E: Error>(number: u64) -> Result<Self, E> {
        if number == u64::from(WorkflowSpec::VERSION) {
            return Ok(Self(WorkflowSpec::VERSION));
        }
        Err(E::custom(format_args!(
            "version `{number}` of the form is not known; this engine reads version `{}`",
            WorkflowSpec::VERSION
        )))
    }
}

/// A time budget.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BudgetForm {
    /// The stage.
    stage: Arc<str>,
    /// How long its jobs may take together, from the start of the first.
    limit: Time,
    /// What happens when it is over.
    #[serde(default)]
    over: OverBudget,
}

impl From<&WorkflowSpec> for WorkflowForm {
    fn from(spec: &WorkflowSpec) -> Self {
        let budgets = spec.budgets.iter().map(|budget| BudgetForm {
            stage: Arc::clone(&budget.stage),
            limit: Time(budget.limit),
            over: budget.over,
        });
        let jobs = spec.jobs.iter();
        Self {
            version: Version(WorkflowSpec::VERSION),
            name: Arc::clone(&spec.name),
            env: (&spec.env).into(),
            timeout: spec.timeout.map(Time),
            fail_fast: spec.fail_fast,
            group: spec.group.as_ref().map(Into::into),
            budgets: budgets.collect(),
            jobs: Entries(
                jobs.map(|job| (Arc::clone(&job.name), JobForm(job.clone())))
                    .collect(),
            ),
        }
    }
}

impl From<WorkflowForm> for WorkflowSpec {
    fn from(form: WorkflowForm) -> Self {
        let budgets = form.budgets.into_iter().map(|budget| Budget {
            stage: budget.stage,
            limit: budget.limit.0,
            over: budget.over,
        });
        let jobs = form.jobs.0.into_iter().map(|(name, JobForm(mut job))| {
            job.name = name;
            job
        });
        Self {
            name: form.name,
            jobs: Arc::new(jobs.collect()),
            env: form.env.sorted(),
            timeout: form.timeout.map(|limit| limit.0),
            fail_fast: form.fail_fast,
            budgets: budgets.collect(),
            group: form.group.map(Into::into),
        }
    }
}
