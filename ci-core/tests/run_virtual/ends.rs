//! What the failure of a job means for the others and for the run.

use ci_core::job::{AllowFailure, JobSpec, Need};
use ci_core::outcome::{CancelReason, Outcome, OutcomeKind};

use crate::kit::{Stage, job, secs, workflow};

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_allowed_counts_as_success() {
    for (allow, exit, allowed) in [
        (AllowFailure::Never, 1, false),
        (AllowFailure::Always, 1, true),
        (AllowFailure::ExitCodes(vec![3, 137]), 137, true),
        (AllowFailure::ExitCodes(vec![3, 137]), 1, false),
    ] {
        let jobs = [
            job("lint").allow_failure(allow.clone()),
            job("after").needs("lint"),
        ];
        let ran = Stage::new()
            .takes("lint", 10, exit)
            .run(workflow(jobs))
            .await;
        let lint = ran.report.job("lint").unwrap();
        // What happened is not hidden.
        assert_eq!(lint.outcome, Outcome::from_exit_code(exit), "{allow:?}");
        assert_eq!(lint.allowed, allowed, "{allow:?}");
        assert_eq!(ran.report.is_success(), allowed, "{allow:?}");
        let after = if allowed {
            OutcomeKind::Success
        } else {
            OutcomeKind::NotRun
        };
        assert_eq!(ran.outcome_of("after").kind(), after, "{allow:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_allowed_exit_code_is_no_time_out() {
    let stage = Stage::new();
    stage.mock.on("lint").hang_until_canceled();
    let lint = job("lint")
        .allow_failure(AllowFailure::ExitCodes(vec![1]))
        .timeout(secs(10));
    let ran = stage.run(workflow([lint])).await;
    assert_eq!(ran.report.outcome, OutcomeKind::Failed);
}

#[tokio::test(start_paused = true)]
async fn dependencies_choose_the_outcomes_they_accept() {
    let jobs = [
        job("test"),
        job("report").needs(Need::any("test")),
        job("mourn").needs(Need::outcomes("test", &[OutcomeKind::Failed])),
        job("ship").needs("test"),
    ];
    let ran = Stage::new().takes("test", 10, 1).run(workflow(jobs)).await;
    assert_eq!(ran.order(), ["test", "report", "mourn"]);
    let words = ran.outcome_of("ship").reason().unwrap();
    assert_eq!(words, "`test` ended as failed, and this needs success");
}

/// `broken` fails at 10 s while `long` runs and `waiting` has no slot; `late` needs `long`.
fn jobs() -> [JobSpec; 4] {
    [
        job("broken"),
        job("long"),
        job("waiting"),
        job("late").needs("long"),
    ]
}

fn stage() -> Stage {
    let stage = Stage::new().takes("broken", 10, 1).takes("long", 100, 0);
    stage.takes("waiting", 100, 0)
}

#[tokio::test(start_paused = true)]
async fn others_go_on_after_a_failure() {
    let ran = stage()
        .run_with(workflow(jobs()), |options| options.slots(2))
        .await;
    for name in ["long", "waiting", "late"] {
        assert_eq!(ran.outcome_of(name), &Outcome::Success, "{name}");
    }
    assert_eq!(
        (ran.starts("waiting"), ran.report.duration),
        (vec![10.0], secs(110))
    );
    assert_eq!(ran.report.outcome, OutcomeKind::Failed);
}

#[tokio::test(start_paused = true)]
async fn fail_fast_stops_the_others_at_once() {
    // `long` is on the longest path and goes first; the other slot is for `broken`.
    let flow = workflow(jobs()).fail_fast();
    let ran = stage().run_with(flow, |options| options.slots(2)).await;
    for name in ["long", "waiting", "late"] {
        let canceled = Outcome::Canceled(CancelReason::FailFast);
        assert_eq!(ran.outcome_of(name), &canceled, "{name}");
    }
    assert_eq!(ran.order(), ["long", "broken"]);
    assert_eq!(
        (ran.report.outcome, ran.report.duration),
        (OutcomeKind::Failed, secs(10))
    );
}

#[tokio::test(start_paused = true)]
async fn fail_fast_does_not_mind_an_allowed_failure() {
    let [broken, rest @ ..] = jobs();
    let broken = broken.allow_failure(AllowFailure::Always);
    let flow = workflow(std::iter::once(broken).chain(rest)).fail_fast();
    let ran = stage().run(flow).await;
    assert!(ran.report.is_success());
}
