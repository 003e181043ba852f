//! The store: reads on one connection, writes through the one thread that does.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;

use super::connection::{check_length, connect, hold};
use super::leases;
use super::marks;
use super::queries;
use super::reports;
use super::schema::migrate;
use super::trouble::{trouble, unreadable};
use super::writer::Writer;
use crate::clock::{Clock, Timestamp};
use crate::event::{EventRecord, TestRecord};
use crate::held::Hold;
use crate::id::RunId;
use crate::store::log::{Expected, LogDir, private_dir};
use crate::store::{
    Commit, CoverageEntry, Lease, LeaseRequest, LogKey, LogPart, LogQuery, LogWriter, NewRun,
    OwnerId, Request, RequestRecord, Retention, RunPage, RunQuery, RunStore, StoreError,
    StoreErrorKind, StoredRun, TestEntry, TestQuery,
};

/// How long to wait for another process that holds the file.
const PATIENCE: Duration = Duration::from_secs(10);
/// After how long without a heartbeat an owner on another machine counts as dead.
const TTL: Duration = Duration::from_secs(15);

/// What a committed event survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// The end of every process, also by kill -9, but not a loss of power: SQLite's `synchronous =
    /// NORMAL`.
    Process,
    /// Also a loss of power: SQLite's `synchronous = FULL`.
    #[default]
    Power,
}

/// A run store in a SQLite file, with the logs in a directory beside it.
#[derive(Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    writer: Writer,
    clock: Clock,
    /// The last one here and in what is shared, and so dropped after either connection was closed.
    _hold: Arc<Hold>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    reader: Mutex<Connection>,
    logs: LogDir,
    ttl: Duration,
    _hold: Arc<Hold>,
}

impl SqliteStore {
    /// Opens the store at `path`, or makes it with the directories above it.
    ///
    /// # Errors
    /// Of kind [`Damaged`](StoreErrorKind::Damaged) if the file is no run store,
    /// [`Newer`](StoreErrorKind::Newer) if a newer version wrote it, [`Busy`](StoreErrorKind::Busy) if
    /// another process holds it for ten seconds. The file is not changed then.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::open_with(path, Durability::default(), PATIENCE)
    }

    /// Opens the store with a choice of what a committed event survives, and of how long to wait for
    /// other processes.
    pub fn open_with(
        path: impl Into<PathBuf>,
        durability: Durability,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let path = path.into();
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            private_dir(dir).map_err(|error| {
                let message = format!("`{}` could not be made", dir.display());
                StoreError::new(StoreErrorKind::Other, message).with_source(error)
            })?;
        }
        let mut logs = path.clone().into_os_string();
        logs.push(".logs");
        let logs = PathBuf::from(logs);
        check_length(&path, &logs)?;
        // Before anything is open, so that nobody opens it meanwhile.
        let hold = Arc::new(hold(&path));
        let mut connection = connect(&path, durability, patience)?;
        migrate(&mut connection, &path)?;
        let reader = connect(&path, durability, patience)?;
        hold.refresh();
        let writer = Writer::start(connection, path.clone())?;
        let shared = Shared {
            path,
            reader: Mutex::new(reader),
            logs: LogDir::new(logs),
            ttl: TTL,
            _hold: Arc::clone(&hold),
        };
        Ok(Self {
            shared: Arc::new(shared),
            writer,
            clock: Clock::system(),
            _hold: hold,
        })
    }

    /// Where time comes from: it decides whether an owner on another machine still lives. The
    /// machine's own clock by default.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Opens the user's own store, which is at the [default path](Self::default_path).
    pub fn open_default() -> Result<Self, StoreError> {
        Self::open(Self::default_path()?)
    }

    /// Where the user's own store is: `ci-core/runs.db` in the state directory (`XDG_STATE_HOME`, else
    /// `~/.local/state`; XDG Base Directory Specification 0.8).
    pub fn default_path() -> Result<PathBuf, StoreError> {
        let absolute = |path: &PathBuf| path.is_absolute();
        let state = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .filter(absolute);
        let state = state.or_else(|| Some(std::env::home_dir()?.join(".local/state")));
        let state = state.ok_or_else(|| {
            StoreError::new(StoreErrorKind::Other, "no home directory to keep runs in")
                .with_hint("give the store's file with `--store`")
        })?;
        Ok(state.join("ci-core/runs.db"))
    }

    /// The store's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection, &Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        let read = move || {
            let connection = shared.reader.lock().unwrap_or_else(PoisonError::into_inner);
            // All of one moment: else a run that ends between two looks would be taken for a dead one.
            let moment = connection.unchecked_transaction();
            let moment = moment.map_err(|error| trouble(&shared.path, error))?;
            read(&moment, &shared)
        };
        blocking(read).await
    }

    /// Removes a run with its logs, unless somebody goes on with it. It stays if its logs cannot go.
    async fn remove(&self, id: String) -> Result<Option<RunId>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let remove = move |connection: &Connection| {
            let run: RunId = id
                .parse()
                .map_err(|error| unreadable(&shared.path, "the id", &id, error))?;
            let removed = queries::remove_ended(connection, &id);
            if !removed.map_err(|error| trouble(&shared.path, error))? {
                return Ok(None);
            }
            shared.logs.remove(run)?;
            Ok(Some(run))
        };
        self.writer.work(remove).await
    }

    /// Does something on the connection that writes, to make it fail.
    #[cfg(test)]
    pub(super) async fn on_writer(&self, act: impl FnOnce(&Connection) + Send + 'static) {
        let acted = self.writer.work(move |connection| {
            act(connection);
            Ok(())
        });
        acted.await.expect("the writer works");
    }

    fn now(&self) -> Timestamp {
        self.clock.wall()
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| {
            Err(StoreError::new(StoreErrorKind::Other, "reading panicked").with_source(panic))
        })
}

#[async_trait]
impl RunStore for SqliteStore {
    async fn create(&self, run: NewRun, owner: &OwnerId) -> Result<(), StoreError> {
        let (id, owner, now) = (run.id, owner.clone(), self.now());
        let (path, owner_again) = (self.shared.path.clone(), owner.clone());
        self.writer
            .work(move |connection| queries::create(connection, &path, &run, &owner, now))
            .await?;
        self.writer.own(id, owner_again);
        Ok(())
    }

    async fn own(&self, run: RunId, owner: &OwnerId) -> Result<Vec<Lease>, StoreError> {
        let (shared, new, now) = (Arc::clone(&self.shared), owner.clone(), self.now());
        let places = self
            .writer
            .work(move |connection| {
                let failed = |error| trouble(&shared.path, error);
                let old = queries::owner_of(connection, run).map_err(failed)?;
                let old = old.ok_or_else(|| StoreError::no_run(run))?;
                if !old.is_empty() {
                    if queries::lives(connection, &old, now, shared.ttl).map_err(failed)? {
                        return Err(StoreError::owned(run));
                    }
                    leases::hand_on(connection, run, &new).map_err(failed)?;
                    queries::disown(connection, &old).map_err(failed)?;
                }
                queries::own(connection, run, &new, now).map_err(failed)?;
                leases::of(connection, &new).map_err(failed)
            })
            .await?;
        self.writer.own(run, owner.clone());
        Ok(places)
    }

    fn append(&self, run: RunId, records: Vec<EventRecord>) -> Commit {
        self.writer.append(run, records)
    }

    fn note(&self, run: RunId, records: Vec<EventRecord>) {
        self.writer.note(run, records);
    }

    async fn load(&self, run: RunId) -> Result<StoredRun, StoreError> {
        let now = self.now();
        self.read(move |connection, shared| {
            let path = &shared.path;
            let (row, spec, facts) =
                queries::run(connection, path, run)?.ok_or_else(|| StoreError::no_run(run))?;
            let summary = row.summary(connection, path, now, shared.ttl)?;
            let spec = serde_json::from_str(&spec)
                .map_err(|error| unreadable(path, "the workflow", &run, error))?;
            let facts = serde_json::from_str(&facts)
                .map_err(|error| unreadable(path, "the facts", &run, error))?;
            let journal = queries::journal(connection, path, run)?;
            Ok(StoredRun::new(summary, Arc::new(spec), facts, journal))
        })
        .await
    }

    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        let (query, now) = (query.clone(), self.now());
        self.read(move |connection, shared| {
            let path = &shared.path;
            let (total, rows) =
                queries::runs(connection, &query).map_err(|error| trouble(path, error))?;
            let summaries = rows
                .into_iter()
                .map(|row| row.summary(connection, path, now, shared.ttl));
            Ok(RunPage {
                total,
                runs: summaries.collect::<Result<_, _>>()?,
            })
        })
        .await
    }

    async fn durations(&self, workflow: &str) -> Result<HashMap<Arc<str>, Duration>, StoreError> {
        let workflow = workflow.to_owned();
        self.read(move |connection, shared| {
            queries::durations(connection, &workflow).map_err(|error| trouble(&shared.path, error))
        })
        .await
    }

    async fn request(&self, request: Request) -> Result<(), StoreError> {
        let path = self.shared.path.clone();
        self.writer
            .work(move |connection| queries::request(connection, &path, &request))
            .await
    }

    async fn requests(&self, run: RunId, seq: u64) -> Result<Vec<RequestRecord>, StoreError> {
        self.read(move |connection, shared| queries::requests(connection, &shared.path, run, seq))
            .await
    }

    async fn abandoned(&self, group: &str) -> Result<Vec<RunId>, StoreError> {
        let (shared, group, now) = (Arc::clone(&self.shared), group.to_owned(), self.now());
        self.writer
            .work(move |connection| {
                let found = leases::abandoned(connection, &group, now, shared.ttl);
                found.map_err(|error| trouble(&shared.path, error))
            })
            .await
    }

    async fn acquire(&self, request: &LeaseRequest) -> Result<Option<Lease>, StoreError> {
        let (shared, request, now) = (Arc::clone(&self.shared), request.clone(), self.now());
        self.writer
            .work(move |connection| {
                let failed = |error| trouble(&shared.path, error);
                if !leases::knows(connection, &request.owner).map_err(failed)? {
                    return Err(StoreError::lost());
                }
                leases::acquire(connection, &request, now, shared.ttl).map_err(failed)
            })
            .await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let (path, lease) = (self.shared.path.clone(), lease.clone());
        self.writer
            .work(move |connection| {
                leases::release(connection, &lease).map_err(|error| trouble(&path, error))
            })
            .await
    }

    async fn heartbeat(&self, owner: &OwnerId) -> Result<(), StoreError> {
        let (path, owner, now) = (self.shared.path.clone(), owner.clone(), self.now());
        self.writer
            .work(move |connection| {
                let known = queries::beat(connection, &owner, now, false)
                    .map_err(|error| trouble(&path, error))?;
                if known {
                    Ok(())
                } else {
                    Err(StoreError::lost())
                }
            })
            .await
    }

    async fn disown(&self, owner: &OwnerId) -> Result<(), StoreError> {
        let (path, gone) = (self.shared.path.clone(), owner.clone());
        self.writer
            .work(move |connection| {
                queries::disown(connection, &gone.0).map_err(|error| trouble(&path, error))
            })
            .await?;
        self.writer.disown(owner.clone());
        self.shared.logs.close_idle();
        Ok(())
    }

    fn log(&self, key: &LogKey) -> Result<Box<dyn LogWriter>, StoreError> {
        self.shared.logs.open(key)
    }

    async fn logged_steps(&self, query: &LogQuery) -> Result<Vec<LogKey>, StoreError> {
        let (shared, query) = (Arc::clone(&self.shared), query.clone());
        blocking(move || shared.logs.steps(&query)).await
    }

    async fn read_part(
        &self,
        key: &LogKey,
        position: u64,
        most: usize,
    ) -> Result<LogPart, StoreError> {
        let (shared, key) = (Arc::clone(&self.shared), key.clone());
        blocking(move || shared.logs.read_part(&key, position, most)).await
    }

    async fn log_damage(&self, run: RunId) -> Result<Vec<StoreError>, StoreError> {
        let stored = self.load(run).await?;
        if stored.summary.active {
            return Ok(Vec::new());
        }
        let (shared, expected) = (Arc::clone(&self.shared), Expected::of(&stored));
        blocking(move || shared.logs.damage(run, expected)).await
    }

    fn keep_tests(&self, key: &LogKey, tests: Vec<TestRecord>) -> Commit {
        self.writer.keep_tests(key.clone(), tests)
    }

    async fn tests(&self, query: &TestQuery) -> Result<Vec<TestEntry>, StoreError> {
        let query = query.clone();
        self.read(move |connection, shared| {
            reports::tests(connection, &query).map_err(|error| trouble(&shared.path, error))
        })
        .await
    }

    async fn coverage(&self, query: &TestQuery) -> Result<Vec<CoverageEntry>, StoreError> {
        let query = query.clone();
        self.read(move |connection, shared| {
            reports::coverage(connection, &query).map_err(|error| trouble(&shared.path, error))
        })
        .await
    }

    async fn version(&self) -> Result<Option<u64>, StoreError> {
        // Everything is written on other connections than the one that reads
        // (<https://www.sqlite.org/pragma.html#pragma_data_version>).
        self.read(|connection, shared| {
            let version = connection.pragma_query_value(None, "data_version", |row| row.get(0));
            version
                .map(|version: i64| u64::try_from(version).ok())
                .map_err(|error| trouble(&shared.path, error))
        })
        .await
    }

    async fn prune(&self, retention: &Retention) -> Result<Vec<RunId>, StoreError> {
        let now = self.now();
        let ended = self
            .read(|connection, shared| {
                queries::ended(connection).map_err(|error| trouble(&shared.path, error))
            })
            .await?;
        let gone = (0u64..)
            .zip(ended)
            .filter(|(place, (_, created))| retention.drops(*place, now.since(*created)));
        let (mut removed, mut trouble) = (Vec::new(), None);
        for (_, (id, _)) in gone {
            // One by one: others want to write, and one that cannot be removed keeps no other.
            match self.remove(id).await {
                Ok(run) => removed.extend(run),
                Err(error) => {
                    let ends = matches!(error.kind(), StoreErrorKind::Busy | StoreErrorKind::Full);
                    trouble.get_or_insert(error);
                    if ends {
                        break;
                    }
                }
            }
        }
        match trouble {
            Some(error) if removed.is_empty() => Err(error),
            _ => Ok(removed),
        }
    }

    async fn mark(&self, key: &str) -> Result<Option<String>, StoreError> {
        let key = key.to_owned();
        self.read(move |connection, shared| {
            marks::get(connection, &key).map_err(|error| trouble(&shared.path, error))
        })
        .await
    }

    async fn set_mark(&self, key: &str, old: Option<&str>, new: &str) -> Result<bool, StoreError> {
        let path = self.shared.path.clone();
        let (key, old, new) = (key.to_owned(), old.map(str::to_owned), new.to_owned());
        self.writer
            .work(move |connection| {
                marks::set(connection, &key, old.as_deref(), &new)
                    .map_err(|error| trouble(&path, error))
            })
            .await
    }
}
