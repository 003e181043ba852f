//! What the tests share: a run on a mock executor, and its events with the seconds since its start.

use std::sync::Arc;
use std::time::Duration;

use ci_core::clock::{Clock, Timestamp};
use ci_core::event::{Collect, CollectHandle, EventRecord, RunEvent};
use ci_core::job::JobSpec;
use ci_core::outcome::Outcome;
use ci_core::run::{RunError, RunHandle, RunOptions, RunReport, start};
use ci_core::testing::{MockExecutor, MockHandle, virtual_clock};
use ci_core::workflow::{WorkflowBuilder, WorkflowSpec};

pub(crate) fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A job of one command.
pub(crate) fn job(name: &str) -> JobSpec {
    JobSpec::new(name).run("work")
}

pub(crate) fn workflow(jobs: impl IntoIterator<Item = JobSpec>) -> WorkflowBuilder {
    WorkflowSpec::builder("test").jobs(jobs)
}

/// A mock executor with its handle, a clock and somebody who watches: what a run needs.
pub(crate) struct Stage {
    pub(crate) mock: MockHandle,
    pub(crate) clock: Clock,
    executor: MockExecutor,
}

/// A run that goes on.
pub(crate) struct Going {
    pub(crate) handle: RunHandle,
    pub(crate) mock: MockHandle,
    pub(crate) clock: Clock,
    events: CollectHandle,
    began: Timestamp,
}

/// A run that ended.
pub(crate) struct Ran {
    pub(crate) report: RunReport,
    pub(crate) records: Vec<EventRecord>,
    pub(crate) mock: MockHandle,
    began: Timestamp,
}

impl Stage {
    /// A stage on which every command succeeds at once.
    pub(crate) fn new() -> Self {
        let (executor, mock) = MockExecutor::new();
        Self {
            mock,
            clock: virtual_clock(),
            executor,
        }
    }

    /// Another stage of the same time.
    pub(crate) fn beside(other: &Clock) -> Self {
        Self {
            clock: other.clone(),
            ..Self::new()
        }
    }

    /// Changes the executor.
    pub(crate) fn executor(mut self, change: impl FnOnce(MockExecutor) -> MockExecutor) -> Self {
        self.executor = change(self.executor);
        self
    }

    /// The commands of a job take so long, and end with this exit code.
    pub(crate) fn takes(self, job: &str, seconds: u64, exit: i32) -> Self {
        self.mock.on(job).after(secs(seconds)).exit(exit);
        self
    }

    /// Starts a run with four slots.
    pub(crate) async fn start(self, workflow: WorkflowBuilder) -> Going {
        self.start_with(workflow, |options| options).await
    }

    /// Starts a run with other options.
    pub(crate) async fn start_with(
        self,
        workflow: WorkflowBuilder,
        change: impl FnOnce(RunOptions) -> RunOptions,
    ) -> Going {
        let workflow = Arc::new(workflow.build().expect("a valid workflow"));
        self.begin(change, async |options| {
            start(workflow, options).await.expect("begins")
        })
        .await
    }

    /// Begins a run in another way, such as resuming one.
    pub(crate) async fn begin(
        self,
        change: impl FnOnce(RunOptions) -> RunOptions,
        enter: impl AsyncFnOnce(RunOptions) -> RunHandle,
    ) -> Going {
        let (sink, events) = Collect::new();
        let options = RunOptions::new()
            .slots(4)
            .clock(self.clock.clone())
            .executor(self.executor)
            .sink(sink);
        let began = self.clock.wall();
        Going {
            handle: enter(change(options)).await,
            mock: self.mock,
            clock: self.clock,
            events,
            began,
        }
    }

    /// Runs to the end with four slots.
    pub(crate) async fn run(self, workflow: WorkflowBuilder) -> Ran {
        self.start(workflow).await.end().await
    }

    /// Runs to the end with other options.
    pub(crate) async fn run_with(
        self,
        workflow: WorkflowBuilder,
        change: impl FnOnce(RunOptions) -> RunOptions,
    ) -> Ran {
        self.start_with(workflow, change).await.end().await
    }
}

async fn wait(handle: RunHandle, mock: &MockHandle) -> Result<RunReport, RunError> {
    let ended = tokio::time::timeout(Duration::from_hours(1000), handle.wait()).await;
    mock.assert_all_torn_down();
    assert_eq!(mock.running(), 0, "commands run after the end");
    ended.expect("the run ends")
}

impl Going {
    /// Waits for the end, and makes sure that nothing is left: no command runs, and every session was
    /// torn down once.
    pub(crate) async fn end(self) -> Ran {
        let (mock, events, began) = (self.mock, self.events, self.began);
        let report = wait(self.handle, &mock).await.expect("the engine works");
        Ran {
            report,
            records: events.records(),
            mock,
            began,
        }
    }

    /// Waits for the end of a run that cannot go on. Gives the error and what the sinks saw.
    pub(crate) async fn fail(self) -> (RunError, Vec<EventRecord>) {
        let error = wait(self.handle, &self.mock)
            .await
            .expect_err("it cannot go on");
        (error, self.events.records())
    }

    /// Lets time pass until so many seconds after the run's start.
    pub(crate) async fn until(&self, seconds: u64) {
        let passed = self.clock.wall().since(self.began);
        self.clock.sleep(secs(seconds).saturating_sub(passed)).await;
    }
}

impl Ran {
    pub(crate) fn outcome_of(&self, job: &str) -> &Outcome {
        &self.report.job(job).expect("a job of the run").outcome
    }

    /// How long after the run's start each event came that `wanted` likes.
    pub(crate) fn times(&self, wanted: impl Fn(&RunEvent) -> bool) -> Vec<Duration> {
        let found = self.records.iter().filter(|record| wanted(&record.event));
        found.map(|record| record.time.since(self.began)).collect()
    }

    /// When the attempts of a job began, in seconds.
    pub(crate) fn starts(&self, name: &str) -> Vec<f64> {
        let times =
            self.times(|event| matches!(event, RunEvent::JobStarted { job, .. } if **job == *name));
        times.iter().map(Duration::as_secs_f64).collect()
    }

    /// When a job ended for good, in seconds.
    #[track_caller]
    pub(crate) fn end_of(&self, name: &str) -> f64 {
        let times = self
            .times(|event| matches!(event, RunEvent::JobFinished { job, .. } if **job == *name));
        assert_eq!(times.len(), 1, "`{name}` ends once");
        times[0].as_secs_f64()
    }

    /// The jobs in the order in which they started.
    pub(crate) fn order(&self) -> Vec<&str> {
        let started = self
            .records
            .iter()
            .filter_map(|record| match &record.event {
                RunEvent::JobStarted { job, .. } => Some(&**job),
                _ => None,
            });
        started.collect()
    }
}
