//! Decorators of executors: limits on time, attempts and number.
//!
//! They stack, and the order counts. `local.prepare_timeout(a).prepare_retry(3, b)` gives every attempt
//! the time `a`; the other way round all attempts share it.

mod ext;
mod limit;
mod retry;
mod timeout;

pub use ext::ExecutorExt;
pub use limit::LimitSessions;
pub use retry::PrepareRetry;
pub use timeout::PrepareTimeout;

#[cfg(test)]
mod fake;
