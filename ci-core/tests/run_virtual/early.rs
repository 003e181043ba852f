//! A job that was ready long before begins while the former's end is still on its way to the disk; what
//! depends on that end does not, and nobody sees anything before it is kept.

use std::sync::Arc;

use ci_core::event::{EventRecord, RunEvent};
use ci_core::outcome::Outcome;

use crate::hooked::{Hook, Hooked};
use crate::kit::{Going, Stage, job, secs, workflow};

/// A run with one slot of `a`, `b` and `c`, which needs `a`. A commit takes ten seconds: the run is known
/// after ten, and `a` starts after twenty.
async fn slow(stage: Stage) -> (Going, Arc<Hooked>) {
    let store = Hooked::new(0, Hook::Slow(secs(10)));
    let kept = Arc::clone(&store);
    let flow = workflow([job("a"), job("b"), job("c").needs("a")]);
    let going = stage
        .start_with(flow, |options| options.slots(1).store(kept))
        .await;
    (going, store)
}

fn ran(going: &Going) -> Vec<String> {
    let commands = going.mock.commands().into_iter();
    commands.map(|(job, _)| job).collect()
}

/// What was shown of a job.
fn of<'a>(job: &str, records: &'a [EventRecord]) -> Vec<&'a RunEvent> {
    let events = records.iter().map(|record| &record.event);
    let of_job = events.filter(|event| event.job().is_some_and(|it| **it == *job));
    of_job.collect()
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_nothing_but_a_slot_begins_at_once() {
    let stage = Stage::new();
    stage.mock.on("b").output("said early\n");
    let (going, _store) = slow(stage).await;
    going.until(19).await;
    assert!(ran(&going).is_empty(), "before its start is kept");
    going.until(25).await;
    assert_eq!(ran(&going), ["a", "b"]);
    going.until(35).await;
    assert_eq!(ran(&going), ["a", "b", "c"]);
    let done = going.end().await;
    assert!(done.report.is_success());
    assert_eq!(done.order(), ["a", "b", "c"]);
    // Shown when it was kept: the end of `a` and the start of `b` together, those of `b` and `c` next.
    let shown = |name: &str| (done.starts(name), done.end_of(name));
    assert_eq!(shown("a"), (vec![20.0], 30.0));
    assert_eq!(shown("b"), (vec![30.0], 40.0));
    assert_eq!(shown("c"), (vec![40.0], 50.0));
    for name in ["a", "b", "c"] {
        let events = of(name, &done.records);
        let start = |event: &&RunEvent| matches!(event, RunEvent::JobStarted { .. });
        let begun = events.iter().position(start).expect("it starts");
        let rest = &events[begun + 1..];
        assert!(matches!(
            rest[0],
            RunEvent::JobPrepared { .. } | RunEvent::StepStarted { .. }
        ));
        assert!(matches!(rest[rest.len() - 1], RunEvent::JobFinished { .. }));
        let before = &events[..begun];
        assert!(
            before
                .iter()
                .all(|event| matches!(event, RunEvent::JobReady { .. }))
        );
    }
    let said = |event: &&&RunEvent| matches!(event, RunEvent::Output { .. });
    assert_eq!(of("b", &done.records).iter().filter(said).count(), 1);
    // Time that the disk takes is none of a job's.
    assert_eq!(done.report.job("b").expect("a job").duration, secs(0));
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_has_not_answered_for_long_is_waited_for() {
    let stage = Stage::new().takes("a", 2, 0);
    let (going, _store) = slow(stage).await;
    going.until(25).await;
    assert_eq!(
        ran(&going),
        ["a"],
        "the run may be another process's by now"
    );
    let done = going.end().await;
    assert!(done.report.is_success());
    assert_eq!(done.starts("b"), [32.0]);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_began_early_is_stopped_when_the_journal_fails() {
    let stage = Stage::new();
    stage.mock.on("b").hang_until_canceled();
    // The run, its jobs, the start of `a` and its steps are kept; its end is not.
    let store = Hooked::new(6, Hook::Fail);
    let kept = Arc::clone(&store);
    let flow = workflow([job("a"), job("b")]);
    let going = stage
        .start_with(flow, |options| options.slots(1).store(kept))
        .await;
    let (error, shown) = going.fail().await;
    assert!(error.to_string().contains("no room"), "{error}");
    let ended = |event: &&RunEvent| {
        matches!(
            event,
            RunEvent::JobFinished {
                result: Outcome::Success,
                ..
            }
        )
    };
    assert_eq!(of("b", &shown).into_iter().find(ended), None);
    let started = |event: &&RunEvent| matches!(event, RunEvent::JobStarted { .. });
    assert_eq!(of("b", &shown).into_iter().find(started), None);
}
