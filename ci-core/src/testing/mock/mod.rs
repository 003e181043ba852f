//! An executor without machines, driven by a handle.
//!
//! Every command succeeds at once until a rule of the [`MockHandle`] says something else. Time is
//! Tokio's, so rules with a duration want a paused clock (see
//! [`virtual_clock`](super::virtual_clock)).

mod calls;
mod executor;
mod files;
mod handle;
mod rule;
mod session;

pub use calls::MockCall;
pub use executor::MockExecutor;
pub use handle::{MockCommand, MockHandle};
pub use rule::MockRule;

#[cfg(test)]
mod tests;
