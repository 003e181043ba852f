//! Shows a run to people: a live board on a terminal, plain prefixed lines elsewhere.
//!
//! Everything that decides what is shown is pure and folded from events: the transcript
//! gives the lines that scroll, the board those that stay at the bottom. The sink writes them.

#[cfg(feature = "console")]
mod board;
#[cfg(feature = "console")]
mod estimate;
mod lines;
mod options;
mod reports;
#[cfg(feature = "console")]
mod rows;
#[cfg(feature = "console")]
mod screen;
mod sink;
mod tail;
#[cfg(test)]
mod tests;
mod transcript;

pub use options::{Choice, ConsoleOptions, Environment, Verbosity};
pub use sink::Console;
