//! The trait of a place where jobs run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::id::RunId;
use crate::job::JobSpec;
use crate::session::{Output, Session};

/// A place where jobs run: this machine, a container engine, rented machines.
///
/// # Contract
/// - [`prepare`](Self::prepare) may take minutes. When the request's token is canceled it gives up
///   soon and leaves nothing behind. If it fails it has cleaned up after itself.
/// - It makes the working directory that the job names, if it is not there.
/// - What it makes carries the run's id as a label, so that [`reap`](Self::reap) can find it after
///   the process that made it is gone.
/// - It is shared by all jobs of all runs; what jobs share belongs to it and is counted there.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an executor",
    note = "wrap a closure that prepares sessions with `ci_core::executor::executor_fn`"
)]
pub trait Executor: Send + Sync {
    /// The name by which settings and jobs pick it.
    fn name(&self) -> &str;

    /// How many sessions it can have at once; no limit of its own by default.
    fn limit(&self) -> Option<usize> {
        None
    }

    /// Makes the place where one attempt of a job runs.
    async fn prepare(&self, request: PrepareRequest<'_>)
    -> Result<Box<dyn Session>, ExecutorError>;

    /// Waits until nothing is left of what sessions of this process leave to others when they are torn
    /// down, such as ended containers that an engine removes. Every run does it at its end.
    async fn settle(&self, run: RunId) -> Result<ReapReport, ExecutorError> {
        let _ = run;
        Ok(ReapReport::default())
    }

    /// Ends and removes what dead processes left behind.
    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
        let _ = scope;
        Ok(ReapReport::default())
    }
}

/// What an executor is asked to prepare a session for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PrepareRequest<'a> {
    /// The run.
    pub run: RunId,
    /// The job.
    pub job: &'a JobSpec,
    /// Counts from 1.
    pub attempt: u32,
    /// The variables of every command, secrets included.
    pub env: &'a BTreeMap<String, String>,
    /// The directory of the project on this machine, if the run has one.
    pub project_dir: Option<PathBuf>,
    /// Processor time that the job gets, in thousandths of a core, where its resource class, its labels
    /// or the settings say so.
    pub cpu_milli: Option<u32>,
    /// Memory that the job gets, in MiB, where its resource class, its labels or the settings say so.
    pub memory_mib: Option<u32>,
    /// Takes what there is to say about preparing, such as the progress of a pull.
    pub output: Output,
    /// Canceled when preparing has to stop.
    pub cancel: CancellationToken,
}

impl<'a> PrepareRequest<'a> {
    /// The first attempt of `job` in `run`.
    #[must_use]
    pub fn new(run: RunId, job: &'a JobSpec, env: &'a BTreeMap<String, String>) -> Self {
        Self {
            run,
            job,
            attempt: 1,
            env,
            project_dir: None,
            cpu_milli: None,
            memory_mib: None,
            output: Output::discard(),
            cancel: CancellationToken::new(),
        }
    }
}

/// What to look for when cleaning up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReapScope {
    /// Everything that belongs to this run.
    Run(RunId),
    /// Everything of ours whose owner is gone.
    Abandoned,
}

/// What was cleaned up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReapReport {
    /// What was ended or removed, in words.
    pub removed: Vec<String>,
    /// What could not be, and why.
    pub left: Vec<String>,
}

/// A pointer to an executor is what it points to.
macro_rules! by_pointer {
    ($pointer:ident) => {
        #[async_trait]
        impl<T: Executor + ?Sized> Executor for $pointer<T> {
            fn name(&self) -> &str {
                (**self).name()
            }

            fn limit(&self) -> Option<usize> {
                (**self).limit()
            }

            async fn prepare(
                &self,
                request: PrepareRequest<'_>,
            ) -> Result<Box<dyn Session>, ExecutorError> {
                (**self).prepare(request).await
            }

            async fn settle(&self, run: RunId) -> Result<ReapReport, ExecutorError> {
                (**self).settle(run).await
            }

            async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
                (**self).reap(scope).await
            }
        }
    };
}

by_pointer!(Arc);
by_pointer!(Box);

/// An executor could not do its work.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ExecutorError {
    kind: ExecutorErrorKind,
    message: String,
    hints: Vec<String>,
    option: Option<String>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kind of trouble an executor had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExecutorErrorKind {
    /// The job asks for something that the executor does not have.
    Unsupported,
    /// There is no capacity now; a later attempt may succeed.
    Capacity,
    /// The job asks for something that the executor does not have, and is to be skipped for that.
    Skipped,
    /// Preparing was canceled.
    Canceled,
    /// Preparing took too long.
    TimedOut,
    /// Anything else.
    Other,
}

impl ExecutorError {
    /// An error in words: a lower-case fragment with values in back-ticks.
    #[must_use]
    pub fn new(kind: ExecutorErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hints: Vec::new(),
            option: None,
            source: None,
        }
    }

    /// Names the option of the executor that it is about, as the keys that lead to it with dots between.
    #[must_use]
    pub fn with_option(mut self, option: impl Into<String>) -> Self {
        self.option = Some(option.into());
        self
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
    pub fn kind(&self) -> ExecutorErrorKind {
        self.kind
    }

    /// The option of the executor that it is about, if it is about one.
    #[must_use]
    pub fn option(&self) -> Option<&str> {
        self.option.as_deref()
    }

    /// What to do next.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executors_are_used_as_objects() {
        fn object_safe(_: Option<Arc<dyn Executor>>, _: Option<Box<dyn Executor>>) {}
        object_safe(None, None);
    }
}
