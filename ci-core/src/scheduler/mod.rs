//! When which job starts: a pure state machine with its ready queue, and one driver.
//!
//! [`Machine`] knows no clock, no I/O and no runtime: it is told what happened and when, and answers
//! with what may start and what people should hear. `drive` is the one place that waits.

pub(crate) mod drive;
mod limits;
mod machine;
mod notice;
mod ready;
mod resources;
mod stages;
mod state;
mod timers;
mod transitions;
mod worker;

pub use limits::Limits;
pub use machine::Machine;
pub use notice::{JobEnd, Notice, Stop, Ticket};
pub use resources::{Demand, Pool};
pub use state::{IllegalTransition, JobState};

#[cfg(test)]
mod tests;
