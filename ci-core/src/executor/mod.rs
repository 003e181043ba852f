//! Where jobs run.

#[expect(
    clippy::module_inception,
    reason = "the trait gives the module its name"
)]
mod executor;
#[cfg(feature = "local")]
mod local;

pub use executor::{
    Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapReport, ReapScope,
};
#[cfg(feature = "local")]
pub use local::LocalExecutor;
