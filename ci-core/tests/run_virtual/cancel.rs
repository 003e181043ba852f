//! Cancellation at every event of a small run, whatever the run looks like: nothing goes on.

use std::collections::HashMap;
use std::sync::Arc;

use ci_core::event::{EventRecord, RunEvent};
use ci_core::outcome::OutcomeKind;
use ci_core::store::RunStore;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::hooked::{Hook, Hooked};
use crate::sketch::{Kind, Sketch, block_on, scene, sketch, with_store};

/// Runs the jobs and cancels at the event of this number. Gives how many events there were.
async fn run(sketches: &[Sketch], at: usize, teardown_too: bool) -> Result<usize, TestCaseError> {
    let store = Hooked::new(at, Hook::Cancel { teardown_too });
    let (stage, flow) = scene(sketches);
    let going = stage
        .start_with(flow, with_store(Arc::clone(&store) as _))
        .await;
    // The run's own task has had no turn yet.
    let _ = store.control.set(going.handle.control());
    let id = going.handle.id();
    // The kit makes sure that no command runs and each session was torn down once.
    let ran = going.end().await;
    let stored = store.kept.load(id).await.expect("the run");
    prop_assert!(!stored.summary.active);
    check_journal(&stored.journal, sketches, teardown_too)?;
    let canceled = stored
        .journal
        .iter()
        .any(|r| matches!(r.event, RunEvent::RunCanceling { .. }));
    prop_assert_eq!(ran.report.outcome == OutcomeKind::Canceled, canceled);
    prop_assert!(canceled || at > 0, "the first event cancels");
    Ok(stored.journal.len())
}

fn kind_of(job: &str, sketches: &[Sketch]) -> Kind {
    let index: usize = job["job-".len()..].parse().expect("a number");
    sketches[index].kind
}

/// The journal tells a whole story: what began ended, and after a cancellation only teardown begins.
fn check_journal(
    journal: &[EventRecord],
    sketches: &[Sketch],
    teardown_too: bool,
) -> Result<(), TestCaseError> {
    let goes_on = |kind| kind == Kind::Always && !teardown_too;
    let mut begun: HashMap<Arc<str>, u32> = HashMap::new();
    let mut ended: HashMap<Arc<str>, u32> = HashMap::new();
    let mut canceling = None;
    for record in journal {
        match &record.event {
            RunEvent::RunCanceling { .. } => canceling = Some(record.time),
            RunEvent::JobStarted { job, .. } => {
                *begun.entry(Arc::clone(job)).or_default() += 1;
                // A job in a group says that it began when it has its place, which it may have asked
                // for before.
                let grouped = kind_of(job, sketches) == Kind::Grouped;
                let may = goes_on(kind_of(job, sketches)) || grouped;
                prop_assert!(canceling.is_none() || may, "{} began after all", job);
            }
            RunEvent::JobRetrying { job, .. } => {
                prop_assert!(canceling.is_none(), "{} is to be repeated", job);
                *ended.entry(Arc::clone(job)).or_default() += 1;
            }
            RunEvent::JobFinished { job, attempts, .. } => {
                let earlier = ended.insert(Arc::clone(job), *attempts);
                prop_assert!(earlier.unwrap_or_default() <= *attempts);
                // Nothing takes its time, but what cleans up.
                let kind = kind_of(job, sketches);
                let at_once = canceling.is_none_or(|at| record.time == at);
                let cleans = goes_on(kind) || kind == Kind::Steps;
                prop_assert!(at_once || cleans, "{} went on", job);
            }
            _ => {}
        }
    }
    for (job, begun) in begun {
        prop_assert_eq!(
            ended.get(&job).copied(),
            Some(begun),
            "{} began and ended",
            job
        );
    }
    prop_assert_eq!(ended.len(), sketches.len(), "every job ended");
    let last = journal.last().map(|record| &record.event);
    let whole = matches!(last, Some(RunEvent::RunFinished { .. }));
    prop_assert!(whole, "the last event is {:?}", last);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cancellation_at_any_event_leaves_nothing_running(
        sketches in prop::collection::vec(sketch(), 1..6), teardown_too: bool
    ) {
        block_on(async {
            let events = run(&sketches, usize::MAX, teardown_too).await?;
            for at in 0..events {
                run(&sketches, at, teardown_too).await?;
            }
            Ok::<_, TestCaseError>(())
        })?;
    }
}
