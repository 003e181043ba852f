//! The layers as methods of every executor.

use std::time::Duration;

use super::{LimitSessions, PrepareRetry, PrepareTimeout};
use crate::executor::Executor;
use crate::job::Backoff;

/// Decorates an executor.
pub trait ExecutorExt: Executor + Sized {
    /// Gives up preparing a session after `limit`.
    fn prepare_timeout(self, limit: Duration) -> PrepareTimeout<Self> {
        PrepareTimeout::new(self, limit)
    }

    /// Tries up to `attempts` times to prepare a session, with pauses between.
    fn prepare_retry(self, attempts: u32, backoff: Backoff) -> PrepareRetry<Self> {
        PrepareRetry::new(self, attempts, backoff)
    }

    /// Lets at most `limit` sessions exist at once; others wait.
    fn limit_sessions(self, limit: usize) -> LimitSessions<Self> {
        LimitSessions::new(self, limit)
    }
}

impl<E: Executor> ExecutorExt for E {}
