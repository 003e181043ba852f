//! A trigger that cannot be understood or kept.

use crate::job::PatternError;
use crate::store::StoreError;

/// A trigger could not be understood, or its position could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct TriggerError {
    kind: TriggerErrorKind,
    message: String,
    hints: Vec<String>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What is wrong with a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TriggerErrorKind {
    /// A filter is no glob or regular expression.
    Filter,
    /// A parameter is unknown, missing or of another type.
    Parameter,
    /// A schedule's times or time zone cannot be read.
    Schedule,
    /// The store could not keep a position.
    Store,
    /// A repository could not be read.
    Repository,
}

impl TriggerError {
    pub(super) fn new(kind: TriggerErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hints: Vec::new(),
            source: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    #[cfg(feature = "watch")]
    pub(super) fn because(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> TriggerErrorKind {
        self.kind
    }

    /// What to do next.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl From<PatternError> for TriggerError {
    fn from(error: PatternError) -> Self {
        Self::new(TriggerErrorKind::Filter, error.to_string())
    }
}

impl From<StoreError> for TriggerError {
    fn from(error: StoreError) -> Self {
        Self {
            kind: TriggerErrorKind::Store,
            message: "the store cannot keep how far the triggers are".into(),
            hints: error.hints().to_vec(),
            source: Some(Box::new(error)),
        }
    }
}
