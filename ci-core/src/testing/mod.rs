//! For tests of executors and of programs that embed the engine: a mock executor, a virtual clock and
//! the executor conformance kit.
//!
//! - [`MockExecutor`] stands in for machines: its [`MockHandle`] says what commands do, steps through
//!   them one by one where a test wants that, and knows afterwards what was asked for.
//! - [`virtual_clock`] is time that moves only when all tasks wait.
//! - [`conformance()`] runs the same checks against any [`Executor`](crate::executor::Executor).

mod clock;
pub mod conformance;
mod mock;

pub use clock::virtual_clock;
pub use conformance::{
    CheckOutcome, CheckReport, ConformanceOptions, ConformanceReport, StillRunning, conformance,
};
pub use mock::{MockCall, MockCommand, MockExecutor, MockHandle, MockRule};
