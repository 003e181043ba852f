//! A closure as an executor.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;

use super::{Executor, ExecutorError, PrepareRequest};
use crate::session::Session;

/// The session that a closure prepares, on its way.
pub type Preparing<'a> =
    Pin<Box<dyn Future<Output = Result<Box<dyn Session>, ExecutorError>> + Send + 'a>>;

/// Turns a closure that prepares sessions into an executor. It has no limit, and nothing to reap.
///
/// ```
/// # #[cfg(feature = "local")] {
/// use ci_core::executor::{Executor, LocalExecutor, executor_fn};
///
/// let inner = LocalExecutor::new();
/// let patient = executor_fn("patient", move |request| {
///     let inner = inner.clone();
///     Box::pin(async move {
///         request.output.say("waiting for the build farm").await;
///         inner.prepare(request).await
///     })
/// });
/// assert_eq!(patient.name(), "patient");
/// # }
/// ```
pub fn executor_fn<F>(name: impl Into<String>, prepare: F) -> ExecutorFn<F>
where
    F: for<'a> Fn(PrepareRequest<'a>) -> Preparing<'a> + Send + Sync,
{
    ExecutorFn {
        name: name.into(),
        prepare,
    }
}

/// A closure as an executor, made by [`executor_fn`].
#[derive(Clone)]
pub struct ExecutorFn<F> {
    name: String,
    prepare: F,
}

impl<F> fmt::Debug for ExecutorFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ExecutorFn").field(&self.name).finish()
    }
}

#[async_trait]
impl<F> Executor for ExecutorFn<F>
where
    F: for<'a> Fn(PrepareRequest<'a>) -> Preparing<'a> + Send + Sync,
{
    fn name(&self) -> &str {
        &self.name
    }

    async fn prepare(
        &self,
        request: PrepareRequest<'_>,
    ) -> Result<Box<dyn Session>, ExecutorError> {
        (self.prepare)(request).await
    }
}
