//! Gates: how much must be covered, and whether it is.

mod diff;
mod gates;
mod verdict;

pub use diff::{ChangedLines, parse_diff};
pub use gates::Gates;
pub use verdict::{Gate, GateResult, Verdict};
