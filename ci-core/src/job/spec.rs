//! A job of a workflow.

use std::sync::Arc;
use std::time::Duration;

use super::{
    AllowFailure, Condition, GroupUse, JobOptions, Matrix, Requirements, Retry, ServiceSpec, Start,
};
use crate::outcome::{OutcomeKind, OutcomeSet};
use crate::step::StepSpec;

/// A job: an ordered list of steps that share one session, and what the job depends on. Small and
/// cheap to clone.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobSpec {
    /// The job's name, unique in its workflow.
    pub name: Arc<str>,
    /// What has to end before it starts.
    pub needs: Vec<Need>,
    /// What it does, in this order.
    pub steps: Arc<[StepSpec]>,
    /// Everything else.
    pub options: Arc<JobOptions>,
}

/// A dependency on a job, and the outcomes of it that are good enough.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Need {
    /// The other job's name. The name of a job with a matrix stands for all the jobs made from it.
    pub job: Arc<str>,
    /// The outcomes of it that let this job start.
    pub accept: OutcomeSet,
    /// Whether the other job may be absent: unknown, or filtered out by its condition.
    pub optional: bool,
}

impl Need {
    /// The job has to succeed.
    #[must_use]
    pub fn success(job: impl Into<Arc<str>>) -> Self {
        Self {
            job: job.into(),
            accept: OutcomeSet::SUCCESS,
            optional: false,
        }
    }

    /// The job has to end, in whatever way.
    #[must_use]
    pub fn any(job: impl Into<Arc<str>>) -> Self {
        Self {
            job: job.into(),
            accept: OutcomeSet::ANY,
            optional: false,
        }
    }

    /// The job has to end in one of these ways.
    #[must_use]
    pub fn outcomes(job: impl Into<Arc<str>>, kinds: &[OutcomeKind]) -> Self {
        Self {
            job: job.into(),
            accept: OutcomeSet::of(kinds),
            optional: false,
        }
    }

    /// Allows the job to be absent.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

impl<S: Into<Arc<str>>> From<S> for Need {
    fn from(job: S) -> Self {
        Self::success(job)
    }
}

impl JobSpec {
    /// A job with no steps yet.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            needs: Vec::new(),
            steps: Arc::from([]),
            options: JobOptions::shared_default(),
        }
    }

    /// Adds a step at the end.
    #[must_use]
    pub fn step(mut self, step: StepSpec) -> Self {
        self.steps = self.steps.iter().cloned().chain([step]).collect();
        self
    }

    /// Replaces all steps; a shared slice is not copied.
    #[must_use]
    pub fn steps(mut self, steps: impl Into<Arc<[StepSpec]>>) -> Self {
        self.steps = steps.into();
        self
    }

    /// Adds a script as a step: short for `step(StepSpec::run(script))`.
    #[must_use]
    pub fn run(self, script: impl Into<String>) -> Self {
        self.step(StepSpec::run(script))
    }

    /// Adds a dependency: a job's name, or a [`Need`] that says more.
    #[must_use]
    pub fn needs(mut self, need: impl Into<Need>) -> Self {
        self.needs.push(need.into());
        self
    }

    /// Adds several dependencies.
    #[must_use]
    pub fn needs_all<N: Into<Need>>(mut self, needs: impl IntoIterator<Item = N>) -> Self {
        self.needs.extend(needs.into_iter().map(Into::into));
        self
    }

    /// Changes what the other methods do not name.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut JobOptions)) -> Self {
        change(Arc::make_mut(&mut self.options));
        self
    }

    /// Sets a variable for every step.
    #[must_use]
    pub fn env(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(|options| {
            options.env.insert(name.into(), value.into());
        })
    }

    /// Gives the job the secrets of a named context.
    #[must_use]
    pub fn context(self, name: impl Into<String>) -> Self {
        self.with(|options| options.contexts.push(name.into()))
    }

    /// Runs the job in a container of `image`.
    #[must_use]
    pub fn image(self, image: impl Into<String>) -> Self {
        self.with(|options| options.requires.image = Some(image.into()))
    }

    /// Starts a container beside the job's own.
    #[must_use]
    pub fn service(self, service: ServiceSpec) -> Self {
        self.with(|options| options.requires.services.push(service))
    }

    /// Insists on the executor of this name.
    #[must_use]
    pub fn executor(self, name: impl Into<String>) -> Self {
        self.with(|options| options.requires.executor = Some(name.into()))
    }

    /// Asks for a size of machine by the vendor's name, such as `large`.
    #[must_use]
    pub fn resource_class(self, class: impl Into<String>) -> Self {
        self.with(|options| options.requires.resource_class = Some(class.into()))
    }

    /// Reserves processor time (in thousandths of a core) and memory (in MiB) while the job runs.
    #[must_use]
    pub fn reserve(self, cpu_milli: u32, memory_mib: u32) -> Self {
        self.with(|options| {
            options.requires.cpu_milli = Some(cpu_milli);
            options.requires.memory_mib = Some(memory_mib);
        })
    }

    /// Makes the job part of the run only where `condition` holds.
    #[must_use]
    pub fn when(self, condition: Condition) -> Self {
        self.with(|options| options.condition = Some(condition))
    }

    /// Holds the job until somebody approves it.
    #[must_use]
    pub fn manual(self, prompt: impl Into<String>) -> Self {
        self.with(|options| {
            options.start = Start::Manual {
                prompt: Some(prompt.into()),
                optional: false,
                deadline: None,
            };
        })
    }

    /// Starts the job this long after its dependencies allow it.
    #[must_use]
    pub fn delayed(self, delay: Duration) -> Self {
        self.with(|options| options.start = Start::Delayed(delay))
    }

    /// Makes it a teardown job: it runs whatever the outcome of what it needs, also after the run was
    /// canceled.
    #[must_use]
    pub fn always(mut self) -> Self {
        for need in &mut self.needs {
            need.accept = OutcomeSet::ANY;
        }
        self.with(|options| options.always = true)
    }

    /// Says which failures count as success.
    #[must_use]
    pub fn allow_failure(self, allow: AllowFailure) -> Self {
        self.with(|options| options.allow_failure = allow)
    }

    /// Says which failures are worth another attempt.
    #[must_use]
    pub fn retry(self, retry: Retry) -> Self {
        self.with(|options| options.retry = retry)
    }

    /// Limits how long the job may take.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        self.with(|options| options.timeouts.job = Some(limit))
    }

    /// Puts the job in a group of which only so many run at once.
    #[must_use]
    pub fn group(self, group: GroupUse) -> Self {
        self.with(|options| options.groups.push(group))
    }

    /// Lets jobs with a higher number go first.
    #[must_use]
    pub fn priority(self, priority: i32) -> Self {
        self.with(|options| options.priority = priority)
    }

    /// Repeats the job for each combination of values; each gets them as variables.
    #[must_use]
    pub fn matrix(self, matrix: Matrix) -> Self {
        self.with(|options| options.matrix = Some(matrix))
    }

    /// Splits the job into `total` shards, told apart by `CI_NODE_INDEX` (from 0) and
    /// `CI_NODE_TOTAL`.
    #[must_use]
    pub fn parallelism(self, total: u32) -> Self {
        self.with(|options| options.parallelism = Some(total))
    }

    /// Shows the job in a stage and counts it into that stage's time budget.
    #[must_use]
    pub fn stage(self, stage: impl Into<Arc<str>>) -> Self {
        self.with(|options| options.stage = Some(stage.into()))
    }

    /// Whether the job says anything about where it has to run.
    #[must_use]
    pub fn asks_for_a_place(&self) -> bool {
        !self.options.is_shared_default() && self.options.requires != Requirements::default()
    }

    /// Whether the outcome of a run counts this outcome of the job as fine.
    #[must_use]
    pub fn tolerates(&self, outcome: &crate::outcome::Outcome) -> bool {
        outcome.is_success() || self.options.allow_failure.allows(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_job_is_small_and_shares_its_options() {
        let (a, b) = (JobSpec::new("a"), JobSpec::new("b").needs("a"));
        assert!(Arc::ptr_eq(&a.options, &b.options));
        assert!(size_of::<JobSpec>() <= 64);
        assert!(size_of::<Need>() <= 24);
    }
}
