//! A limit on how long preparing a session may take.

use std::time::Duration;

use async_trait::async_trait;

use crate::executor::{
    Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapReport, ReapScope,
};
use crate::id::RunId;
use crate::session::Session;

/// Gives up preparing a session after a while, with an error of kind
/// [`TimedOut`](ExecutorErrorKind::TimedOut).
///
/// The executor inside is told to stop by the request's token and waited for, so that it can clean up
/// after itself. If it is done in that very moment its session is taken.
#[derive(Debug, Clone)]
pub struct PrepareTimeout<E> {
    inner: E,
    limit: Duration,
}

impl<E> PrepareTimeout<E> {
    /// Limits `inner` to `limit`.
    pub fn new(inner: E, limit: Duration) -> Self {
        Self { inner, limit }
    }
}

#[async_trait]
impl<E: Executor> Executor for PrepareTimeout<E> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn limit(&self) -> Option<usize> {
        self.inner.limit()
    }

    async fn prepare(
        &self,
        mut request: PrepareRequest<'_>,
    ) -> Result<Box<dyn Session>, ExecutorError> {
        let outer = request.cancel.clone();
        let stop = outer.child_token();
        request.cancel = stop.clone();
        let mut prepared = self.inner.prepare(request);
        tokio::select! {
            biased;
            done = &mut prepared => return done,
            () = tokio::time::sleep(self.limit) => stop.cancel(),
        }
        match prepared.await {
            // Somebody else canceled it as well, and that is the better reason.
            Err(error) if !outer.is_cancelled() => {
                let text = format!(
                    "executor `{}` was not ready within {:?}",
                    self.inner.name(),
                    self.limit
                );
                Err(ExecutorError::new(ExecutorErrorKind::TimedOut, text).with_source(error))
            }
            done => done,
        }
    }

    async fn settle(&self, run: RunId) -> Result<ReapReport, ExecutorError> {
        self.inner.settle(run).await
    }

    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
        self.inner.reap(scope).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Answer, Fake, prepare};
    use super::*;
    use crate::executor::ExecutorExt;
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn what_is_slow_is_stopped_and_waited_for() {
        let executor = Fake::new([Answer::Never]).prepare_timeout(MINUTE);
        let start = Instant::now();
        let error = prepare(&executor, &CancellationToken::new())
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind(), ExecutorErrorKind::TimedOut);
        assert_eq!(start.elapsed(), MINUTE);
        assert_eq!(executor.inner.stopped(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_quick_is_left_alone() {
        let executor = Fake::new([Answer::After(MINUTE / 2)]).prepare_timeout(MINUTE);
        assert!(prepare(&executor, &CancellationToken::new()).await.is_ok());
        assert_eq!(executor.inner.stopped(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_canceled_says_so() {
        let executor = Fake::new([Answer::Never]).prepare_timeout(MINUTE);
        let cancel = CancellationToken::new();
        let (prepared, ()) = tokio::join!(prepare(&executor, &cancel), async {
            tokio::time::sleep(MINUTE / 2).await;
            cancel.cancel();
        });
        assert_eq!(prepared.err().unwrap().kind(), ExecutorErrorKind::Canceled);
    }
}
