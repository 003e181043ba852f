//! A repository that cannot answer.

/// A repository could not be asked, or has no answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct VcsError {
    kind: VcsErrorKind,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Why a repository has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VcsErrorKind {
    /// There is no repository.
    NotARepository,
    /// It has no such revision.
    UnknownRevision,
    /// Two revisions have no common ancestor, as happens in a shallow clone.
    NoCommonAncestor,
    /// Anything else.
    Other,
}

impl VcsError {
    pub(super) fn new(kind: VcsErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    pub(super) fn because(mut self, source: git2::Error) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Why there is no answer.
    #[must_use]
    pub fn kind(&self) -> VcsErrorKind {
        self.kind
    }
}

/// For errors that no kind of its own stands for: `what` could not be done.
pub(crate) fn other(what: &'static str) -> impl Fn(git2::Error) -> VcsError {
    move |error| VcsError::new(VcsErrorKind::Other, what).because(error)
}
