//! The trait of a step.

use std::sync::Arc;

use async_trait::async_trait;

use super::StepContext;
use crate::outcome::Outcome;

/// One unit of work in a job.
///
/// Most programs never implement it: a shell command is [`StepSpec::run`](super::StepSpec::run), and
/// [`step_fn`](super::step_fn()) turns a closure into a step.
///
/// # Contract
/// - Work that ran and did not succeed is `Ok(Outcome::Failed(…))`. An `Err` says that the engine or
///   the executor could not do its work, and becomes an infrastructure failure.
/// - [`StepContext::cancellation`] is canceled when the step has to stop. A step that runs commands
///   through the context needs nothing more; one that waits for something else listens to it. After
///   the grace period of the run the step's future is dropped.
/// - A panic is caught and becomes a failure of the step.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a step",
    label = "not a step",
    note = "wrap a closure with `ci_core::step::step_fn(\"name\", |cx| async move {{ … }})`"
)]
pub trait Step: Send + Sync {
    /// What the step is called where the workflow gives it no name.
    fn name(&self) -> &str;

    /// Does the work.
    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError>;

    /// Does the work in a context of its own. This is what the engine calls; it matters only to steps
    /// that hand the context on, as those of [`step_fn`](super::step_fn()) do.
    async fn run_owned(&self, cx: StepContext) -> Result<Outcome, StepError> {
        self.run(&cx).await
    }

    /// When the step wants its session.
    fn session_use(&self) -> SessionUse {
        SessionUse::AtStart
    }
}

/// When a step wants the session of its job to be prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionUse {
    /// Before the job's first step, so that preparing is not counted as time of a step.
    AtStart,
    /// When it asks for it, which may be never.
    OnDemand,
}

#[async_trait]
impl<T: Step + ?Sized> Step for Arc<T> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        (**self).run(cx).await
    }

    async fn run_owned(&self, cx: StepContext) -> Result<Outcome, StepError> {
        (**self).run_owned(cx).await
    }

    fn session_use(&self) -> SessionUse {
        (**self).session_use()
    }
}

#[async_trait]
impl<T: Step + ?Sized> Step for Box<T> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        (**self).run(cx).await
    }

    async fn run_owned(&self, cx: StepContext) -> Result<Outcome, StepError> {
        (**self).run_owned(cx).await
    }

    fn session_use(&self) -> SessionUse {
        (**self).session_use()
    }
}

/// The engine could not do the work of a step.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StepError {
    message: String,
    kind: ErrorKind,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What stands in a report for the error.
#[derive(Debug, Clone, Copy)]
enum ErrorKind {
    Engine,
    Interrupted,
    OnHold,
}

impl StepError {
    /// The step waits for a person, and the run ends without waiting on.
    #[must_use]
    pub fn on_hold() -> Self {
        let message = "waits for an approval".into();
        Self {
            message,
            kind: ErrorKind::OnHold,
            source: None,
        }
    }

    /// An error in words: a lower-case fragment with values in back-ticks.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            kind: ErrorKind::Engine,
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

    /// The outcome that stands for the error in a report, with the whole chain of causes in words.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let words = crate::error::chain(self).into();
        match self.kind {
            ErrorKind::Engine => Outcome::InfrastructureFailure(words),
            ErrorKind::Interrupted => Outcome::Interrupted(words),
            ErrorKind::OnHold => Outcome::OnHold,
        }
    }
}

impl From<crate::session::SessionError> for StepError {
    fn from(error: crate::session::SessionError) -> Self {
        let kind = match error.kind() {
            crate::session::SessionErrorKind::Interrupted => ErrorKind::Interrupted,
            _ => ErrorKind::Engine,
        };
        Self {
            message: "the session failed".into(),
            kind,
            source: Some(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_used_as_objects() {
        fn object_safe(_: Option<Arc<dyn Step>>, _: Option<Box<dyn Step>>) {}
        object_safe(None, None);
    }
}
