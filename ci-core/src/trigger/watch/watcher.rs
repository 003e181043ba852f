//! Watches repositories and hands out what is new.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::events::{Bell, common_dir};
use super::position::{Change, Position};
use super::scan::{ScanOptions, scan};
use crate::store::{OwnerId, RunStore, StoreError, StoreErrorKind};
use crate::trigger::{TriggerError, TriggerErrorKind};

/// How often a repository is looked at that the system sends events for.
const WITH_EVENTS: Duration = Duration::from_secs(30);
/// How often one is looked at that it does not.
const WITHOUT_EVENTS: Duration = Duration::from_secs(2);
/// How soon one is looked at again after an event: a reference in a directory that is new itself may
/// come without an event of its own.
const ECHO: Duration = Duration::from_secs(1);
/// How many changes of a repository are taken at once: each taking writes its position.
const BATCH: usize = 64;
/// How often several processes may get into each other's way before that is an error.
const TRIES: usize = 100;

/// Watches repositories. Positions are in the store, so that nothing is lost or found twice over a
/// restart, and several processes share the work.
///
/// A change that was handed out and not [done](Self::done) when its process died is handed out again:
/// whoever starts a run for it looks first whether the store has one.
pub struct CommitWatcher {
    positions: Positions,
    pub(super) owner: OwnerId,
    options: ScanOptions,
    interval: Option<Duration>,
    repositories: Vec<Watched>,
    pub(super) bell: Bell,
    /// Whether the bell made it look the last time.
    rang: bool,
    /// What was taken and is not handed out yet.
    taken: VecDeque<Found>,
    /// What has to be told when nothing else is there to be given.
    troubles: VecDeque<TriggerError>,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    has_events: bool,
    /// Whether it could not be read when it was last looked at.
    is_troubled: bool,
}

/// A change with the repository that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The repository, as it was given.
    pub repository: PathBuf,
    /// The change.
    pub change: Change,
}

impl std::fmt::Debug for CommitWatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitWatcher")
            .field("repositories", &self.repositories)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl CommitWatcher {
    /// Watches nothing yet; keeps its positions in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn RunStore>) -> Self {
        Self {
            positions: Positions { store },
            owner: OwnerId::for_this_process(),
            options: ScanOptions::default(),
            interval: None,
            repositories: Vec::new(),
            bell: Bell::new(),
            rang: false,
            taken: VecDeque::new(),
            troubles: VecDeque::new(),
        }
    }

    /// How repositories are looked at.
    #[must_use]
    pub fn options(mut self, options: ScanOptions) -> Self {
        self.options = options;
        self
    }

    /// How often repositories are looked at, whatever the system tells. By default every two seconds
    /// where it tells nothing, and every thirty where it does.
    #[must_use]
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Watches the repository that `path` is in: with a working tree, bare, or shallow.
    ///
    /// # Errors
    /// Of kind [`Repository`](TriggerErrorKind::Repository) if there is none.
    pub fn add(&mut self, path: &Path) -> Result<(), TriggerError> {
        let path = std::fs::canonicalize(path).map_err(|error| unreadable(path, error))?;
        crate::vcs::open(&path).map_err(|error| unreadable(&path, error))?;
        let has_events = common_dir(&path).is_some_and(|dir| self.bell.add(&dir));
        self.repositories.push(Watched {
            path,
            has_events,
            is_troubled: false,
        });
        Ok(())
    }

    /// Waits for the next change. Of each repository they come in order. That a repository cannot be read
    /// is told once, until it could be read again, and does not stop the watching of the others.
    ///
    /// Give it a task of its own: what it was about to give when its future is dropped comes again only
    /// after a restart.
    pub async fn next(&mut self) -> Result<Found, TriggerError> {
        loop {
            if let Some(found) = self.try_next().await? {
                return Ok(found);
            }
            // Whichever comes first: something rang, or it is time to look.
            let rang = tokio::time::timeout(self.pause(), self.bell.wait()).await;
            self.rang = rang.is_ok();
        }
    }

    /// The next change that is there already; `None` if there is none now.
    pub async fn try_next(&mut self) -> Result<Option<Found>, TriggerError> {
        if let Some(found) = self.taken.pop_front() {
            return Ok(Some(found));
        }
        for index in 0..self.repositories.len() {
            let Some(path) = self.repositories.get(index).map(|it| it.path.clone()) else {
                continue;
            };
            let looked = self.find(&path).await;
            if let Some(watched) = self.repositories.get_mut(index) {
                let was_troubled = std::mem::replace(&mut watched.is_troubled, looked.is_err());
                self.troubles.extend(looked.err().filter(|_| !was_troubled));
            }
            self.take(&path).await?;
        }
        match (self.taken.pop_front(), self.troubles.pop_front()) {
            (None, Some(trouble)) => Err(trouble),
            (found, trouble) => {
                self.troubles.extend(trouble);
                Ok(found)
            }
        }
    }

    /// The positions, to say from elsewhere that a change is done.
    #[must_use]
    pub fn positions(&self) -> Positions {
        self.positions.clone()
    }

    /// Says that a change is dealt with: it will not be handed out again.
    pub async fn done(&self, found: &Found) -> Result<(), TriggerError> {
        self.positions.done(found).await
    }

    fn pause(&self) -> Duration {
        let all = self.repositories.iter().all(|it| it.has_events);
        let usual = if all { WITH_EVENTS } else { WITHOUT_EVENTS };
        let pause = self.interval.unwrap_or(usual);
        if self.rang { pause.min(ECHO) } else { pause }
    }

    /// Takes of what was found in a repository.
    async fn take(&mut self, path: &Path) -> Result<(), TriggerError> {
        let owner = self.owner.clone();
        let take = |position: &mut Position| {
            let taken = position.take(&owner, BATCH);
            (!taken.is_empty()).then_some(taken)
        };
        let taken = self.positions.update(path, take).await?.unwrap_or_default();
        self.taken.extend(taken.into_iter().map(|change| Found {
            repository: path.to_path_buf(),
            change,
        }));
        Ok(())
    }

    /// Adds what is new in a repository to its position.
    async fn find(&self, path: &Path) -> Result<(), TriggerError> {
        let key = key(path);
        for _ in 0..TRIES {
            let marked = self.positions.store.mark(&key).await?;
            let (mut position, options) = (read(marked.as_deref())?, self.options);
            let repository = path.to_path_buf();
            let scanned = tokio::task::spawn_blocking(move || {
                let before = position.clone();
                scan(&repository, &mut position, options).map(|_| (position != before, position))
            });
            let scanned = scanned.await.map_err(|panic| unreadable(path, panic))?;
            let (changed, position) = scanned.map_err(|error| unreadable(path, error))?;
            let written = !changed
                || self
                    .positions
                    .write(&key, marked.as_deref(), &position)
                    .await?;
            if written {
                return Ok(());
            }
        }
        Err(busy(path))
    }
}

/// How far the watching of each repository is, in a store. Cheap to clone.
#[derive(Clone)]
pub struct Positions {
    store: Arc<dyn RunStore>,
}

impl std::fmt::Debug for Positions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Positions").finish_non_exhaustive()
    }
}

impl Positions {
    /// Says that a change is dealt with: it will not be handed out again.
    pub async fn done(&self, found: &Found) -> Result<(), TriggerError> {
        let number = found.change.number;
        let forget = |position: &mut Position| position.done(number).then_some(());
        self.update(&found.repository, forget).await?;
        Ok(())
    }

    /// How far the watching of a repository is.
    pub async fn of(&self, repository: &Path) -> Result<Position, TriggerError> {
        let marked = self.store.mark(&key(repository)).await?;
        Ok(read(marked.as_deref())?)
    }

    /// Changes a position, as often as it takes until nobody else changed it meanwhile. Nothing is
    /// written where `change` gives nothing.
    async fn update<T>(
        &self,
        repository: &Path,
        mut change: impl FnMut(&mut Position) -> Option<T>,
    ) -> Result<Option<T>, TriggerError> {
        let key = key(repository);
        for _ in 0..TRIES {
            let marked = self.store.mark(&key).await?;
            let mut position = read(marked.as_deref())?;
            let Some(value) = change(&mut position) else {
                return Ok(None);
            };
            if self.write(&key, marked.as_deref(), &position).await? {
                return Ok(Some(value));
            }
        }
        Err(busy(repository))
    }

    async fn write(
        &self,
        key: &str,
        old: Option<&str>,
        position: &Position,
    ) -> Result<bool, StoreError> {
        let text = serde_json::to_string(position).map_err(|error| {
            StoreError::new(StoreErrorKind::Other, "a position cannot be written")
                .with_source(error)
        })?;
        self.store.set_mark(key, old, &text).await
    }
}

fn key(repository: &Path) -> String {
    format!("watch\n{}", repository.display())
}

fn read(marked: Option<&str>) -> Result<Position, StoreError> {
    let Some(text) = marked else {
        return Ok(Position::default());
    };
    serde_json::from_str(text).map_err(|error| {
        StoreError::new(StoreErrorKind::Damaged, "a position cannot be read").with_source(error)
    })
}

fn unreadable(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> TriggerError {
    let message = format!("the repository `{}` cannot be watched", path.display());
    TriggerError::new(TriggerErrorKind::Repository, message).because(source)
}

fn busy(path: &Path) -> TriggerError {
    let message = format!("too many processes watch `{}`", path.display());
    TriggerError::new(TriggerErrorKind::Store, message)
}
