//! What the tests of stores share: a store with two handles, owners, runs and events.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::event::{EventRecord, RunEvent};
use crate::id::RunId;
use crate::job::JobSpec;
use crate::outcome::{Outcome, OutcomeKind};
use crate::store::{
    LeaseRequest, MemoryStore, NewRun, OwnerId, RunStore, RunSummary, StoreError, StoreErrorKind,
};
use crate::workflow::{RunFacts, WorkflowSpec};

/// When the tests begin.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// Two handles on one store.
pub(crate) struct Pair {
    pub(crate) one: Arc<dyn RunStore>,
    pub(crate) two: Arc<dyn RunStore>,
    /// Dropped after the stores: fields go in their order.
    _dir: Option<tempfile::TempDir>,
}

impl Pair {
    pub(crate) fn memory() -> Self {
        let one: Arc<dyn RunStore> = Arc::new(MemoryStore::new().clock(Clock::starting_at(START)));
        Self {
            two: Arc::clone(&one),
            one,
            _dir: None,
        }
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn sqlite() -> Self {
        use crate::store::{Durability, SqliteStore};

        let dir = tempfile::tempdir().expect("a directory");
        let clock = Clock::starting_at(START);
        let open = || {
            let path = dir.path().join("runs.db");
            let store = SqliteStore::open_with(path, Durability::Process, Duration::from_secs(20));
            Arc::new(store.expect("a store").clock(clock.clone()))
        };
        Self {
            one: open(),
            two: open(),
            _dir: Some(dir),
        }
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn of(memory: bool) -> Self {
        if memory {
            Self::memory()
        } else {
            Self::sqlite()
        }
    }

    #[cfg(not(feature = "sqlite"))]
    pub(crate) fn of(_memory: bool) -> Self {
        Self::memory()
    }
}

/// Runs a test of a property on a paused clock.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(test)
}

/// An owner on another machine: only its heartbeat says whether it lives.
pub(crate) fn elsewhere(name: &str) -> OwnerId {
    OwnerId(format!("another-machine:1:1:{name}").into())
}

/// A run of the workflow `name` on `branch`.
pub(crate) fn new_run(name: &str, branch: &str) -> NewRun {
    let job = JobSpec::new("build").run("make");
    let spec = WorkflowSpec::builder(name).job(job).build();
    let facts = RunFacts::default().branch(branch).revision("c0ffee");
    NewRun::new(RunId::new(), Arc::new(spec.expect("valid")), facts, START)
}

/// A run that `owner` drives.
pub(crate) async fn created(store: &dyn RunStore, owner: &OwnerId) -> RunId {
    let run = new_run("ci", "main");
    let id = run.id;
    store.create(run, owner).await.expect("a new run");
    id
}

/// The event with this number, as one of this run.
pub(crate) fn record(id: RunId, seq: u64, mut event: RunEvent) -> EventRecord {
    if let RunEvent::RunFinished { run, .. } = &mut event {
        *run = id;
    }
    EventRecord {
        run: id,
        seq,
        time: Timestamp::from_millis(START.as_millis() + seq),
        event,
    }
}

pub(crate) fn ready(job: &str) -> RunEvent {
    RunEvent::JobReady { job: job.into() }
}

/// The end of a run of which nothing else is told.
pub(crate) fn ended_as(run: RunId, outcome: OutcomeKind) -> RunEvent {
    RunEvent::RunFinished {
        run,
        outcome,
        jobs: Vec::new(),
        budgets: Vec::new(),
        duration: Duration::ZERO,
    }
}

pub(crate) fn finished(job: &str, result: Outcome, seconds: u64) -> RunEvent {
    RunEvent::JobFinished {
        job: job.into(),
        result,
        attempts: 1,
        duration: Duration::from_secs(seconds),
        allowed: false,
        reused: false,
        reports: None,
    }
}

pub(crate) fn place(group: &str, limit: u32, owner: &OwnerId, run: RunId) -> LeaseRequest {
    LeaseRequest {
        group: group.into(),
        limit,
        owner: owner.clone(),
        run,
        job: "deploy".into(),
    }
}

/// Time goes on without anything happening.
pub(crate) async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, StoreError>) -> StoreErrorKind {
    result.expect_err("an error").kind()
}

pub(crate) async fn summary(store: &dyn RunStore, run: RunId) -> RunSummary {
    store.load(run).await.expect("the run").summary
}
