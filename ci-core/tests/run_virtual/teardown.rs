//! Teardown: of jobs after failures and cancellations, and of sessions exactly once, whatever happens.
//!
//! That every session was torn down once and nothing runs is checked at the end of each run by the kit.

use ci_core::executor::ExecutorErrorKind;
use ci_core::job::JobSpec;
use ci_core::outcome::{CancelReason, Outcome, OutcomeKind};
use ci_core::session::SessionErrorKind;
use ci_core::step::{StepSpec, StepWhen, step_fn};
use ci_core::testing::MockCall;

use crate::kit::{Ran, Stage, job, secs, workflow};

fn teardowns(ran: &Ran) -> usize {
    let calls = ran.mock.calls();
    let torn = calls
        .iter()
        .filter(|call| matches!(call, MockCall::TornDown { .. }));
    torn.count()
}

/// `test` runs, then `ship`, and `clean` whatever happens.
fn jobs() -> [JobSpec; 3] {
    [
        job("test"),
        job("ship").needs("test"),
        job("clean").needs("ship").always(),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_teardown_job_runs_after_a_failure() {
    let ran = Stage::new()
        .takes("test", 10, 1)
        .run(workflow(jobs()))
        .await;
    assert_eq!(ran.order(), ["test", "clean"]);
    assert_eq!(ran.starts("clean"), [10.0]);
    assert_eq!(ran.outcome_of("clean"), &Outcome::Success);
    assert_eq!(ran.report.outcome, OutcomeKind::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_teardown_job_runs_after_a_cancellation() {
    let stage = Stage::new().takes("test", 100, 0).takes("clean", 30, 0);
    let going = stage.start(workflow(jobs())).await;
    going.until(20).await;
    going.handle.control().cancel(CancelReason::Requested);
    let ran = going.end().await;
    assert_eq!(ran.end_of("test"), 20.0);
    assert_eq!(
        ran.outcome_of("ship"),
        &Outcome::Canceled(CancelReason::Requested)
    );
    assert_eq!(
        (ran.outcome_of("clean"), ran.end_of("clean")),
        (&Outcome::Success, 50.0)
    );
    assert_eq!(ran.report.outcome, OutcomeKind::Canceled);
}

#[tokio::test(start_paused = true)]
async fn a_second_cancellation_may_stop_teardown_too() {
    let stage = Stage::new().takes("test", 100, 0).takes("clean", 30, 0);
    let going = stage.start(workflow(jobs())).await;
    going.until(20).await;
    going.handle.control().cancel(CancelReason::Requested);
    going.until(25).await;
    going
        .handle
        .control()
        .cancel_with_teardown(CancelReason::Requested);
    let ran = going.end().await;
    assert_eq!(ran.end_of("clean"), 25.0);
    assert_eq!(teardowns(&ran), 2);
}

#[tokio::test(start_paused = true)]
async fn steps_that_always_run_do_so_after_a_cancellation_with_time_of_their_own() {
    let always = |script: &str| StepSpec::run(script).when(StepWhen::Always);
    let on_fail = StepSpec::run("explain").when(StepWhen::OnFail);
    let test = JobSpec::new("test")
        .run("work")
        .step(on_fail)
        .step(always("save"))
        .step(always("more"));
    let stage = Stage::new();
    stage.mock.on("test").script("work").hang_until_canceled();
    stage.mock.on("test").script("more").hang_until_canceled();
    let stage = stage.takes("test", 40, 0);
    let flow = workflow([test]);
    let going = stage
        .start_with(flow, |options| options.teardown_limit(secs(60)))
        .await;
    going.until(20).await;
    going.handle.control().cancel(CancelReason::Requested);
    let ran = going.end().await;
    assert_eq!(ran.mock.commands_of("test"), ["work", "save", "more"]);
    assert_eq!(
        ran.outcome_of("test"),
        &Outcome::Canceled(CancelReason::Requested)
    );
    assert_eq!((ran.end_of("test"), teardowns(&ran)), (80.0, 1));
}

#[tokio::test(start_paused = true)]
async fn one_job_can_be_canceled() {
    let jobs = [job("a"), job("b"), job("after").needs("a")];
    let stage = Stage::new().takes("a", 100, 0).takes("b", 100, 0);
    let going = stage.start(workflow(jobs)).await;
    going.until(30).await;
    assert!(
        going
            .handle
            .control()
            .cancel_job("a", CancelReason::Requested)
    );
    assert!(
        !going
            .handle
            .control()
            .cancel_job("z", CancelReason::Requested)
    );
    let ran = going.end().await;
    assert_eq!(
        ran.outcome_of("a"),
        &Outcome::Canceled(CancelReason::Requested)
    );
    assert_eq!((ran.end_of("a"), ran.end_of("b")), (30.0, 100.0));
    assert_eq!(ran.outcome_of("after").kind(), OutcomeKind::NotRun);
    assert_eq!(teardowns(&ran), 2);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_panics_fails_its_job_and_no_other() {
    let stage = Stage::new();
    stage.mock.on("bad").panic();
    let code = step_fn("code", |_| async {
        let nothing: Option<u8> = None;
        assert!(nothing.is_some(), "a bug in a step");
        Ok::<_, std::io::Error>(())
    });
    let jobs = [
        job("bad"),
        JobSpec::new("code").run("work").step(StepSpec::code(code)),
        job("good"),
    ];
    let ran = stage.run(workflow(jobs)).await;
    let words = |name: &str| ran.outcome_of(name).reason().unwrap();
    assert_eq!(
        words("bad"),
        "the step panicked: the test asked for this panic"
    );
    assert_eq!(words("code"), "the step panicked: a bug in a step");
    assert_eq!(ran.outcome_of("good"), &Outcome::Success);
    assert_eq!(
        (ran.report.outcome, teardowns(&ran)),
        (OutcomeKind::Failed, 3)
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_cannot_be_prepared_is_an_infrastructure_failure() {
    let stage = Stage::new();
    stage
        .mock
        .on("test")
        .prepare_fails(ExecutorErrorKind::Capacity);
    let ran = stage.run(workflow(jobs())).await;
    let outcome = ran.outcome_of("test");
    assert_eq!(outcome.kind(), OutcomeKind::InfrastructureFailure);
    let words = "`mock` could not prepare the job: the test asked for this error";
    assert_eq!(outcome.reason().unwrap(), words);
    assert_eq!(ran.mock.prepared(), ["clean"]);
}

#[tokio::test(start_paused = true)]
async fn trouble_in_a_teardown_is_a_warning() {
    let stage = Stage::new();
    stage
        .mock
        .on("test")
        .teardown_fails(SessionErrorKind::Other);
    stage.mock.on("ship").teardown_takes(secs(1000));
    let flow = workflow(jobs());
    let ran = stage
        .run_with(flow, |options| options.teardown_limit(secs(60)))
        .await;
    assert!(ran.report.is_success());
    let expected = [
        "test: tearing down failed: the test asked for this error",
        "ship: tearing down failed: it took longer than 60 s",
    ];
    assert_eq!(ran.report.warnings, expected);
    assert_eq!(ran.end_of("ship"), 60.0);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_handle_cancels_the_run() {
    let going = Stage::new()
        .takes("test", 100, 0)
        .start(workflow(jobs()))
        .await;
    going.until(10).await;
    let (mock, clock) = (going.mock, going.clock);
    drop(going.handle);
    clock.sleep(secs(1)).await;
    assert_eq!(mock.running(), 0);
    assert_eq!(mock.prepared(), ["test", "clean"]);
    mock.assert_all_torn_down();
}
