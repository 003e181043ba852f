//! A store in which something happens at a chosen event.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use ci_core::event::EventRecord;
use ci_core::id::RunId;
use ci_core::outcome::CancelReason;
use ci_core::run::RunControl;
use ci_core::store::{
    Commit, Lease, LeaseRequest, LogKey, LogPart, LogQuery, LogWriter, MemoryStore, NewRun,
    OwnerId, Request, RequestRecord, Retention, RunPage, RunQuery, RunStore, StoreError,
    StoreErrorKind, StoredRun,
};

/// What happens at an event.
pub(crate) enum Hook {
    /// The run is canceled, with its teardown jobs or without.
    Cancel { teardown_too: bool },
    /// From here on the journal takes nothing, as on a disk that is full.
    Fail,
    /// From here on the journal takes so long for everything.
    Slow(Duration),
    /// Another process does something right after the first call of this kind.
    After(Call, Meddle),
    /// The usual durations of jobs cannot be read.
    NoDurations,
    /// Every run that ended is removed as soon as another is made.
    Forget,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Create,
    Load,
}

/// What another process does with the store.
pub(crate) type Meddle = fn(&MemoryStore, RunId) -> Meddling<'_>;

pub(crate) type Meddling<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A store in which something happens when a run gives it the event of a number, counted from 0.
pub(crate) struct Hooked {
    pub(crate) kept: MemoryStore,
    pub(crate) control: OnceLock<RunControl>,
    seen: AtomicUsize,
    called: AtomicUsize,
    at: usize,
    hook: Hook,
}

impl Hooked {
    pub(crate) fn new(at: usize, hook: Hook) -> Arc<Self> {
        Arc::new(Self {
            kept: MemoryStore::new(),
            control: OnceLock::new(),
            seen: AtomicUsize::new(0),
            called: AtomicUsize::new(0),
            at,
            hook,
        })
    }

    async fn after(&self, call: Call, run: RunId) {
        if let Hook::After(at, meddle) = &self.hook
            && *at == call
            && self.called.fetch_add(1, Ordering::Relaxed) == 0
        {
            meddle(&self.kept, run).await;
        }
    }
}

#[async_trait]
impl RunStore for Hooked {
    fn append(&self, run: RunId, records: Vec<EventRecord>) -> Commit {
        let seen = self.seen.fetch_add(records.len(), Ordering::Relaxed);
        let reached = seen + records.len() > self.at;
        match (&self.hook, self.control.get()) {
            (Hook::Fail, _) if reached => {
                let (commit, done) = Commit::pair();
                let full = StoreError::new(StoreErrorKind::Full, "there is no room left");
                done.done(Err(full));
                return commit;
            }
            (Hook::Cancel { teardown_too }, Some(control)) if reached && seen <= self.at => {
                if *teardown_too {
                    control.cancel_with_teardown(CancelReason::Requested);
                } else {
                    control.cancel(CancelReason::Requested);
                }
            }
            (Hook::Slow(delay), _) if reached => {
                let (commit, done) = Commit::pair();
                let (kept, delay) = (self.kept.append(run, records), *delay);
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    done.done(kept.await);
                });
                return commit;
            }
            _ => {}
        }
        self.kept.append(run, records)
    }

    async fn create(&self, run: NewRun, owner: &OwnerId) -> Result<(), StoreError> {
        let id = run.id;
        if let Hook::Forget = self.hook {
            let all = Retention {
                max_age: None,
                max_runs: Some(0),
            };
            self.kept.prune(&all).await?;
        }
        self.kept.create(run, owner).await?;
        self.after(Call::Create, id).await;
        Ok(())
    }
    async fn own(&self, run: RunId, owner: &OwnerId) -> Result<Vec<Lease>, StoreError> {
        self.kept.own(run, owner).await
    }
    async fn load(&self, run: RunId) -> Result<StoredRun, StoreError> {
        let loaded = self.kept.load(run).await;
        self.after(Call::Load, run).await;
        loaded
    }
    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        self.kept.runs(query).await
    }
    async fn durations(&self, flow: &str) -> Result<HashMap<Arc<str>, Duration>, StoreError> {
        if let Hook::NoDurations = self.hook {
            return Err(StoreError::new(StoreErrorKind::Busy, "others hold it"));
        }
        self.kept.durations(flow).await
    }
    async fn request(&self, request: Request) -> Result<(), StoreError> {
        self.kept.request(request).await
    }
    async fn requests(&self, run: RunId, seq: u64) -> Result<Vec<RequestRecord>, StoreError> {
        self.kept.requests(run, seq).await
    }
    async fn abandoned(&self, group: &str) -> Result<Vec<RunId>, StoreError> {
        self.kept.abandoned(group).await
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
    async fn logged_steps(&self, query: &LogQuery) -> Result<Vec<LogKey>, StoreError> {
        self.kept.logged_steps(query).await
    }
    async fn read_part(
        &self,
        key: &LogKey,
        position: u64,
        most: usize,
    ) -> Result<LogPart, StoreError> {
        self.kept.read_part(key, position, most).await
    }
    async fn prune(&self, retention: &Retention) -> Result<Vec<RunId>, StoreError> {
        self.kept.prune(retention).await
    }
}
