//! What can be wrong with a workflow, all of it at once.

use std::fmt;

use super::Place;

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
        /// Where it stands.
        place: Place,
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
        /// Where it stands.
        place: Place,
        /// What is wrong with it.
        why: String,
    },
    /// A step attaches what a job added to the workspace, and there is no such job.
    #[error("{place}: `{from}`, of which it attaches the workspace, is no job{}", suggestion(.did_you_mean.as_deref()))]
    UnknownSource {
        /// The step.
        place: Place,
        /// The name it gives.
        from: String,
        /// The job it may mean.
        did_you_mean: Option<String>,
    },
    /// A job takes a context that its run was not given.
    #[error("job `{job}` takes the context `{context}`, which this run was not given{}; given: {}", suggestion(.did_you_mean.as_deref()), list(.known))]
    UnknownContext {
        /// The job.
        job: String,
        /// The context.
        context: String,
        /// The context it may mean.
        did_you_mean: Option<String>,
        /// The contexts that were given.
        known: Vec<String>,
    },
    /// A step names one that is not registered with its run.
    #[error("{place}: no step is registered as `{step}`{}; registered: {}", suggestion(.did_you_mean.as_deref()), list(.known))]
    UnknownStep {
        /// Where it stands.
        place: Place,
        /// The name it gives.
        step: String,
        /// The step it may mean.
        did_you_mean: Option<String>,
        /// The names that are registered.
        known: Vec<String>,
    },
}

impl Problem {
    /// What has to be changed: the job or step that it is about, or the workflow. `None` where the
    /// workflow is fine, and something else was asked of it than it has.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::NoSuchJob { .. } => None,
            Self::DuplicateJob(job)
            | Self::UnknownJob { job, .. }
            | Self::Unreachable { job, .. }
            | Self::FilteredDependency { job, .. }
            | Self::UnknownContext { job, .. } => Some(Place::job(job)),
            Self::Cycle(path) => path.first().map(|job| Place::job(job)),
            Self::BadName { place, .. }
            | Self::BadValue { place, .. }
            | Self::UnknownSource { place, .. }
            | Self::UnknownStep { place, .. } => Some(place.clone()),
        }
    }

    /// What to do about it, where that is not plain.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownContext { .. } => Some(
                "give its variables: `--context FILE` of `ci`, with `NAME: {VARIABLE: value}` in the \
                 file, or `RunOptions::context`",
            ),
            Self::UnknownStep { .. } => Some(
                "such a step is one of the program that runs the workflow: register it there with \
                 `RunOptions::step`",
            ),
            _ => None,
        }
    }

    /// The text at its place that it is about, and the key under which that stands where it is known.
    #[cfg(feature = "yaml")]
    pub(super) fn word(&self) -> Option<(Option<&'static str>, &str)> {
        Some(match self {
            Self::UnknownJob { needs, .. } | Self::FilteredDependency { needs, .. } => {
                (Some("needs"), needs)
            }
            // The first waits for the last, which stands before it when it stands again.
            Self::Cycle(path) => (Some("needs"), path.iter().rev().nth(1)?),
            Self::UnknownContext { context, .. } => (Some("contexts"), context),
            Self::BadName { name, .. } => (None, name),
            Self::UnknownSource { from, .. } => (None, from),
            Self::UnknownStep { step, .. } => (None, step),
            _ => return None,
        })
    }
}

/// Names as a list for people.
fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
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

    /// What to do next, each once.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let mut hints: Vec<String> = Vec::new();
        for hint in self.problems.iter().filter_map(Problem::hint) {
            if !hints.iter().any(|known| known == hint) {
                hints.push(hint.to_owned());
            }
        }
        hints
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
