//! Why a report could not be read.

/// Why a report of findings could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct FindingsError {
    kind: FindingsErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingsErrorKind {
    /// It could not be read to its end.
    Io,
    /// It is larger than any honest one.
    TooLarge,
    /// It is no JSON.
    Malformed,
    /// It is JSON, but no report that is known.
    UnknownFormat,
}

impl FindingsError {
    pub(super) fn new(kind: FindingsErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    pub(super) fn because(
        mut self,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> FindingsErrorKind {
        self.kind
    }
}
