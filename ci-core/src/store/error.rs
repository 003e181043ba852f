//! What can go wrong with a run store.

use crate::id::RunId;

/// A run store could not do its work.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    hints: Vec<String>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kind of trouble a store had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// No run has this id, or it has no such job.
    NotFound,
    /// The disk is full.
    Full,
    /// Another process holds the store for too long.
    Busy,
    /// The file is damaged or no store.
    Damaged,
    /// A newer version of the engine wrote the store.
    Newer,
    /// Another living process drives the run.
    Owned,
    /// A lease or the ownership of a run was lost to another process.
    Lost,
    /// Anything else.
    Other,
}

impl StoreError {
    /// An error in words: a lower-case fragment with values in back-ticks.
    #[must_use]
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hints: Vec::new(),
            source: None,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// What kind of trouble it was.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// What to do next.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// No run has this id.
    pub(super) fn no_run(run: RunId) -> Self {
        let message = format!("the store has no run `{run}`");
        Self::new(StoreErrorKind::NotFound, message).with_hint("`ci runs` lists those it has")
    }

    /// A living owner drives the run.
    pub(super) fn owned(run: RunId) -> Self {
        let message = format!("another process drives the run `{run}`");
        Self::new(StoreErrorKind::Owned, message)
            .with_hint("cancel it first, or wait until it ends")
    }

    /// An owner that was taken for dead asks for something.
    pub(super) fn lost() -> Self {
        let message = "another process took over what this one held";
        Self::new(StoreErrorKind::Lost, message)
    }

    /// Somebody who does not drive a run adds to its journal.
    pub(super) fn not_ours(run: RunId) -> Self {
        let message = format!("the run `{run}` belongs to another process now");
        Self::new(StoreErrorKind::Lost, message)
    }

    /// The same error for another who waits for the same work.
    #[cfg(feature = "sqlite")]
    pub(super) fn again(&self) -> Self {
        let mut copy = Self::new(self.kind, crate::error::chain(self));
        copy.hints.clone_from(&self.hints);
        copy
    }
}
