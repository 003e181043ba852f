//! What other processes do in the very moment in which a run is taken up, begins or ends.

use std::sync::Arc;

use ci_core::clock::Timestamp;
use ci_core::event::{EventRecord, RunEvent};
use ci_core::id::RunId;
use ci_core::outcome::{CancelReason, OutcomeKind};
use ci_core::run::{Hold, RunErrorKind, resume, start};
use ci_core::store::{MemoryStore, NewRun, OwnerId, Request, RequestKind, RunStore};
use ci_core::workflow::RunFacts;

use crate::hooked::{Call, Hook, Hooked, Meddling};
use crate::kit::{Stage, job, secs, workflow};

fn ask(store: &MemoryStore, run: RunId, kind: RequestKind) -> Meddling<'_> {
    let by = "somebody".to_owned();
    Box::pin(async move { store.request(Request { run, kind, by }).await.unwrap() })
}

fn cancel(store: &MemoryStore, run: RunId) -> Meddling<'_> {
    let (job, reason) = (None, CancelReason::Requested);
    ask(store, run, RequestKind::Cancel { job, reason })
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_before_the_first_look_counts() {
    let store = Hooked::new(0, Hook::After(Call::Create, cancel));
    let stage = Stage::new().takes("build", 100, 0);
    let flow = workflow([job("build"), job("test").needs("build")]);
    let going = stage.start_with(flow, |options| options.store(store)).await;
    let ran = going.end().await;
    assert_eq!(ran.report.outcome, OutcomeKind::Canceled);
    assert_eq!(ran.order(), Vec::<&str>::from(["build"]));
}

/// A process that is not seen from here.
fn elsewhere() -> OwnerId {
    OwnerId("elsewhere:1:2:x".into())
}

async fn made(store: &MemoryStore) -> RunId {
    let spec = workflow([job("build")]).build().unwrap();
    let new = NewRun::new(
        RunId::new(),
        Arc::new(spec),
        RunFacts::default(),
        Timestamp::from_millis(1_790_000_000_000),
    );
    let run = new.id;
    store.create(new, &elsewhere()).await.unwrap();
    run
}

/// The process before does its last work while the run is looked at.
fn ends(store: &MemoryStore, run: RunId) -> Meddling<'_> {
    let event = RunEvent::RunFinished {
        run,
        outcome: OutcomeKind::Success,
        jobs: Vec::new(),
        budgets: Vec::new(),
        duration: secs(1),
    };
    let time = Timestamp::from_millis(1_790_000_000_000);
    let (seq, event) = (1, event);
    let last = EventRecord {
        run,
        seq,
        time,
        event,
    };
    Box::pin(async move {
        store.append(run, vec![last]).await.unwrap();
        store.disown(&elsewhere()).await.unwrap();
    })
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_while_it_is_resumed_stays_ended() {
    let store = Hooked::new(0, Hook::After(Call::Load, ends));
    let run = made(&store.kept).await;
    let kept = Arc::clone(&store);
    let options = ci_core::run::RunOptions::new().store(kept);
    let error = resume(run, options).await.expect_err("it has ended");
    assert_eq!(error.kind(), RunErrorKind::NotResumable);
    let summary = store.kept.load(run).await.unwrap().summary;
    assert_eq!(summary.outcome, Some(OutcomeKind::Success));
    assert!(!summary.active, "it was given back");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_begin_is_given_back() {
    let store = Hooked::new(0, Hook::NoDurations);
    let flow = workflow([job("build")]).build().unwrap();
    let options = ci_core::run::RunOptions::new().store(Arc::clone(&store) as _);
    let error = start(flow, options).await.expect_err("others hold it");
    assert_eq!(error.kind(), RunErrorKind::Store);
    let runs = store.kept.runs(&ci_core::store::RunQuery::default()).await;
    let [run] = &runs.unwrap().runs[..] else {
        panic!("one run was made");
    };
    assert!(!run.active);
    let places = store.kept.own(run.id, &elsewhere()).await.unwrap();
    assert_eq!(places, []);
}

#[tokio::test(start_paused = true)]
async fn an_approval_in_the_last_moment_counts() {
    let store = Arc::new(MemoryStore::new());
    let stage = Stage::new().takes("build", 10, 0);
    let flow = workflow([job("build"), job("ship").manual("ship?")]);
    let kept = Arc::clone(&store);
    let change = |options: ci_core::run::RunOptions| {
        let options = options.store(kept).hold(Hold::Finish);
        options.poll_interval(secs(60))
    };
    let going = stage.start_with(flow, change).await;
    going.until(5).await;
    let kind = RequestKind::Approve {
        job: "ship".into(),
        approved: true,
    };
    ask(&store, going.handle.id(), kind).await;
    let ran = going.end().await;
    assert_eq!(ran.report.outcome, OutcomeKind::Success);
    assert_eq!(ran.starts("ship"), [10.0]);
}
