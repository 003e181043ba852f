//! Where jobs run.

#[expect(
    clippy::module_inception,
    reason = "the trait gives the module its name"
)]
mod executor;

pub use executor::{
    Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapReport, ReapScope,
};
