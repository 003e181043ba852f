//! When jobs start: at once, delayed, or when somebody says so.

use ci_core::clock::Timestamp;
use ci_core::event::RunEvent;
use ci_core::job::{JobSpec, Start};
use ci_core::outcome::{CancelReason, Outcome, OutcomeKind};

use crate::kit::{Stage, job, secs, workflow};

/// A manual job that the run does not wait for.
fn optional(job: JobSpec) -> JobSpec {
    job.with(|options| {
        options.start = Start::Manual {
            prompt: None,
            optional: true,
            deadline: None,
        };
    })
}

#[tokio::test(start_paused = true)]
async fn a_job_starts_the_moment_its_own_dependencies_allow_it() {
    let jobs = [
        job("a"),
        job("b"),
        job("after-a").needs("a"),
        job("after-both").needs("a").needs("b"),
    ];
    let stage = Stage::new().takes("a", 10, 0).takes("b", 50, 0);
    let ran = stage.takes("after-a", 5, 0).run(workflow(jobs)).await;
    assert_eq!(ran.starts("after-a"), [10.0]);
    assert_eq!(ran.starts("after-both"), [50.0]);
    assert_eq!(ran.report.duration, secs(50));
}

#[tokio::test(start_paused = true)]
async fn a_delay_counts_from_when_the_dependencies_allow_it() {
    let jobs = [
        job("build"),
        job("roll-out").needs("build").delayed(secs(90)),
        job("other"),
    ];
    let stage = Stage::new().takes("build", 30, 0).takes("other", 100, 0);
    // The delay holds no slot: `other` runs meanwhile on the only one.
    let ran = stage
        .run_with(workflow(jobs), |options| options.slots(1))
        .await;
    assert_eq!(ran.starts("other"), [30.0]);
    assert_eq!(ran.starts("roll-out"), [130.0]);
    let began = ran.records[0].time;
    let until: Vec<Timestamp> = ran
        .records
        .iter()
        .filter_map(|record| match &record.event {
            RunEvent::JobDelayed { until, .. } => Some(*until),
            _ => None,
        })
        .collect();
    assert_eq!(until, [Timestamp::from_millis(began.as_millis() + 120_000)]);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_job_of_a_canceled_run_does_not_start() {
    let going = Stage::new()
        .start(workflow([job("later").delayed(secs(90))]))
        .await;
    going.until(10).await;
    going.handle.control().cancel(CancelReason::Requested);
    let ran = going.end().await;
    assert_eq!(
        ran.outcome_of("later"),
        &Outcome::Canceled(CancelReason::Requested)
    );
    assert_eq!((ran.end_of("later"), ran.report.duration), (10.0, secs(10)));
}

#[tokio::test(start_paused = true)]
async fn a_manual_job_waits_until_somebody_starts_it() {
    let jobs = [
        job("build"),
        job("deploy").needs("build").manual("ship?"),
        job("after").needs("deploy"),
    ];
    let going = Stage::new()
        .takes("build", 10, 0)
        .start(workflow(jobs))
        .await;
    going.until(3600).await;
    assert!(going.handle.control().approve("deploy", "ada"));
    assert!(!going.handle.control().approve("nothing", "ada"));
    let ran = going.end().await;
    assert_eq!(
        (ran.starts("deploy"), ran.starts("after")),
        (vec![3600.0], vec![3600.0])
    );
    let told: Vec<_> = ran
        .records
        .iter()
        .filter_map(|record| match &record.event {
            RunEvent::JobHeld { job, prompt } => Some(format!("{job}: {prompt:?}")),
            RunEvent::JobApproved { job, approved, by } => Some(format!("{job}: {approved} {by}")),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["deploy: Some(\"ship?\")", "deploy: true ada"]);
    assert!(ran.report.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_decision_may_come_before_the_job_is_held() {
    let jobs = [job("build"), job("deploy").needs("build").manual("ship?")];
    let going = Stage::new()
        .takes("build", 10, 0)
        .start(workflow(jobs))
        .await;
    going.until(5).await;
    going.handle.control().approve("deploy", "ada");
    let ran = going.end().await;
    assert_eq!(ran.starts("deploy"), [10.0]);
}

#[tokio::test(start_paused = true)]
async fn a_manual_job_that_is_refused_is_canceled() {
    let jobs = [
        job("deploy").manual("ship?"),
        job("after").needs("deploy"),
        job("other"),
    ];
    let going = Stage::new().start(workflow(jobs)).await;
    going.until(30).await;
    going.handle.control().decide("deploy", false, "ada");
    let ran = going.end().await;
    assert_eq!(
        ran.outcome_of("deploy"),
        &Outcome::Canceled(CancelReason::Rejected)
    );
    assert_eq!(ran.outcome_of("after").kind(), OutcomeKind::NotRun);
    assert_eq!(ran.outcome_of("other"), &Outcome::Success);
    assert_eq!(ran.report.outcome, OutcomeKind::Canceled);
    assert_eq!(ran.mock.commands_of("deploy"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn nobody_has_to_start_an_optional_manual_job() {
    let jobs = || [job("build"), optional(job("publish"))];
    let ran = Stage::new()
        .takes("build", 10, 0)
        .run(workflow(jobs()))
        .await;
    assert_eq!(ran.outcome_of("publish").kind(), OutcomeKind::Skipped);
    assert_eq!(
        (ran.report.outcome, ran.report.duration),
        (OutcomeKind::Success, secs(10))
    );
    // But while the run lasts it may be started.
    let stage = Stage::new().takes("build", 10, 0).takes("publish", 20, 0);
    let going = stage.start(workflow(jobs())).await;
    going.until(5).await;
    going.handle.control().approve("publish", "ada");
    let ran = going.end().await;
    assert_eq!(
        (ran.starts("publish"), ran.end_of("publish")),
        (vec![5.0], 25.0)
    );
}
