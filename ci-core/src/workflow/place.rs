//! Where in a workflow something is wrong.

use std::fmt;
use std::sync::Arc;

use crate::job::JobSpec;

/// Where in a workflow something is wrong. Shown as people say it: ``job `test`, step 2 (`cargo test`)``.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In no job.
    Workflow,
    /// In the budget of a stage.
    Budget {
        /// The stage.
        stage: Arc<str>,
    },
    /// In a job, and in none of its steps.
    Job {
        /// The job.
        job: Arc<str>,
    },
    /// In a step.
    Step {
        /// The job.
        job: Arc<str>,
        /// Which of its steps, from 0.
        index: usize,
        /// What people see of the step.
        shown: String,
    },
}

impl Place {
    pub(crate) fn job(name: &str) -> Self {
        Self::Job { job: name.into() }
    }

    /// The step at `index` of `job`.
    pub(crate) fn step(job: &JobSpec, index: usize) -> Self {
        let step = job.steps.get(index);
        Self::Step {
            job: Arc::clone(&job.name),
            index,
            shown: step.map_or_else(String::new, |step| step.display_name().to_string()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workflow => f.write_str("the workflow"),
            Self::Budget { stage } => write!(f, "the budget of stage `{stage}`"),
            Self::Job { job } => write!(f, "job `{job}`"),
            Self::Step { job, index, shown } => {
                write!(f, "job `{job}`, step {}", index + 1)?;
                if shown.is_empty() {
                    return Ok(());
                }
                write!(f, " (`{shown}`)")
            }
        }
    }
}
