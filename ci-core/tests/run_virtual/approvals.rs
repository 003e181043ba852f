//! Approvals with deadlines, and runs that end on hold.

use std::sync::Arc;
use std::time::Duration;

use ci_core::job::{JobSpec, Start};
use ci_core::outcome::{Outcome, OutcomeKind, TimeLimit};
use ci_core::run::{Hold, approve_fn, resume};
use ci_core::step::{Action, ApprovalSpec, StepSpec};
use ci_core::store::{MemoryStore, Request, RequestKind, RunStore};

use crate::kit::{Stage, job, secs, workflow};

fn held_until(job: JobSpec, limit: Duration) -> JobSpec {
    job.with(|options| {
        options.start = Start::Manual {
            prompt: None,
            optional: false,
            deadline: Some(limit),
        };
    })
}

fn approval(deadline: Option<Duration>) -> StepSpec {
    let mut spec = ApprovalSpec::default();
    spec.prompt = Some("ship?".into());
    spec.deadline = deadline;
    StepSpec::new(Action::Approval(spec))
}

#[tokio::test(start_paused = true)]
async fn a_held_job_times_out_at_its_deadline() {
    let jobs = [
        job("build"),
        held_until(job("deploy").needs("build"), secs(300)),
    ];
    let ran = Stage::new().takes("build", 10, 0).run(workflow(jobs)).await;
    assert_eq!(
        ran.outcome_of("deploy"),
        &Outcome::TimedOut(TimeLimit::Approval)
    );
    assert_eq!(ran.end_of("deploy"), 310.0);
    assert_eq!(ran.report.outcome, OutcomeKind::Failed);
    assert_eq!(ran.mock.prepared(), ["build"]);
}

#[tokio::test(start_paused = true)]
async fn a_decision_before_the_deadline_counts_and_the_deadline_no_more() {
    let deploy = held_until(job("deploy"), secs(300));
    let going = Stage::new()
        .takes("deploy", 600, 0)
        .start(workflow([deploy]))
        .await;
    going.until(299).await;
    going.handle.control().approve("deploy", "ada");
    let ran = going.end().await;
    assert_eq!(
        (ran.outcome_of("deploy"), ran.end_of("deploy")),
        (&Outcome::Success, 899.0)
    );
}

#[tokio::test(start_paused = true)]
async fn an_approver_decides_from_code() {
    let deploy = held_until(job("deploy"), secs(300));
    let ask = |answer: Option<bool>| {
        approve_fn(move |request| async move {
            assert_eq!(&*request.job, "deploy");
            tokio::time::sleep(secs(40)).await;
            answer
        })
    };
    for (answer, outcome, end) in [
        (Some(true), OutcomeKind::Success, 40.0),
        (Some(false), OutcomeKind::Canceled, 40.0),
        (None, OutcomeKind::TimedOut, 300.0),
    ] {
        let flow = workflow([deploy.clone()]);
        let ran = Stage::new()
            .run_with(flow, |options| options.approver(ask(answer)))
            .await;
        assert_eq!(
            (ran.outcome_of("deploy").kind(), ran.end_of("deploy")),
            (outcome, end)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_waits_gives_its_slot_to_others() {
    let jobs = [
        JobSpec::new("deploy")
            .run("plan")
            .step(approval(None))
            .run("apply")
            .priority(1),
        job("other"),
    ];
    let stage = Stage::new().takes("deploy", 10, 0).takes("other", 30, 0);
    let going = stage
        .start_with(workflow(jobs), |options| options.slots(1))
        .await;
    going.until(100).await;
    going.handle.control().approve("deploy", "ada");
    let ran = going.end().await;
    assert_eq!(
        (ran.starts("other"), ran.end_of("other")),
        (vec![10.0], 40.0)
    );
    assert_eq!(ran.end_of("deploy"), 110.0);
    // One session through the whole wait.
    assert_eq!(ran.mock.prepared(), ["deploy", "other"]);
}

#[tokio::test(start_paused = true)]
async fn a_decision_may_come_before_a_step_asks_and_counts_once() {
    let deploy = JobSpec::new("deploy")
        .run("plan")
        .step(approval(None))
        .step(approval(Some(secs(60))))
        .run("apply");
    let going = Stage::new()
        .takes("deploy", 10, 0)
        .start(workflow([deploy]))
        .await;
    going.until(5).await;
    going.handle.control().approve("deploy", "ada");
    let ran = going.end().await;
    assert_eq!(
        ran.outcome_of("deploy"),
        &Outcome::TimedOut(TimeLimit::Approval)
    );
    assert_eq!(ran.end_of("deploy"), 70.0);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_waits_times_out_at_its_deadline() {
    let deploy = JobSpec::new("deploy")
        .step(approval(Some(secs(120))))
        .run("apply");
    let ran = Stage::new().run(workflow([deploy])).await;
    assert_eq!(
        ran.outcome_of("deploy"),
        &Outcome::TimedOut(TimeLimit::Approval)
    );
    assert_eq!(ran.end_of("deploy"), 120.0);
    assert_eq!(ran.mock.commands_of("deploy"), [""; 0]);
}

/// A run that ends on hold at 30 s because of `deploy`, and goes on after the decision.
async fn goes_on_after_hold(deploy: JobSpec, approved: bool) -> crate::kit::Ran {
    let store = Arc::new(MemoryStore::new());
    let jobs = [
        job("build"),
        deploy.needs("build"),
        job("after").needs("deploy"),
        // It waits for more than the held job, and would accept any end of it.
        job("clean").needs("deploy").needs("other").always(),
        job("other"),
    ];
    let stage = Stage::new().takes("build", 10, 0).takes("other", 30, 0);
    let clock = stage.clock.clone();
    let ran = stage
        .run_with(workflow(jobs), |options| {
            options.hold(Hold::Finish).store(Arc::clone(&store) as _)
        })
        .await;
    assert_eq!(
        (ran.report.outcome, ran.report.duration),
        (OutcomeKind::OnHold, secs(30))
    );
    assert_eq!(ran.outcome_of("deploy"), &Outcome::OnHold);
    assert_eq!(ran.outcome_of("other"), &Outcome::Success);
    let run = ran.report.run;
    let stored = store.load(run).await.unwrap().summary;
    assert_eq!(
        (stored.outcome, stored.active),
        (Some(OutcomeKind::OnHold), false)
    );
    // The decision comes while no process drives the run.
    let kind = RequestKind::Approve {
        job: "deploy".to_owned(),
        approved,
    };
    let by = "ada".to_owned();
    store.request(Request { run, kind, by }).await.unwrap();
    let again = Stage::beside(&clock);
    let change = |options: ci_core::run::RunOptions| {
        options.hold(Hold::Finish).store(Arc::clone(&store) as _)
    };
    let going = again
        .begin(change, async |options| {
            resume(run, options).await.expect("resumes")
        })
        .await;
    going.end().await
}

#[tokio::test(start_paused = true)]
async fn a_run_on_hold_goes_on_after_the_decision() {
    let ran = goes_on_after_hold(job("deploy").manual("ship?"), true).await;
    assert_eq!(ran.report.outcome, OutcomeKind::Success);
    // What had ended did not run again.
    assert_eq!(ran.mock.prepared(), ["deploy", "after", "clean"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_on_hold_ends_after_a_refusal() {
    let ran = goes_on_after_hold(job("deploy").manual("ship?"), false).await;
    assert_eq!(ran.report.outcome, OutcomeKind::Canceled);
    assert_eq!(ran.mock.prepared(), ["clean"]);
}

#[tokio::test(start_paused = true)]
async fn a_step_on_hold_goes_on_after_the_decision() {
    let deploy = || JobSpec::new("deploy").step(approval(None)).run("apply");
    let ran = goes_on_after_hold(deploy(), true).await;
    assert_eq!(ran.report.outcome, OutcomeKind::Success);
    assert_eq!(ran.mock.commands_of("deploy"), ["apply"]);
    assert_eq!(ran.mock.prepared(), ["deploy", "after", "clean"]);
    let ran = goes_on_after_hold(deploy(), false).await;
    assert_eq!(ran.report.outcome, OutcomeKind::Canceled);
}
