//! A run that goes on after its process died cleans up on its executors: one that is absent matters only
//! to a run that has jobs there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use ci_core::executor::{
    Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapReport, ReapScope,
};
use ci_core::id::RunId;
use ci_core::run::{RunOptions, resume};
use ci_core::session::Session;

use crate::hooked::{Hook, Hooked};
use crate::kit::{Stage, job, workflow};

/// An executor whose engine does not answer.
#[derive(Default)]
struct Absent {
    settled: AtomicUsize,
}

fn nobody_answers() -> ExecutorError {
    ExecutorError::new(ExecutorErrorKind::Other, "nobody answers")
}

#[async_trait]
impl Executor for Absent {
    fn name(&self) -> &'static str {
        "absent"
    }

    async fn prepare(&self, _: PrepareRequest<'_>) -> Result<Box<dyn Session>, ExecutorError> {
        Err(nobody_answers())
    }

    async fn settle(&self, _: RunId) -> Result<ReapReport, ExecutorError> {
        self.settled.fetch_add(1, Ordering::Relaxed);
        let mut report = ReapReport::default();
        report.left.push("a thing".to_owned());
        Ok(report)
    }

    async fn reap(&self, _: &ReapScope) -> Result<ReapReport, ExecutorError> {
        Err(nobody_answers())
    }
}

/// Has a run die at its sixth event, and goes on with it. Gives the error of that, or the warnings.
async fn goes_on(second: Option<&str>, absent: &Arc<Absent>) -> Result<Vec<String>, String> {
    let store = Hooked::new(5, Hook::Fail);
    let stage = Stage::new();
    let clock = stage.clock.clone();
    let mut later = job("later").needs("first");
    if let Some(executor) = second {
        later = later.executor(executor);
    }
    let with = |absent: &Arc<Absent>| {
        let absent = Arc::clone(absent);
        move |options: RunOptions| options.executor(absent)
    };
    let (kept, also) = (Arc::clone(&store), with(absent));
    let going = stage.start_with(workflow([job("first"), later]), |options| {
        also(options).store(kept)
    });
    let going = going.await;
    let run = going.handle.id();
    going.fail().await;

    let store = Arc::into_inner(store).expect("nobody else has it").kept;
    let (executor, _mock) = ci_core::testing::MockExecutor::new();
    let options = RunOptions::new().clock(clock).executor(executor);
    let options = with(absent)(options).store(Arc::new(store));
    let handle = resume(run, options)
        .await
        .map_err(|error| error.to_string())?;
    let report = handle.wait().await.map_err(|error| error.to_string())?;
    assert!(report.is_success(), "{report:?}");
    Ok(report.warnings)
}

#[tokio::test(start_paused = true)]
async fn an_absent_executor_without_jobs_does_not_end_a_resumed_run() {
    let absent = Arc::new(Absent::default());
    let warnings = goes_on(None, &absent).await.expect("goes on");
    // Every run that comes to its end waits for what is left, and tells it.
    assert_eq!(warnings, ["`absent` could not remove a thing"]);
    assert_eq!(absent.settled.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_fails_where_jobs_run_ends_a_resumed_run() {
    let error = goes_on(Some("absent"), &Arc::default()).await.unwrap_err();
    assert!(error.contains("nobody answers"), "{error}");
}
