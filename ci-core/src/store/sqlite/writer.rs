//! The one thread that writes: takes what is queued, and makes all of it durable at once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::inbox::{Ear, Inbox};
use super::trouble::trouble;
use super::{queries, reports};
use crate::event::{EventRecord, TestRecord};
use crate::id::RunId;
use crate::store::{Commit, CommitDone, LogKey, OwnerId, StoreError, StoreErrorKind};

/// The most appends in one transaction: the first of them waits for all.
const MOST: usize = 512;

/// How long events that nobody waits for may wait for others: a transaction costs more than they do.
const LINGER: Duration = Duration::from_millis(20);

/// Work inside a transaction.
type Work = Box<dyn FnOnce(&Connection) -> Result<(), StoreError> + Send>;

/// What the thread is asked to do.
enum Job {
    Append(RunId, Vec<EventRecord>, CommitDone),
    /// An append that nobody waits for.
    Note(RunId, Vec<EventRecord>),
    /// The tests of a step, in a transaction of their own.
    Tests(LogKey, Vec<TestRecord>, CommitDone),
    /// Something else, in a transaction of its own. The sender is told how the commit went.
    Work(Work, oneshot::Sender<Result<(), StoreError>>),
    /// From now on this process drives the run as this owner.
    Own(RunId, OwnerId),
    /// The owner no longer drives anything.
    Disown(OwnerId),
}

/// The writing thread's other end.
#[derive(Debug)]
pub(super) struct Writer {
    inbox: Arc<Inbox<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, path: PathBuf) -> Result<Self, StoreError> {
        let inbox = Arc::new(Inbox::new());
        let ear = Ear(Arc::clone(&inbox));
        let mut state = State {
            connection,
            path,
            owned: HashMap::new(),
            broken: HashMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name("run-store".to_owned())
            .spawn(move || state.serve(&ear))
            .map_err(|error| {
                StoreError::new(StoreErrorKind::Other, "no thread for the run store")
                    .with_source(error)
            })?;
        Ok(Self {
            inbox,
            thread: Some(thread),
        })
    }

    fn send(&self, job: Job) {
        // If the thread is gone, what was to be told is dropped, and its receiver says so.
        let is_urgent = !matches!(job, Job::Note(..));
        self.inbox.send(job, is_urgent);
    }

    /// Queues an append.
    pub(super) fn append(&self, run: RunId, records: Vec<EventRecord>) -> Commit {
        let (commit, done) = Commit::pair();
        self.send(Job::Append(run, records, done));
        commit
    }

    /// Queues an append that nobody waits for.
    pub(super) fn note(&self, run: RunId, records: Vec<EventRecord>) {
        self.send(Job::Note(run, records));
    }

    /// Queues the tests of a step.
    pub(super) fn keep_tests(&self, key: LogKey, tests: Vec<TestRecord>) -> Commit {
        let (commit, done) = Commit::pair();
        self.send(Job::Tests(key, tests, done));
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
    pub(super) fn own(&self, run: RunId, owner: OwnerId) {
        self.send(Job::Own(run, owner));
    }

    /// Says that an owner no longer drives anything.
    pub(super) fn disown(&self, owner: OwnerId) {
        self.send(Job::Disown(owner));
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread ends when it has done everything that was queued.
        self.inbox.close();
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
    /// The runs of which an append failed, and why. Nothing more is appended to them until they are
    /// owned anew: a journal has no gaps.
    broken: HashMap<RunId, StoreError>,
}

type Append = (RunId, Vec<EventRecord>, Option<CommitDone>);

impl State {
    fn serve(&mut self, ear: &Ear<Job>) {
        let mut appends: Vec<Append> = Vec::new();
        while let Some(jobs) = ear.0.take(LINGER) {
            for job in jobs {
                match job {
                    Job::Append(run, records, done) => appends.push((run, records, Some(done))),
                    Job::Note(run, records) => appends.push((run, records, None)),
                    other => {
                        self.append_all(&mut appends);
                        self.act(other);
                    }
                }
                if appends.len() >= MOST {
                    self.append_all(&mut appends);
                }
            }
            self.append_all(&mut appends);
        }
    }

    /// Does what is no append.
    fn act(&mut self, job: Job) {
        match job {
            Job::Append(..) | Job::Note(..) => {}
            Job::Tests(key, tests, done) => done.done(self.keep_tests(&key, &tests)),
            Job::Work(work, done) => {
                let _ = done.send(self.do_work(work));
            }
            Job::Own(run, owner) => {
                self.broken.remove(&run);
                self.owned.insert(run, owner);
            }
            Job::Disown(gone) => {
                self.owned.retain(|_, owner| *owner != gone);
                self.broken.retain(|run, _| self.owned.contains_key(run));
            }
        }
    }

    fn keep_tests(&mut self, key: &LogKey, tests: &[TestRecord]) -> Result<(), StoreError> {
        let failed = |error| trouble(&self.path, error);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let ours = match self.owned.get(&key.run) {
            Some(owner) => queries::is_owner(&transaction, key.run, owner).map_err(failed)?,
            None => false,
        };
        if !ours {
            return Err(StoreError::not_ours(key.run));
        }
        reports::keep_tests(&transaction, key, tests).map_err(failed)?;
        transaction.commit().map_err(failed)
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
        let mut refused: HashMap<RunId, StoreError> = HashMap::new();
        let result = self.write(&batch, &mut refused);
        for (run, _, done) in batch {
            let error = refused
                .get(&run)
                .or_else(|| self.broken.get(&run))
                .or(result.as_ref().err())
                .map(StoreError::again);
            let result = match error {
                Some(error) => {
                    self.break_off(run, &error);
                    Err(error)
                }
                None => Ok(()),
            };
            if let Some(done) = done {
                done.done(result);
            }
        }
    }

    /// Remembers why the journal of a run that this process drives ends here.
    fn break_off(&mut self, run: RunId, error: &StoreError) {
        if self.owned.contains_key(&run) {
            self.broken.entry(run).or_insert_with(|| error.again());
        }
    }

    fn write(
        &self,
        batch: &[Append],
        refused: &mut HashMap<RunId, StoreError>,
    ) -> Result<(), StoreError> {
        let failed = |error| trouble(&self.path, error);
        // The writer has no transaction open here, as `Connection::transaction` would make sure.
        let transaction =
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
                .map_err(failed)?;
        for (run, records, _) in batch {
            if refused.contains_key(run) || self.broken.contains_key(run) {
                continue;
            }
            let owner = self.owned.get(run);
            let ours = match owner {
                Some(owner) => queries::is_owner(&transaction, *run, owner).map_err(failed)?,
                None => false,
            };
            if !ours {
                refused.insert(*run, StoreError::not_ours(*run));
                continue;
            }
            for record in records {
                queries::append(&transaction, &self.path, record)?;
            }
        }
        transaction.commit().map_err(failed)
    }
}
