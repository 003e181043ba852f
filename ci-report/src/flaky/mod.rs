//! Tests that now pass and now fail, found in what many runs said of them; and lists of failed tests
//! for the runners that are to run them again.
//!
//! ```
//! use ci_report::flaky::{History, Seen};
//! use ci_report::tests::Outcome;
//!
//! let mut history = History::new();
//! for (run, outcome) in [("1", Outcome::Passed), ("2", Outcome::Failed), ("3", Outcome::Passed)] {
//!     let seen = Seen::new("Net", "timeout", outcome).run(run).revision("c0ffee");
//!     history.add(&seen);
//! }
//! let tests = history.tests();
//! // The same revision both passed and failed.
//! assert_eq!((tests[0].failed, tests[0].contradictions), (1, 1));
//! assert_eq!(history.quarantine(0.1), ["Net::timeout"]);
//! ```
//!
//! # The score
//! What a test did is looked at revision by revision (run by run, where no revision is known), in the
//! order of time; skipped tests say nothing. A revision in which a test both passed and failed, or
//! passed only when it was repeated, contradicts itself: nothing but the test can have changed. Where
//! no revision contradicts itself, a test may still go back and forth between revisions. Two changes
//! are a bug that came and went; of every further one, half counts:
//!
//! ```text
//! score = min(1, (contradictions + max(0, changes - 2) / 2) / revisions)
//! ```
//!
//! So a test that always passes or always fails has the score 0, and one that contradicts itself in
//! every revision has 1.

mod history;
mod list;
#[cfg(test)]
mod tests;

pub use history::{FlakyTest, History, Seen};
pub use list::{FailedTest, Runner, arguments};
