//! What can go wrong with a storage.

use std::io;
use std::path::Path;

use crate::archive::{ArchiveError, ArchiveErrorKind};

/// A storage could not do its work.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StorageError {
    kind: StorageErrorKind,
    message: String,
    hints: Vec<String>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kind of trouble a storage had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StorageErrorKind {
    /// It does not hold what was asked for.
    NotFound,
    /// The disk is full, or something is larger than the storage may become.
    Full,
    /// What it holds is not what was put there.
    Damaged,
    /// Anything else.
    Other,
}

impl StorageError {
    /// An error in words: a lower-case fragment with values in back-ticks.
    pub(crate) fn new(kind: StorageErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hints: Vec::new(),
            source: None,
        }
    }

    pub(super) fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Doing `what` to `path` failed.
    pub(super) fn io(what: &str, path: &Path, error: io::Error) -> Self {
        let words = format!("could not {what} `{}`", path.display());
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::full(words),
            io::ErrorKind::NotFound => Self::new(StorageErrorKind::NotFound, words),
            _ => Self::new(StorageErrorKind::Other, words),
        }
        .with_source(error)
    }

    fn full(words: String) -> Self {
        Self::new(StorageErrorKind::Full, words).with_hint(
            "free space on the disk, remove old caches and runs, or put the storage elsewhere",
        )
    }

    /// What kind of trouble it was.
    #[must_use]
    pub fn kind(&self) -> StorageErrorKind {
        self.kind
    }

    /// What to do next.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl From<ArchiveError> for StorageError {
    fn from(error: ArchiveError) -> Self {
        let words = "the files could not be moved".to_owned();
        match error.kind() {
            ArchiveErrorKind::Full => Self::full(words),
            ArchiveErrorKind::NotFound => Self::new(StorageErrorKind::NotFound, words),
            _ => Self::new(StorageErrorKind::Other, words),
        }
        .with_source(error)
    }
}
