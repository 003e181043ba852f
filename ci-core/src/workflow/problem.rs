//! What can be wrong with a workflow, all of it at once.

use std::fmt;

/// One thing that is wrong with a workflow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Two jobs have one name.
    #[error("the job `{0}` is defined more than once")]
    DuplicateJob(String),
    /// A dependency names no job.
    #[error("`{job}` needs `{needs}`, which is no job{}", suggestion(.did_you_mean.as_deref()))]
    UnknownJob {
        /// The job with the dependency.
        job: String,
        /// The name it gives.
        needs: String,
        /// The job it may mean.
        did_you_mean: Option<String>,
    },
    /// A job was chosen by a name that no job has.
    #[error("there is no job `{name}`{}", suggestion(.did_you_mean.as_deref()))]
    NoSuchJob {
        /// The name.
        name: String,
        /// The job it may mean.
        did_you_mean: Option<String>,
    },
    /// Jobs wait for each other in a circle; the first name stands again at the end.
    #[error("jobs wait for each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// The job can never start.
    #[error("`{job}` can never start: {why}")]
    Unreachable {
        /// The job.
        job: String,
        /// Why.
        why: String,
    },
    /// A name is empty, too long or has characters that names may not have.
    #[error("`{name}` is no good name for {what}: {why}")]
    BadName {
        /// What is named: `a job`, `a group`, …
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A dependency is on a job that its condition removed from this run.
    #[error("`{job}` needs `{needs}`, which its condition leaves out of this run")]
    FilteredDependency {
        /// The job with the dependency.
        job: String,
        /// The job that is left out.
        needs: String,
    },
    /// A value cannot be used.
    #[error("{place}: {why}")]
    BadValue {
        /// Where it stands, such as `job `test`, retry`.
        place: String,
        /// What is wrong with it.
        why: String,
    },
}

fn suggestion(did_you_mean: Option<&str>) -> String {
    did_you_mean.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

/// A workflow that cannot run, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidWorkflow {
    problems: Vec<Problem>,
}

impl InvalidWorkflow {
    /// The error for `problems`; `Ok` if there are none.
    pub fn check(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self { problems })
        }
    }

    /// Everything that is wrong: first values, then names, then dependencies, each in the order of
    /// the jobs.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for InvalidWorkflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => write!(f, "the workflow cannot run: {only}"),
            many => {
                write!(f, "the workflow cannot run, for {} reasons:", many.len())?;
                many.iter()
                    .try_for_each(|problem| write!(f, "\n- {problem}"))
            }
        }
    }
}

impl std::error::Error for InvalidWorkflow {}
