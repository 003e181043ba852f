//! Why a run could not be done.

use crate::executor::ExecutorError;
use crate::scheduler::IllegalTransition;
use crate::store::StoreError;
use crate::workflow::InvalidWorkflow;

/// A run could not be done. A run whose jobs failed is no error but a report.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct RunError {
    kind: RunErrorKind,
    message: String,
    hints: Vec<String>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kind of trouble it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunErrorKind {
    /// The workflow or the options cannot be used.
    Invalid,
    /// The run to go on with is not there.
    NotFound,
    /// Another living process drives the run, or the run has ended.
    NotResumable,
    /// The run store failed.
    Store,
    /// An executor failed outside of any job.
    Executor,
    /// The engine contradicted itself.
    Internal,
}

impl RunError {
    pub(crate) fn new(kind: RunErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hints: Vec::new(),
            source: None,
        }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// What kind of trouble it was.
    #[must_use]
    pub fn kind(&self) -> RunErrorKind {
        self.kind
    }

    /// What to do next.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The problems of the workflow, where those are the trouble.
    #[must_use]
    pub fn invalid_workflow(&self) -> Option<&InvalidWorkflow> {
        self.source.as_ref()?.downcast_ref()
    }
}

impl From<InvalidWorkflow> for RunError {
    fn from(error: InvalidWorkflow) -> Self {
        Self {
            kind: RunErrorKind::Invalid,
            message: error.to_string(),
            hints: error.hints(),
            source: Some(Box::new(error)),
        }
    }
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        let kind = match error.kind() {
            crate::store::StoreErrorKind::NotFound => RunErrorKind::NotFound,
            crate::store::StoreErrorKind::Owned => RunErrorKind::NotResumable,
            _ => RunErrorKind::Store,
        };
        let hints = error.hints().to_vec();
        Self {
            kind,
            message: crate::error::chain(&error),
            hints,
            source: Some(Box::new(error)),
        }
    }
}

impl From<ExecutorError> for RunError {
    fn from(error: ExecutorError) -> Self {
        let hints = error.hints().to_vec();
        let message = crate::error::chain(&error);
        Self {
            kind: RunErrorKind::Executor,
            message,
            hints,
            source: Some(Box::new(error)),
        }
    }
}

impl From<IllegalTransition> for RunError {
    fn from(error: IllegalTransition) -> Self {
        Self::new(
            RunErrorKind::Internal,
            format!("the scheduler contradicted itself: {error}"),
        )
    }
}
