//! A workflow as data.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{InvalidWorkflow, Plan, RunFacts};
use crate::job::{GroupUse, JobSpec};

/// A workflow as data: what the builder, the front-ends and other languages produce. Nothing in it
/// refers to a run.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct WorkflowSpec {
    /// The workflow's name.
    pub name: Arc<str>,
    /// Its jobs, in the order given; shared, so that copies of the workflow and its plans cost little.
    pub jobs: Arc<Vec<JobSpec>>,
    /// Variables of every job.
    pub env: BTreeMap<String, String>,
    /// The longest the run may take.
    pub timeout: Option<Duration>,
    /// Whether the first failure cancels what still runs; else jobs that do not depend on it go on.
    pub fail_fast: bool,
    /// The time budgets of stages.
    pub budgets: Vec<Budget>,
    /// The group that the run as a whole belongs to.
    pub group: Option<GroupUse>,
}

/// How long the jobs of a stage may take together, measured from the first of them to start.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// The stage.
    pub stage: Arc<str>,
    /// How long.
    pub limit: Duration,
    /// What happens when it is over.
    pub over: OverBudget,
}

/// What happens when a time budget is over.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OverBudget {
    /// The report says so.
    #[default]
    Warn,
    /// The jobs of the stage that are not done time out.
    Fail,
}

impl Budget {
    /// `stage` may take `limit`; going over it warns.
    #[must_use]
    pub fn new(stage: impl Into<Arc<str>>, limit: Duration) -> Self {
        Self {
            stage: stage.into(),
            limit,
            over: OverBudget::Warn,
        }
    }

    /// Makes going over it a failure.
    #[must_use]
    pub fn fail(mut self) -> Self {
        self.over = OverBudget::Fail;
        self
    }
}

impl WorkflowSpec {
    /// The version of the serialized form.
    pub const VERSION: u32 = 1;

    /// Starts building a workflow.
    ///
    /// ```
    /// use ci_core::job::JobSpec;
    /// use ci_core::workflow::WorkflowSpec;
    ///
    /// let workflow = WorkflowSpec::builder("ci")
    ///     .job(JobSpec::new("lint").run("cargo fmt --check"))
    ///     .job(JobSpec::new("test").run("cargo test"))
    ///     .job(JobSpec::new("build").needs("lint").needs("test").run("cargo build --release"))
    ///     .build()?;
    /// assert_eq!(workflow.jobs.len(), 3);
    /// # Ok::<(), ci_core::workflow::InvalidWorkflow>(())
    /// ```
    pub fn builder(name: impl Into<Arc<str>>) -> WorkflowBuilder {
        WorkflowBuilder {
            spec: Self {
                name: name.into(),
                ..Self::default()
            },
        }
    }

    /// Reports every problem of the workflow at once: those that it has whatever the run is for.
    pub fn validate(&self) -> Result<(), InvalidWorkflow> {
        super::plan::validate(self)
    }

    /// Makes the jobs of one run: matrices and shards spelled out, jobs filtered by their conditions,
    /// names resolved.
    pub fn plan(&self, facts: &RunFacts) -> Result<Plan, InvalidWorkflow> {
        Plan::new(self, facts)
    }
}

/// Builds a [`WorkflowSpec`].
#[derive(Debug, Clone)]
#[must_use]
pub struct WorkflowBuilder {
    pub(super) spec: WorkflowSpec,
}

impl WorkflowBuilder {
    /// Adds a job.
    pub fn job(mut self, job: JobSpec) -> Self {
        Arc::make_mut(&mut self.spec.jobs).push(job);
        self
    }

    /// Adds several jobs.
    pub fn jobs(mut self, jobs: impl IntoIterator<Item = JobSpec>) -> Self {
        Arc::make_mut(&mut self.spec.jobs).extend(jobs);
        self
    }

    /// Sets a variable for every job.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.spec.env.insert(name.into(), value.into());
        self
    }

    /// Limits how long the run may take.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.spec.timeout = Some(limit);
        self
    }

    /// Cancels what still runs at the first failure.
    pub fn fail_fast(mut self) -> Self {
        self.spec.fail_fast = true;
        self
    }

    /// Gives a stage a time budget.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.spec.budgets.push(budget);
        self
    }

    /// Puts the run as a whole in a group of which only so many run at once.
    pub fn group(mut self, group: GroupUse) -> Self {
        self.spec.group = Some(group);
        self
    }

    /// The workflow, or every problem it has.
    pub fn build(self) -> Result<WorkflowSpec, InvalidWorkflow> {
        self.spec.validate()?;
        Ok(self.spec)
    }
}
