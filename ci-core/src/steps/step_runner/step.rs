//! The step that a step runner does, and the workflow of its three steps.

use async_trait::async_trait;

use super::client::{Ask, StepRunner};
use crate::job::{GroupUse, JobSpec};
use crate::outcome::{CancelReason, Outcome};
use crate::run::RunOptions;
use crate::session::Stream;
use crate::step::{SessionUse, Step, StepContext, StepError, StepSpec};
use crate::workflow::WorkflowSpec;

/// The steps of a step runner, and whether one runs beside another of its kind.
const STEPS: [(&str, bool); 3] = [("lint", true), ("build", false), ("test", false)];

/// Lets a step runner do a step on the run's repository and commit. Only an answer decides: a runner
/// that breaks, hangs, drops connections or is not there is asked again within its budget, and after
/// that the step is an infrastructure failure.
#[derive(Debug, Clone)]
pub struct RunRemote {
    runner: StepRunner,
    step: String,
    name: String,
}

impl RunRemote {
    /// The step of this name on `runner`.
    #[must_use]
    pub fn new(runner: StepRunner, step: impl Into<String>) -> Self {
        let step = step.into();
        Self {
            name: format!("{step} on {}", runner.address()),
            runner,
            step,
        }
    }

    fn ask(&self, cx: &StepContext) -> Result<Ask, StepError> {
        let facts = cx.facts();
        let missing = |what| StepError::new(format!("the run has no {what} for the step runner"));
        let repository = facts
            .repository
            .as_ref()
            .ok_or_else(|| missing("repository"))?;
        let commit = facts.revision.as_ref().ok_or_else(|| missing("commit"))?;
        Ok(Ask {
            step_name: self.step.clone(),
            repo_path: repository.to_string_lossy().into_owned(),
            commit_hash: commit.clone(),
        })
    }
}

#[async_trait]
impl Step for RunRemote {
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let ask = self.ask(cx)?;
        let asked = tokio::select! {
            biased;
            () = cx.cancellation().cancelled() => {
                return Ok(Outcome::Canceled(CancelReason::Requested));
            }
            asked = self.runner.ask(&ask, cx.output()) => asked,
        };
        match asked.result {
            Ok((outcome, output)) => {
                if let Some(output) = output {
                    cx.output().write(Stream::Stdout, output.as_bytes()).await;
                }
                Ok(outcome)
            }
            Err(why) => {
                let tries = match asked.tries {
                    1 => "one try".to_owned(),
                    tries => format!("{tries} tries"),
                };
                let (step, address) = (&self.step, self.runner.address());
                Err(StepError::new(format!(
                    "the step runner at `{address}` did not decide about `{step}` in {tries}: {why}"
                )))
            }
        }
    }

    fn session_use(&self) -> SessionUse {
        SessionUse::OnDemand
    }
}

impl StepRunner {
    /// The workflow of its three steps. All of them run on every commit, none waits for another:
    /// `lint` beside everything, `build` and `test` one at a time in all runs that share a store.
    #[must_use]
    pub fn workflow(&self) -> WorkflowSpec {
        let jobs = STEPS.iter().map(|(step, is_parallel)| {
            let remote = RunRemote::new(self.clone(), *step);
            let job = JobSpec::new(*step).step(StepSpec::code(remote));
            if *is_parallel {
                job
            } else {
                job.group(GroupUse::mutex(format!("{} {step}", self.address())))
            }
        });
        WorkflowSpec {
            name: "step-runner".into(),
            jobs: std::sync::Arc::new(jobs.collect()),
            ..WorkflowSpec::default()
        }
    }

    /// Registers its steps, for a run that is resumed.
    pub fn register(&self, options: RunOptions) -> RunOptions {
        STEPS.iter().fold(options, |options, (step, _)| {
            let remote = RunRemote::new(self.clone(), *step);
            options.step(remote.name.clone(), remote)
        })
    }
}
