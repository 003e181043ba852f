//! Why a report could not be read at all.

use std::io;

/// Nothing of a report could be read, or its bytes could not.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CoverageError {
    kind: CoverageErrorKind,
    message: String,
    #[source]
    source: Option<io::Error>,
}

/// What kept a report from being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CoverageErrorKind {
    /// The bytes could not be read.
    Io,
    /// The content is of no format that is known.
    UnknownFormat,
    /// A glob or a mapping of paths cannot be used.
    Paths,
}

impl CoverageError {
    pub(super) fn new(kind: CoverageErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// What kept it from being read.
    pub fn kind(&self) -> CoverageErrorKind {
        self.kind
    }
}

impl From<io::Error> for CoverageError {
    fn from(source: io::Error) -> Self {
        Self {
            kind: CoverageErrorKind::Io,
            message: "could not read the report".to_owned(),
            source: Some(source),
        }
    }
}
