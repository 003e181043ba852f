//! The one thread that writes: takes what is queued, and makes all of it durable at once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::queries;
use super::trouble::trouble;
use crate::event::EventRecord;
use crate::id::RunId;
use crate::store::{Commit, CommitDone, OwnerId, StoreError, StoreErrorKind};

/// The most appends in one transaction: the first of them waits for all.
const MOST: usize = 512;

/// Work inside a transaction.
type Work = Box<dyn FnOnce(&Connection) -> Result<(), StoreError> + Send>;

/// What the thread is asked to do.
enum Job {
    Append(RunId, Vec<EventRecord>, CommitDone),
    /// Something else, in a transaction of its own. The sender is told how the commit went.
    Work(Work, oneshot::Sender<Result<(), StoreError>>),
    /// From now on this process drives the run as this owner; `None`: no longer.
    Own(RunId, Option<OwnerId>),
}

/// The writing thread's other end.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, path: PathBuf) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel();
        let mut state = State {
            connection,
            path,
            owned: HashMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name("run-store".to_owned())
            .spawn(move || state.serve(&jobs))
            .map_err(|error| {
                StoreError::new(StoreErrorKind::Other, "no thread for the run store")
                    .with_source(error)
            })?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    fn send(&self, job: Job) {
        if let Some(queue) = &self.queue {
            // If the thread is gone, what was to be told is dropped, and its receiver says so.
            let _ = queue.send(job);
        }
    }

    /// Queues an append.
    pub(super) fn append(&self, run: RunId, records: Vec<EventRecord>) -> Commit {
        let (commit, done) = Commit::pair();
        self.send(Job::Append(run, records, done));
        commit
    }

    /// Does `work` in a transaction of its own, after everything that was queued before.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (value_sender, value) = oneshot::channel();
        let (done_sender, done) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            let result = work(connection)?;
            let _ = value_sender.send(result);
            Ok(())
        });
        self.send(Job::Work(work, done_sender));
        done.await.unwrap_or_else(|_| Err(closed()))?;
        value.await.map_err(|_| closed())
    }

    /// Says as whom this process drives a run.
    pub(super) fn own(&self, run: RunId, owner: Option<OwnerId>) {
        self.send(Job::Own(run, owner));
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread ends when it has done everything that was queued.
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn closed() -> StoreError {
    StoreError::new(StoreErrorKind::Other, "the run store was closed")
}

struct State {
    connection: Connection,
    path: PathBuf,
    /// The runs that this process drives, and as whom.
    owned: HashMap<RunId, OwnerId>,
}

type Append = (RunId, Vec<EventRecord>, CommitDone);

impl State {
    fn serve(&mut self, jobs: &mpsc::Receiver<Job>) {
        let mut appends: Vec<Append> = Vec::new();
        while let Ok(job) = jobs.recv() {
            let mut next = Some(job);
            while let Some(job) = next.take() {
                match job {
                    Job::Append(run, records, done) => appends.push((run, records, done)),
                    Job::Work(work, done) => {
                        self.append_all(&mut appends);
                        let _ = done.send(self.do_work(work));
                    }
                    Job::Own(run, Some(owner)) => {
                        self.owned.insert(run, owner);
                    }
                    Job::Own(run, None) => {
                        self.append_all(&mut appends);
                        self.owned.remove(&run);
                    }
                }
                if appends.len() < MOST {
                    next = jobs.try_recv().ok();
                }
            }
            self.append_all(&mut appends);
        }
    }

    fn do_work(&mut self, work: Work) -> Result<(), StoreError> {
        let failed = |error| trouble(&self.path, error);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        work(&transaction)?;
        transaction.commit().map_err(failed)
    }

    /// Makes all of `appends` durable in one transaction.
    fn append_all(&mut self, appends: &mut Vec<Append>) {
        if appends.is_empty() {
            return;
        }
        let batch = std::mem::take(appends);
        let mut refused: HashMap<RunId, String> = HashMap::new();
        let result = self.write(&batch, &mut refused);
        for (run, _, done) in batch {
            done.done(match (&result, refused.get(&run)) {
                (Err(error), _) => Err(again(error)),
                (Ok(()), Some(why)) => Err(StoreError::new(StoreErrorKind::Lost, why.clone())),
                (Ok(()), None) => Ok(()),
            });
        }
    }

    fn write(
        &mut self,
        batch: &[Append],
        refused: &mut HashMap<RunId, String>,
    ) -> Result<(), StoreError> {
        let failed = |error| trouble(&self.path, error);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        for (run, records, _) in batch {
            if refused.contains_key(run) {
                continue;
            }
            let owner = self.owned.get(run);
            if let Some(owner) = owner
                && !queries::is_owner(&transaction, *run, owner).map_err(failed)?
            {
                refused.insert(
                    *run,
                    format!("the run `{run}` belongs to another process now"),
                );
                continue;
            }
            for record in records {
                queries::append(&transaction, &self.path, record)?;
            }
        }
        transaction.commit().map_err(failed)
    }
}

/// The same error for another who waits for the same transaction.
fn again(error: &StoreError) -> StoreError {
    let mut copy = StoreError::new(error.kind(), crate::error::chain(error));
    for hint in error.hints() {
        copy = copy.with_hint(hint.clone());
    }
    copy
}
