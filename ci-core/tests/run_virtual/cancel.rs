//! Cancellation at every event of a small run, whatever the run looks like: nothing goes on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use ci_core::event::{EventRecord, RunEvent};
use ci_core::id::RunId;
use ci_core::job::{Backoff, GroupUse, JobSpec, Need, Retry};
use ci_core::outcome::{CancelReason, OutcomeKind};
use ci_core::run::RunControl;
use ci_core::step::{StepSpec, StepWhen};
use ci_core::store::{
    Commit, Lease, LeaseRequest, LogKey, LogLine, LogQuery, LogWriter, MemoryStore, NewRun,
    OwnerId, Request, RequestRecord, Retention, RunPage, RunQuery, RunStore, StoreError, StoredRun,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::kit::{Stage, secs, workflow};

/// A store that cancels a run when it is given the event of a number.
struct Trigger {
    kept: MemoryStore,
    seen: AtomicUsize,
    at: usize,
    control: OnceLock<(RunControl, bool)>,
}

#[async_trait]
impl RunStore for Trigger {
    fn append(&self, run: RunId, records: Vec<EventRecord>) -> Commit {
        let seen = self.seen.fetch_add(records.len(), Ordering::Relaxed);
        if (seen..seen + records.len()).contains(&self.at)
            && let Some((control, teardown_too)) = self.control.get()
        {
            if *teardown_too {
                control.cancel_with_teardown(CancelReason::Requested);
            } else {
                control.cancel(CancelReason::Requested);
            }
        }
        self.kept.append(run, records)
    }

    async fn create(&self, run: NewRun, owner: &OwnerId) -> Result<(), StoreError> {
        self.kept.create(run, owner).await
    }
    async fn own(&self, run: RunId, owner: &OwnerId) -> Result<(), StoreError> {
        self.kept.own(run, owner).await
    }
    async fn load(&self, run: RunId) -> Result<StoredRun, StoreError> {
        self.kept.load(run).await
    }
    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        self.kept.runs(query).await
    }
    async fn durations(&self, flow: &str) -> Result<HashMap<Arc<str>, Duration>, StoreError> {
        self.kept.durations(flow).await
    }
    async fn request(&self, request: Request) -> Result<(), StoreError> {
        self.kept.request(request).await
    }
    async fn requests(&self, run: RunId, seq: u64) -> Result<Vec<RequestRecord>, StoreError> {
        self.kept.requests(run, seq).await
    }
    async fn acquire(&self, request: &LeaseRequest) -> Result<Option<Lease>, StoreError> {
        self.kept.acquire(request).await
    }
    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.kept.release(lease).await
    }
    async fn heartbeat(&self, owner: &OwnerId) -> Result<(), StoreError> {
        self.kept.heartbeat(owner).await
    }
    async fn disown(&self, owner: &OwnerId) -> Result<(), StoreError> {
        self.kept.disown(owner).await
    }
    fn log(&self, key: &LogKey) -> Result<Box<dyn LogWriter>, StoreError> {
        self.kept.log(key)
    }
    async fn read_log(&self, query: &LogQuery) -> Result<Vec<LogLine>, StoreError> {
        self.kept.read_log(query).await
    }
    async fn prune(&self, retention: &Retention) -> Result<Vec<RunId>, StoreError> {
        self.kept.prune(retention).await
    }
}

/// A job as the property makes it up.
#[derive(Debug, Clone)]
struct Sketch {
    /// Which of the jobs before it needs, as bits.
    needs: u8,
    prepare: u64,
    seconds: u64,
    exit: i32,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    Retried,
    Delayed,
    Grouped,
    Held,
    Approved,
    Always,
    Steps,
    Hangs,
}

const KINDS: [Kind; 9] = [
    Kind::Plain,
    Kind::Retried,
    Kind::Delayed,
    Kind::Grouped,
    Kind::Held,
    Kind::Approved,
    Kind::Always,
    Kind::Steps,
    Kind::Hangs,
];

fn sketch() -> impl Strategy<Value = Sketch> {
    let times = (0..3_u64, 0..20_u64);
    let exit = prop_oneof![3 => Just(0), 1 => Just(1)];
    let kind = prop::sample::select(KINDS.to_vec());
    (any::<u8>(), times, exit, kind).prop_map(|(needs, (prepare, seconds), exit, kind)| Sketch {
        needs,
        prepare,
        seconds,
        exit,
        kind,
    })
}

fn name(index: usize) -> String {
    format!("job-{index}")
}

fn spec(index: usize, sketch: &Sketch) -> JobSpec {
    let mut job = JobSpec::new(name(index));
    for other in (0..index).filter(|other| sketch.needs & (1 << other) != 0) {
        job = job.needs(match sketch.kind {
            Kind::Grouped => Need::any(name(other)),
            _ => Need::success(name(other)),
        });
    }
    let backoff = Backoff::exponential(secs(5));
    match sketch.kind {
        Kind::Plain => job.run("work"),
        Kind::Retried => job.run("work").retry(Retry::times(2).backoff(backoff)),
        Kind::Delayed => job.run("work").delayed(secs(7)),
        Kind::Grouped => job.run("work").group(GroupUse::mutex("group")),
        Kind::Held => job.run("work").manual("ship?"),
        Kind::Approved => job
            .run("work")
            .step(StepSpec::approval("ship?"))
            .run("more"),
        Kind::Always => job.run("work").always(),
        Kind::Steps => job
            .run("work")
            .step(StepSpec::run("save").when(StepWhen::Always)),
        Kind::Hangs => job.run("work").timeout(secs(40)),
    }
}

/// Runs the jobs and cancels at the event of this number. Gives how many events there were.
async fn run(sketches: &[Sketch], at: usize, teardown_too: bool) -> Result<usize, TestCaseError> {
    let stage = Stage::new();
    for (index, sketch) in sketches.iter().enumerate() {
        let job = name(index);
        stage.mock.on(&job).prepare_takes(secs(sketch.prepare));
        if sketch.kind == Kind::Hangs {
            stage.mock.on(&job).hang_until_canceled();
        }
        stage
            .mock
            .on(&job)
            .after(secs(sketch.seconds))
            .exit(sketch.exit);
    }
    let store = Arc::new(Trigger {
        kept: MemoryStore::new(),
        seen: AtomicUsize::new(0),
        at,
        control: OnceLock::new(),
    });
    let jobs = sketches
        .iter()
        .enumerate()
        .map(|(index, sketch)| spec(index, sketch));
    let approve = ci_core::run::approve_fn(|_| async {
        tokio::time::sleep(secs(3)).await;
        Some(true)
    });
    let shared = Arc::clone(&store);
    let going = stage
        .start_with(workflow(jobs), |options| {
            options.slots(2).store(shared).approver(approve)
        })
        .await;
    // The run's own task has had no turn yet.
    let _ = store.control.set((going.handle.control(), teardown_too));
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
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let events = run(&sketches, usize::MAX, teardown_too).await?;
            for at in 0..events {
                run(&sketches, at, teardown_too).await?;
            }
            Ok::<_, TestCaseError>(())
        })?;
    }
}
