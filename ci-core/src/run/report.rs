//! How a run ended.

use std::sync::Arc;
use std::time::Duration;

use crate::event::{BudgetReport, JobReports, JobResult};
use crate::id::RunId;
use crate::outcome::{Outcome, OutcomeKind};

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[must_use]
pub struct RunReport {
    /// The run.
    pub run: RunId,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// How the run ended.
    pub outcome: OutcomeKind,
    /// Every job, in the order of the plan.
    pub jobs: Vec<JobReport>,
    /// The time budgets of the stages that began, in the order of the workflow.
    pub budgets: Vec<BudgetReport>,
    /// How long the run took.
    pub duration: Duration,
    /// What people should know that changed nothing.
    pub warnings: Vec<String>,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobReport {
    /// The job's name.
    pub name: Arc<str>,
    /// How it ended.
    pub outcome: Outcome,
    /// How many attempts it took; zero if it never started.
    pub attempts: u32,
    /// How long its attempts took together.
    pub duration: Duration,
    /// Whether a failure of it counts as success.
    pub allowed: bool,
    /// What its test and coverage reports came to, if it kept any.
    pub reports: Option<Arc<JobReports>>,
}

impl RunReport {
    /// Whether the run succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.outcome == OutcomeKind::Success
    }

    /// The job of this name.
    #[must_use]
    pub fn job(&self, name: &str) -> Option<&JobReport> {
        self.jobs.iter().find(|job| &*job.name == name)
    }
}

impl JobReport {
    /// The job as events and listings show it.
    #[must_use]
    pub fn result(&self) -> JobResult {
        JobResult {
            name: Arc::clone(&self.name),
            outcome: self.outcome.kind(),
            exit_code: self.outcome.exit_code(),
            reason: self.outcome.reason(),
            attempts: self.attempts,
            duration: self.duration,
            allowed: self.allowed,
            reports: self.reports.clone(),
        }
    }
}
