//! A run that repeats another which somebody removes meanwhile: an error, and no job without the files
//! that it needs.
#![cfg(feature = "storage")]

use std::sync::Arc;

use ci_core::outcome::{Outcome, OutcomeKind};
use ci_core::run::{RunError, RunErrorKind, RunReport, rerun};
use ci_core::storage::Storage;

use crate::hooked::{Hook, Hooked};
use crate::kit::{Going, Stage, job, workflow};

/// A run whose second job fails, and what becomes of its repetition.
async fn again(hook: Hook) -> Result<RunReport, RunError> {
    let temp = tempfile::tempdir().unwrap();
    let storage = Arc::new(Storage::open(temp.path()).unwrap());
    let store = Hooked::new(usize::MAX, hook);
    let stage = Stage::new().takes("second", 1, 1);
    let clock = stage.clock.clone();
    let (kept, files) = (Arc::clone(&store), Arc::clone(&storage));
    let flow = workflow([job("first"), job("second").needs("first")]);
    let going = stage.start_with(flow, |options| options.store(kept).storage(files));
    let ran = going.await.end().await;
    assert_eq!(ran.report.outcome, OutcomeKind::Failed);
    let run = ran.report.run;
    let again = Stage::beside(&clock).begin(
        |options| options.store(store).storage(storage),
        async |options| rerun(run, options).await.expect("begins"),
    );
    let Going { handle, mock, .. } = again.await;
    let ended = handle.wait().await;
    if ended.is_err() {
        assert_eq!(mock.calls().len(), 0, "a job ran without its files");
    }
    ended
}

#[tokio::test(start_paused = true)]
async fn what_succeeded_is_taken_over() {
    let fails_never = Hook::Fail;
    let report = again(fails_never).await.expect("goes to its end");
    assert!(report.is_success());
    assert_eq!(report.job("first").unwrap().outcome, Outcome::Success);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_removed_while_it_is_repeated_is_an_error() {
    let error = again(Hook::Forget).await.expect_err("it is gone");
    assert_eq!(error.kind(), RunErrorKind::NotFound);
    let words = error.to_string();
    assert!(words.contains("was removed while"), "{words}");
    assert!(!error.hints().is_empty());
}
