//! The trait of a run store.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::lines::LineCutter;
use super::{
    CoverageEntry, Lease, LeaseRequest, LogKey, LogLine, LogQuery, NewRun, OwnerId, Request,
    RequestRecord, Retention, RunPage, RunQuery, StoreError, StoreErrorKind, StoredRun, TestEntry,
    TestQuery,
};
use crate::event::{EventRecord, TestRecord};
use crate::id::RunId;
use crate::session::OutputChunk;

/// Keeps runs, so that one that was killed goes on where it was, and others can look and ask.
///
/// # Contract
/// - [`append`](Self::append) takes its records in the order of the calls, and the [`Commit`] it
///   gives is ready only when they and everything before them are durable.
/// - A run has at most one living owner; [`own`](Self::own) refuses a second.
/// - Every method may be called from several processes at once.
#[async_trait]
#[diagnostic::on_unimplemented(message = "`{Self}` is not a run store")]
pub trait RunStore: Send + Sync {
    /// Keeps a new run; `owner` drives it.
    async fn create(&self, run: NewRun, owner: &OwnerId) -> Result<(), StoreError>;

    /// Takes over a run whose owner is gone, with the places that it held, and gives those: what it left
    /// running may still need them. Refused with [`StoreErrorKind::Owned`] while it lives. A run that ended
    /// on hold or interrupted goes on; any other keeps its end.
    async fn own(&self, run: RunId, owner: &OwnerId) -> Result<Vec<Lease>, StoreError>;

    /// Adds to the journal of a run. Queues at once and in order; durable when the commit is ready.
    fn append(&self, run: RunId, records: Vec<EventRecord>) -> Commit;

    /// Adds to the journal of a run what nobody waits for: durable soon, and at the latest with the next
    /// [`append`](Self::append), which fails if this could not be kept.
    fn note(&self, run: RunId, records: Vec<EventRecord>) {
        drop(self.append(run, records));
    }

    /// The run with its journal.
    async fn load(&self, run: RunId) -> Result<StoredRun, StoreError>;

    /// Lists runs, newest first.
    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError>;

    /// The usual duration of each job of a workflow: the median of its latest successes.
    async fn durations(&self, workflow: &str) -> Result<HashMap<Arc<str>, Duration>, StoreError>;

    /// Leaves a request for whoever drives the run.
    async fn request(&self, request: Request) -> Result<(), StoreError>;

    /// The requests to a run that came after `seq`.
    async fn requests(&self, run: RunId, seq: u64) -> Result<Vec<RequestRecord>, StoreError>;

    /// The runs of dead processes that hold places of a group, with all other runs of these processes. What
    /// they left running has to end before [`acquire`](Self::acquire) takes their places away.
    async fn abandoned(&self, group: &str) -> Result<Vec<RunId>, StoreError>;

    /// Tries to take a place in a group; `None` when it is full.
    async fn acquire(&self, request: &LeaseRequest) -> Result<Option<Lease>, StoreError>;

    /// Gives a place back.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Says that `owner` lives. An error of kind [`StoreErrorKind::Lost`] says that it came too late
    /// and its runs and leases may belong to others.
    async fn heartbeat(&self, owner: &OwnerId) -> Result<(), StoreError>;

    /// Says that `owner` is done: its leases are free and its runs without an owner.
    async fn disown(&self, owner: &OwnerId) -> Result<(), StoreError>;

    /// Opens the log of a step for writing.
    fn log(&self, key: &LogKey) -> Result<Box<dyn LogWriter>, StoreError>;

    /// The steps that have said something: jobs in the order in which they first said something, each with its
    /// steps in order.
    async fn logged_steps(&self, query: &LogQuery) -> Result<Vec<LogKey>, StoreError>;

    /// Reads a part of the log of a step, from `position` on: 0, or what an earlier part gave as its
    /// end. About `most` bytes, at least a chunk if there is one.
    async fn read_part(
        &self,
        key: &LogKey,
        position: u64,
        most: usize,
    ) -> Result<LogPart, StoreError>;

    /// Reads whole logs into memory: the steps in order, and the lines of each in the order of their
    /// first byte. [`LogReader`](super::LogReader) reads large ones, and those that still grow, piece
    /// by piece.
    async fn read_log(&self, query: &LogQuery) -> Result<Vec<LogLine>, StoreError> {
        let mut lines = Vec::new();
        for key in self.logged_steps(query).await? {
            let mut cutter = LineCutter::new(key.clone());
            let (mut position, mut cut) = (0, Vec::new());
            loop {
                let part = self.read_part(&key, position, PART).await?;
                if part.chunks.is_empty() {
                    break;
                }
                position = part.end;
                cutter.add_all(&part.chunks, &mut cut);
            }
            cutter.finish(&mut cut);
            cut.sort_by_key(|(place, _)| *place);
            lines.extend(cut.into_iter().map(|(_, line)| line));
        }
        Ok(lines)
    }

    /// What of the logs of a run that nobody drives is missing or damaged: an error for each file, with
    /// what to do. The rest of them can be read. A store that does not override it finds nothing.
    async fn log_damage(&self, run: RunId) -> Result<Vec<StoreError>, StoreError> {
        let _ = run;
        Ok(Vec::new())
    }

    /// Keeps the tests that a step of a run that this process drives reported, in the place of those
    /// that were kept for the step before. Queues like [`append`](Self::append). A store that does not
    /// override it keeps none.
    fn keep_tests(&self, key: &LogKey, tests: Vec<TestRecord>) -> Commit {
        let _ = (key, tests);
        let (commit, done) = Commit::pair();
        done.done(Ok(()));
        commit
    }

    /// The tests that a query asks for: runs newest first, and the tests of each as they were kept.
    async fn tests(&self, query: &TestQuery) -> Result<Vec<TestEntry>, StoreError> {
        let _ = query;
        Ok(Vec::new())
    }

    /// The coverage that the steps of runs reported, by the same query, in the same order.
    async fn coverage(&self, query: &TestQuery) -> Result<Vec<CoverageEntry>, StoreError> {
        let _ = query;
        Ok(Vec::new())
    }

    /// A number that is another one after anything that the store keeps has changed, logs left out,
    /// whoever changed it: what was read before is still true while it is the same. It says nothing to
    /// another process or after a restart. `None` from a store that cannot tell.
    async fn version(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    /// Removes ended runs that need not be kept. Gives their ids. One that cannot be removed stays; it is an
    /// error where no other could be.
    async fn prune(&self, retention: &Retention) -> Result<Vec<RunId>, StoreError>;

    /// What was last [marked](Self::set_mark) under `key`: how far a watcher or a schedule is.
    async fn mark(&self, key: &str) -> Result<Option<String>, StoreError> {
        Err(no_marks(key))
    }

    /// Marks `new` under `key` if what is there is still `old`, and makes it durable. `false` if
    /// another process was faster; nothing is changed then.
    async fn set_mark(&self, key: &str, old: Option<&str>, new: &str) -> Result<bool, StoreError> {
        let _ = (old, new);
        Err(no_marks(key))
    }
}

fn no_marks(key: &str) -> StoreError {
    let message = format!("this store cannot keep the position `{key}`");
    StoreError::new(StoreErrorKind::Other, message)
}

/// How much of a log is read at once, in bytes.
pub(super) const PART: usize = 1 << 20;

/// A part of a step's log.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LogPart {
    /// What the step wrote.
    pub chunks: Vec<OutputChunk>,
    /// Where the next part begins. Means something only to the store that gave it.
    pub end: u64,
}

impl LogPart {
    /// A part that ends before `end`.
    #[must_use]
    pub fn new(chunks: Vec<OutputChunk>, end: u64) -> Self {
        Self { chunks, end }
    }
}

/// Writes the log of one step. Dropping it closes the log.
pub trait LogWriter: Send + std::fmt::Debug {
    /// Adds a chunk. May block for as long as a disk does.
    fn write(&mut self, chunk: &OutputChunk) -> Result<(), StoreError>;
}

/// Ready when what was appended is durable.
#[derive(Debug)]
#[must_use = "what was appended is durable only when the commit is ready"]
pub struct Commit(oneshot::Receiver<Result<(), StoreError>>);

/// The other end of a [`Commit`].
#[derive(Debug)]
pub struct CommitDone(oneshot::Sender<Result<(), StoreError>>);

impl Commit {
    /// A commit and the end by which the store makes it ready.
    pub fn pair() -> (Self, CommitDone) {
        let (sender, receiver) = oneshot::channel();
        (Self(receiver), CommitDone(sender))
    }
}

impl CommitDone {
    /// Makes the commit ready.
    pub fn done(self, result: Result<(), StoreError>) {
        let _ = self.0.send(result);
    }
}

impl Future for Commit {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|sent| {
            sent.unwrap_or_else(|_| {
                Err(StoreError::new(
                    StoreErrorKind::Other,
                    "the store was closed",
                ))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_used_as_objects() {
        fn object_safe(_: Option<Arc<dyn RunStore>>) {}
        object_safe(None);
    }
}
