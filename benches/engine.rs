//! The engine under measurement: workflows of steps that do nothing, on two worker threads.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ci_core::event::NullSink;
use ci_core::job::JobSpec;
use ci_core::run::{RunOptions, run};
use ci_core::step::{StepSpec, step_fn};
use ci_core::workflow::WorkflowSpec;
use tokio::runtime::{Builder, Runtime};

use crate::Error;
use crate::graph::Graph;

/// How many worker threads and slots everything is measured with.
pub const WORKERS: usize = 2;

/// A runtime with [`WORKERS`] threads.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime() -> Result<Runtime, Error> {
    let mut builder = Builder::new_multi_thread();
    Ok(builder.worker_threads(WORKERS).enable_all().build()?)
}

/// Runs a future on one of the workers, where a program would run it, and waits for it.
///
/// # Errors
/// That of the future, or that it panicked.
pub fn on_worker<T: Send + 'static>(
    runtime: &Runtime,
    future: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    runtime.block_on(runtime.spawn(future))?
}

/// A workflow with a job for each node, whose one step is code that does nothing.
///
/// # Errors
/// When the engine refuses the workflow.
pub fn workflow(graph: &Graph) -> Result<WorkflowSpec, Error> {
    let step = step_fn("nothing", |_| async { Ok::<_, Infallible>(()) });
    let steps: Arc<[StepSpec]> = Arc::from([StepSpec::code(step)]);
    let job = |(node, needs): (usize, &Vec<usize>)| {
        JobSpec::new(name(node))
            .steps(Arc::clone(&steps))
            .needs_all(needs.iter().copied().map(name))
    };
    let builder = WorkflowSpec::builder("measured");
    Ok(builder.jobs(graph.iter().enumerate().map(job)).build()?)
}

fn name(node: usize) -> String {
    format!("j{node}")
}

/// The options that scheduling is measured with: [`WORKERS`] slots, and a sink that wants nothing.
pub fn options() -> RunOptions {
    RunOptions::new().slots(WORKERS).sink(NullSink)
}

/// The time that an engine took to make what it runs of a description, and to run it.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Until everything was there that running needs; each run pays it.
    pub build: Duration,
    /// From then to the end.
    pub run: Duration,
}

impl Times {
    /// Both together.
    #[must_use]
    pub fn whole(self) -> Duration {
        self.build + self.run
    }
}

/// Runs a workflow, planning included, and gives how long it took.
///
/// # Errors
/// When the engine fails or a job does.
pub async fn timed_run(
    workflow: Arc<WorkflowSpec>,
    options: RunOptions,
) -> Result<Duration, Error> {
    Ok(planned_run(workflow, options).await?.whole())
}

/// Plans and runs a workflow, and gives how long each took.
///
/// # Errors
/// When the engine fails or a job does.
pub async fn planned_run(workflow: Arc<WorkflowSpec>, options: RunOptions) -> Result<Times, Error> {
    let begun = Instant::now();
    let report = run(&*workflow, options).await?;
    let whole = begun.elapsed();
    if report.is_success() {
        let run = report.duration;
        let build = whole.saturating_sub(run);
        Ok(Times { build, run })
    } else {
        Err(format!("the run ended as {:?}", report.outcome).into())
    }
}
