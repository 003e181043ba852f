//! A run that goes on, to watch and to steer.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{RunError, RunErrorKind, RunReport};
use crate::id::RunId;
use crate::outcome::CancelReason;
use crate::scheduler::Stop;
use crate::scheduler::drive::Command;
use crate::workflow::Plan;

/// A run that goes on. Dropping the handle cancels the run; [`detach`](Self::detach) lets it go on.
#[derive(Debug)]
pub struct RunHandle {
    run: RunId,
    plan: Arc<Plan>,
    commands: mpsc::UnboundedSender<Command>,
    task: Option<JoinHandle<Result<RunReport, RunError>>>,
    detached: bool,
}

impl RunHandle {
    pub(super) fn new(
        run: RunId,
        plan: Arc<Plan>,
        commands: mpsc::UnboundedSender<Command>,
        task: JoinHandle<Result<RunReport, RunError>>,
    ) -> Self {
        Self {
            run,
            plan,
            commands,
            task: Some(task),
            detached: false,
        }
    }

    /// The run's id.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.run
    }

    /// The jobs of the run.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// A cheap handle that can steer the run from elsewhere, such as a signal handler.
    #[must_use]
    pub fn control(&self) -> RunControl {
        RunControl {
            plan: Arc::clone(&self.plan),
            commands: self.commands.clone(),
        }
    }

    /// Waits for the end of the run.
    pub async fn wait(mut self) -> Result<RunReport, RunError> {
        let Some(task) = &mut self.task else {
            return Err(RunError::new(RunErrorKind::Internal, "the run has no task"));
        };
        // Borrowed, not taken: if this future is dropped the handle still cancels the run.
        let result = task.await;
        self.task = None;
        result.unwrap_or_else(|error| {
            Err(RunError::new(
                RunErrorKind::Internal,
                format!("the engine panicked: {error}"),
            ))
        })
    }

    /// Lets the run go on without its handle.
    pub fn detach(mut self) {
        self.detached = true;
    }
}

impl Drop for RunHandle {
    fn drop(&mut self) {
        if !self.detached && self.task.is_some() {
            self.control().cancel(CancelReason::Requested);
        }
    }
}

/// Steers a run.
#[derive(Debug, Clone)]
pub struct RunControl {
    plan: Arc<Plan>,
    commands: mpsc::UnboundedSender<Command>,
}

impl RunControl {
    /// Stops the run: what has not begun will not, what runs is stopped, teardown jobs still run.
    pub fn cancel(&self, reason: CancelReason) {
        let _ = self.commands.send(Command::Stop {
            stop: Stop::Cancel(reason),
            teardown_too: false,
        });
    }

    /// Stops the run with its teardown jobs.
    pub fn cancel_with_teardown(&self, reason: CancelReason) {
        let _ = self.commands.send(Command::Stop {
            stop: Stop::Cancel(reason),
            teardown_too: true,
        });
    }

    /// Stops one job. False if the run has no such job.
    pub fn cancel_job(&self, job: &str, reason: CancelReason) -> bool {
        self.plan.find(job).is_some_and(|job| {
            self.commands
                .send(Command::StopJob {
                    job,
                    stop: Stop::Cancel(reason),
                })
                .is_ok()
        })
    }

    /// Decides about a held job. False if the run has no such job.
    pub fn decide(&self, job: &str, approved: bool, by: impl Into<String>) -> bool {
        self.plan.find(job).is_some_and(|job| {
            self.commands
                .send(Command::Decide {
                    job,
                    approved,
                    by: by.into(),
                })
                .is_ok()
        })
    }

    /// Lets a held job go on. False if the run has no such job.
    pub fn approve(&self, job: &str, by: impl Into<String>) -> bool {
        self.decide(job, true, by)
    }
}
