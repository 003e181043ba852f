//! More than one attempt to prepare a session.

use std::hash::{DefaultHasher, Hash, Hasher};

use async_trait::async_trait;

use crate::executor::{
    Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapReport, ReapScope,
};
use crate::id::RunId;
use crate::job::Backoff;
use crate::session::Session;

/// Tries to prepare a session more than once: where there was no capacity, it took too long, or
/// something went wrong. A job that asks for what the executor does not have gets its answer at once.
#[derive(Debug, Clone)]
pub struct PrepareRetry<E> {
    inner: E,
    attempts: u32,
    backoff: Backoff,
}

impl<E> PrepareRetry<E> {
    /// Gives `inner` up to `attempts` attempts (at least one) with pauses between.
    pub fn new(inner: E, attempts: u32, backoff: Backoff) -> Self {
        Self {
            inner,
            attempts: attempts.max(1),
            backoff,
        }
    }
}

#[async_trait]
impl<E: Executor> Executor for PrepareRetry<E> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn limit(&self) -> Option<usize> {
        self.inner.limit()
    }

    async fn prepare(
        &self,
        request: PrepareRequest<'_>,
    ) -> Result<Box<dyn Session>, ExecutorError> {
        let mut attempt = 1;
        loop {
            let error = match self.inner.prepare(request.clone()).await {
                Err(error) if attempt < self.attempts && passes(error.kind()) => error,
                done => return done,
            };
            let pause = self.backoff.delay(attempt, spread(&request, attempt));
            let said = format!(
                "attempt {attempt} of {} to prepare `{}` failed: {}; trying again in {pause:.1?}",
                self.attempts,
                self.inner.name(),
                crate::error::chain(&error)
            );
            request.output.say(said).await;
            tokio::select! {
                biased;
                () = request.cancel.cancelled() => {
                    let text = "preparing was canceled between two attempts";
                    let canceled = ExecutorError::new(ExecutorErrorKind::Canceled, text);
                    return Err(canceled.with_source(error));
                }
                () = tokio::time::sleep(pause) => attempt += 1,
            }
        }
    }

    async fn settle(&self, run: RunId) -> Result<ReapReport, ExecutorError> {
        self.inner.settle(run).await
    }

    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
        self.inner.reap(scope).await
    }
}

/// Whether trouble of this kind may pass.
fn passes(kind: ExecutorErrorKind) -> bool {
    match kind {
        ExecutorErrorKind::Capacity | ExecutorErrorKind::TimedOut | ExecutorErrorKind::Other => {
            true
        }
        ExecutorErrorKind::Unsupported
        | ExecutorErrorKind::Skipped
        | ExecutorErrorKind::Canceled => false,
    }
}

/// Where in the jitter an attempt falls, from 0 to 1: different for each job of each run, and the same
/// whenever one is replayed.
fn spread(request: &PrepareRequest<'_>, attempt: u32) -> f64 {
    let mut hasher = DefaultHasher::new();
    (request.run, &request.job.name, request.attempt, attempt).hash(&mut hasher);
    let high = u32::try_from(hasher.finish() >> 32).unwrap_or_default();
    f64::from(high) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fake::{Answer, Fake, prepare};
    use super::*;
    use crate::executor::ExecutorExt;
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    const CAPACITY: Answer = Answer::Fail(ExecutorErrorKind::Capacity);
    const UNSUPPORTED: Answer = Answer::Fail(ExecutorErrorKind::Unsupported);

    fn backoff() -> Backoff {
        Backoff::exponential(Duration::from_secs(10))
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_that_passes_is_waited_out() {
        let answers = [CAPACITY, CAPACITY, Answer::After(Duration::ZERO)];
        let executor = Fake::new(answers).prepare_retry(3, backoff());
        let start = Instant::now();
        assert!(prepare(&executor, &CancellationToken::new()).await.is_ok());
        assert_eq!(start.elapsed(), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_error_is_the_answer() {
        let last = Answer::Fail(ExecutorErrorKind::Other);
        let executor = Fake::new([CAPACITY, last]).prepare_retry(2, backoff());
        let error = prepare(&executor, &CancellationToken::new())
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind(), ExecutorErrorKind::Other);
        assert_eq!(executor.inner.asked(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_never_work_is_not_tried_again() {
        let executor = Fake::new([UNSUPPORTED]).prepare_retry(5, backoff());
        let error = prepare(&executor, &CancellationToken::new())
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind(), ExecutorErrorKind::Unsupported);
        assert_eq!(executor.inner.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_when_the_request_is_canceled() {
        let executor = Fake::new([CAPACITY]).prepare_retry(5, backoff());
        let cancel = CancellationToken::new();
        let start = Instant::now();
        let (prepared, ()) = tokio::join!(prepare(&executor, &cancel), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancel.cancel();
        });
        assert_eq!(prepared.err().unwrap().kind(), ExecutorErrorKind::Canceled);
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }
}
