//! What can go wrong with an archive.

use std::io;

/// An archive could not be packed or unpacked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ArchiveError {
    kind: ArchiveErrorKind,
    entry: Option<String>,
    message: String,
    #[source]
    source: Option<io::Error>,
}

/// What kind of trouble an archive made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ArchiveErrorKind {
    /// An entry would leave the directory, or is of a kind that has no place in an archive.
    Refused,
    /// The archive holds more than the [`Limits`](super::Limits) allow.
    TooLarge,
    /// The bytes are no archive, or not all of one.
    Malformed,
    /// A glob cannot be read, or leaves its directory.
    Glob,
    /// A directory to pack does not exist.
    NotFound,
    /// The disk is full.
    Full,
    /// Reading or writing failed.
    Io,
}

impl ArchiveError {
    /// An error in words.
    pub(crate) fn new(kind: ArchiveErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            entry: None,
            message: message.into(),
            source: None,
        }
    }

    /// The entry `name` was refused because it `why`.
    #[must_use]
    pub fn refused(name: &str, why: &str) -> Self {
        let kind = ArchiveErrorKind::Refused;
        Self::new(kind, format!("the entry `{name}` was refused: it {why}")).at(name)
    }

    /// Doing `what` to the entry `name` failed.
    #[must_use]
    pub fn io(what: &str, name: &str, source: io::Error) -> Self {
        Self::new(kind_of(&source), format!("could not {what} `{name}`"))
            .at(name)
            .caused_by(source)
    }

    pub(super) fn at(mut self, name: &str) -> Self {
        self.entry = Some(name.to_owned());
        self
    }

    pub(super) fn caused_by(mut self, source: io::Error) -> Self {
        self.source = Some(source);
        self
    }

    /// What kind of trouble it was.
    #[must_use]
    pub fn kind(&self) -> ArchiveErrorKind {
        self.kind
    }

    /// The entry or file it is about, if it is about one.
    #[must_use]
    pub fn entry(&self) -> Option<&str> {
        self.entry.as_deref()
    }
}

/// What kind of trouble a failed read or write is.
pub(super) fn kind_of(error: &io::Error) -> ArchiveErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ArchiveErrorKind::Full,
        _ => ArchiveErrorKind::Io,
    }
}

impl From<ArchiveError> for io::Error {
    fn from(error: ArchiveError) -> Self {
        let kind = match error.kind {
            ArchiveErrorKind::Full => io::ErrorKind::StorageFull,
            ArchiveErrorKind::NotFound => io::ErrorKind::NotFound,
            ArchiveErrorKind::Refused
            | ArchiveErrorKind::Malformed
            | ArchiveErrorKind::TooLarge => io::ErrorKind::InvalidData,
            ArchiveErrorKind::Glob => io::ErrorKind::InvalidInput,
            ArchiveErrorKind::Io => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
