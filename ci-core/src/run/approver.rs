//! Who decides about held jobs from code.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

use crate::id::RunId;

/// A question about a held job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApprovalRequest {
    /// The run.
    pub run: RunId,
    /// The job that waits.
    pub job: Arc<str>,
    /// What is asked.
    pub prompt: Option<String>,
}

impl ApprovalRequest {
    pub(crate) fn new(run: RunId, job: Arc<str>, prompt: Option<String>) -> Self {
        Self { run, job, prompt }
    }
}

/// Decides about held jobs. Whoever answers first decides: an approver, the handle, or another process
/// through the store.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an approver",
    note = "wrap a closure with `ci_core::run::approve_fn`"
)]
pub trait Approver: Send + Sync {
    /// Whether the job may go on; `None` leaves the decision to others.
    async fn decide(&self, request: &ApprovalRequest) -> Option<bool>;
}

/// Turns an async closure into an approver.
pub fn approve_fn<F, Fut>(decide: F) -> ApproveFn<F>
where
    F: Fn(ApprovalRequest) -> Fut + Send + Sync,
    Fut: Future<Output = Option<bool>> + Send,
{
    ApproveFn(decide)
}

/// A closure as an approver, made by [`approve_fn`].
#[derive(Clone, Copy)]
pub struct ApproveFn<F>(F);

impl<F> fmt::Debug for ApproveFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApproveFn")
    }
}

#[async_trait]
impl<F, Fut> Approver for ApproveFn<F>
where
    F: Fn(ApprovalRequest) -> Fut + Send + Sync,
    Fut: Future<Output = Option<bool>> + Send,
{
    async fn decide(&self, request: &ApprovalRequest) -> Option<bool> {
        (self.0)(request.clone()).await
    }
}
