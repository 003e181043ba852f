//! A journal that takes no more from any event on: the run ends with a clear error, nothing was shown
//! that is not kept, and the resumed run does what is left and nothing twice.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use ci_core::event::{EventRecord, RunEvent};
use ci_core::outcome::OutcomeKind;
use ci_core::run::{RunErrorKind, RunReport, resume};
use ci_core::store::RunStore;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::hooked::{Hook, Hooked};
use crate::kit::Stage;
use crate::sketch::{Sketch, block_on, play, scene, sketch, with_store};

fn outcomes(report: &RunReport) -> BTreeMap<String, OutcomeKind> {
    let jobs = report.jobs.iter();
    jobs.map(|job| (job.name.to_string(), job.outcome.kind()))
        .collect()
}

/// The jobs that ended for good, as events tell it.
fn ended(records: &[EventRecord]) -> HashSet<String> {
    let ended = records.iter().filter_map(|record| match &record.event {
        RunEvent::JobFinished { job, .. } => Some(job.to_string()),
        _ => None,
    });
    ended.collect()
}

/// What others rely on: told only once it is kept.
fn relied_on(event: &RunEvent) -> bool {
    matches!(
        event,
        RunEvent::RunStarted { .. }
            | RunEvent::JobStarted { .. }
            | RunEvent::JobFinished { .. }
            | RunEvent::JobRetrying { .. }
            | RunEvent::RunFinished { .. }
    )
}

async fn loses_nothing(
    sketches: &[Sketch],
    at: usize,
    whole: &RunReport,
) -> Result<(), TestCaseError> {
    let store = Hooked::new(at, Hook::Fail);
    let (stage, flow) = scene(sketches);
    let clock = stage.clock.clone();
    let going = stage
        .start_with(flow, with_store(Arc::clone(&store) as _))
        .await;
    let run = going.handle.id();
    let (error, shown) = going.fail().await;
    prop_assert_eq!(error.kind(), RunErrorKind::Store);
    prop_assert!(error.to_string().contains("no room"), "{}", error);
    let journal = store.kept.load(run).await.expect("the run").journal;
    prop_assert!(journal.len() <= at);
    let kept: Vec<&RunEvent> = journal.iter().map(|record| &record.event).collect();
    for record in shown.iter().filter(|record| relied_on(&record.event)) {
        prop_assert!(
            kept.contains(&&record.event),
            "shown and lost: {:?}",
            record.event
        );
    }
    // Another process goes on with what the journal has.
    let again = Stage::beside(&clock);
    play(&again, sketches);
    let store = Arc::new(Arc::into_inner(store).expect("nobody else has it").kept);
    let options = with_store(Arc::clone(&store) as _);
    let going = again
        .begin(options, async |options| {
            resume(run, options).await.expect("resumes")
        })
        .await;
    let ran = going.end().await;
    let before = ended(&journal);
    for job in ran.mock.prepared() {
        prop_assert!(!before.contains(&job), "{} ran again", job);
    }
    prop_assert_eq!(outcomes(&ran.report), outcomes(whole));
    prop_assert_eq!(ran.report.outcome, whole.outcome);
    let journal = store.load(run).await.expect("the run").journal;
    let numbers: Vec<u64> = journal.iter().map(|record| record.seq).collect();
    prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{:?}", numbers);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_journal_that_fails_at_any_event_loses_nothing(
        sketches in prop::collection::vec(sketch(), 1..6)
    ) {
        block_on(async {
            let store = Hooked::new(usize::MAX, Hook::Fail);
            let (stage, flow) = scene(&sketches);
            let whole = stage.start_with(flow, with_store(Arc::clone(&store) as _)).await;
            let whole = whole.end().await.report;
            let journal = store.kept.load(whole.run).await.expect("the run").journal;
            for at in 0..journal.len() {
                loses_nothing(&sketches, at, &whole).await?;
            }
            Ok::<_, TestCaseError>(())
        })?;
    }
}
