//! A limit on how many sessions exist at once.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::executor::{
    Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapReport, ReapScope,
};
use crate::id::RunId;
use crate::session::{
    Command, ExecIo, ExitStatus, KeptTrees, Session, SessionError, SessionInfo, TreeReader,
    TreeSelection,
};

/// Lets at most so many sessions exist at once. Who comes later waits, in the order of coming, until
/// another session was torn down or the request is canceled. Clones share the limit.
#[derive(Debug, Clone)]
pub struct LimitSessions<E> {
    inner: E,
    limit: usize,
    free: Arc<Semaphore>,
}

impl<E> LimitSessions<E> {
    /// Lets `inner` have up to `limit` sessions (at least one).
    pub fn new(inner: E, limit: usize) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            inner,
            limit,
            free: Arc::new(Semaphore::new(limit)),
        }
    }
}

#[async_trait]
impl<E: Executor> Executor for LimitSessions<E> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn limit(&self) -> Option<usize> {
        let inner = self.inner.limit();
        Some(inner.map_or(self.limit, |inner| inner.min(self.limit)))
    }

    async fn prepare(
        &self,
        request: PrepareRequest<'_>,
    ) -> Result<Box<dyn Session>, ExecutorError> {
        let canceled = || {
            let text = "preparing was canceled while it waited for another session to end";
            ExecutorError::new(ExecutorErrorKind::Canceled, text)
        };
        let permit = tokio::select! {
            biased;
            () = request.cancel.cancelled() => return Err(canceled()),
            permit = Arc::clone(&self.free).acquire_owned() => permit.map_err(|_| canceled())?,
        };
        let inner = self.inner.prepare(request).await?;
        Ok(Box::new(Limited {
            inner,
            permit: Mutex::new(Some(permit)),
        }))
    }

    async fn settle(&self, run: RunId) -> Result<ReapReport, ExecutorError> {
        self.inner.settle(run).await
    }

    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
        self.inner.reap(scope).await
    }
}

/// A session that holds a place until it is torn down.
struct Limited {
    inner: Box<dyn Session>,
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

impl fmt::Debug for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limited").finish_non_exhaustive()
    }
}

#[async_trait]
impl Session for Limited {
    fn info(&self) -> &SessionInfo {
        self.inner.info()
    }

    fn kept_trees(&self) -> Option<Arc<dyn KeptTrees>> {
        self.inner.kept_trees()
    }

    async fn exec(&self, command: &Command, io: ExecIo) -> Result<ExitStatus, SessionError> {
        self.inner.exec(command, io).await
    }

    async fn copy_in(&self, tree: TreeReader, dir: &str) -> Result<(), SessionError> {
        self.inner.copy_in(tree, dir).await
    }

    async fn copy_out(&self, selection: &TreeSelection) -> Result<TreeReader, SessionError> {
        self.inner.copy_out(selection).await
    }

    async fn teardown(&self) -> Result<(), SessionError> {
        let done = self.inner.teardown().await;
        let permit = self
            .permit
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(permit);
        done
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fake::{Answer, Fake, prepare};
    use super::*;
    use crate::executor::ExecutorExt;
    use tokio_util::sync::CancellationToken;

    fn ready() -> Answer {
        Answer::After(Duration::ZERO)
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_again_after_teardown() {
        let executor = Fake::new([ready(), ready()]).limit_sessions(1);
        assert_eq!(executor.limit(), Some(1));
        let never = CancellationToken::new();
        let first = prepare(&executor, &never).await.unwrap();
        let mut second = Box::pin(prepare(&executor, &never));
        let waiting = tokio::time::timeout(Duration::from_hours(1), &mut second).await;
        assert!(waiting.is_err());
        first.teardown().await.unwrap();
        assert!(second.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_when_the_request_is_canceled() {
        let executor = Fake::new([ready()]).limit_sessions(1);
        let cancel = CancellationToken::new();
        let _first = prepare(&executor, &cancel).await.unwrap();
        let (second, ()) = tokio::join!(prepare(&executor, &cancel), async { cancel.cancel() });
        assert_eq!(second.err().unwrap().kind(), ExecutorErrorKind::Canceled);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_to_prepare_takes_no_place() {
        let fail = Answer::Fail(ExecutorErrorKind::Other);
        let executor = Fake::new([fail, ready()]).limit_sessions(1);
        let never = CancellationToken::new();
        assert!(prepare(&executor, &never).await.is_err());
        assert!(prepare(&executor, &never).await.is_ok());
    }
}
