//! The directory itself: where it is, its limits, and its lock.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{StorageError, StorageErrorKind};

/// How old an object that nothing refers to has to be before [`Storage::gc`] takes it: somebody may
/// be about to refer to it.
const GRACE: Duration = Duration::from_hours(24);

/// Where caches, workspaces and artifacts are kept: a directory that any number of threads and
/// processes may use at once.
///
/// All methods block for as long as a disk does; call them off the async threads.
#[derive(Debug, Clone)]
pub struct Storage {
    root: PathBuf,
    cache_limit: Option<u64>,
    grace: Duration,
}

impl Storage {
    /// Opens the storage in `root`, which is made if it is missing.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StorageError> {
        let root = root.into();
        for dir in ["objects", "caches", "runs", "tmp"] {
            let path = root.join(dir);
            fs::create_dir_all(&path).map_err(|error| StorageError::io("make", &path, error))?;
        }
        // Absolute, so that the program may change its working directory.
        let root = root
            .canonicalize()
            .map_err(|error| StorageError::io("open", &root, error))?;
        Ok(Self {
            root,
            cache_limit: None,
            grace: GRACE,
        })
    }

    /// Opens the user's storage: `$XDG_CACHE_HOME/ci-core`, else `~/.cache/ci-core` (on Windows
    /// `%LOCALAPPDATA%\ci-core`), as the XDG Base Directory Specification has it.
    pub fn open_default() -> Result<Self, StorageError> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        let caches = variable("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| variable("LOCALAPPDATA").filter(|_| cfg!(windows)))
            .or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
        let Some(caches) = caches else {
            let words = "nobody knows where the user's caches are";
            return Err(StorageError::new(StorageErrorKind::NotFound, words)
                .with_hint("set XDG_CACHE_HOME or HOME, or name a directory"));
        };
        Self::open(caches.join("ci-core"))
    }

    /// Limits how many bytes all caches may take together; those unused for longest go first. There
    /// is no limit by default.
    #[must_use]
    pub fn cache_limit(mut self, bytes: u64) -> Self {
        self.cache_limit = Some(bytes);
        self
    }

    /// Sets for how long [`gc`](Self::gc) spares what nothing refers to yet; a day by default.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn limit(&self) -> Option<u64> {
        self.cache_limit
    }

    pub(super) fn grace_period(&self) -> Duration {
        self.grace
    }

    pub(super) fn temp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Keeps every other thread and process from giving names and removing objects until the guard
    /// is dropped, or its process dies. Held only for moments, never while contents are written.
    pub(super) fn lock(&self) -> Result<Guard, StorageError> {
        let path = self.root.join("lock");
        let failed = |error| StorageError::io("lock", &path, error);
        // A descriptor of its own for each guard: that is what the lock belongs to.
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(Guard { _file: file })
    }
}

/// The lock, while it is held.
#[derive(Debug)]
pub(super) struct Guard {
    _file: File,
}
