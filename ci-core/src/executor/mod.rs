//! Where jobs run.

#[expect(
    clippy::module_inception,
    reason = "the trait gives the module its name"
)]
mod executor;
mod executor_fn;
mod layers;
#[cfg(feature = "local")]
mod local;
mod options;

pub use executor::{
    Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapReport, ReapScope,
};
pub use executor_fn::{ExecutorFn, Preparing, executor_fn};
pub use layers::{ExecutorExt, LimitSessions, PrepareRetry, PrepareTimeout};
#[cfg(feature = "local")]
pub use local::{LocalExecutor, LocalOptions, WorkIn};
pub use options::read_options;
