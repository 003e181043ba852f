//! Tests shared out over machines that run at the same time.
//!
//! ```
//! use ci_report::split::{Timings, by_timings};
//!
//! let timings: Timings = [("a.py", 30.0), ("b.py", 20.0), ("c.py", 10.0)].into_iter().collect();
//! let split = by_timings(["a.py", "b.py", "c.py"], &timings, 2);
//! assert_eq!(split.shard(0), ["a.py"]);
//! assert_eq!(split.shard(1), ["b.py", "c.py"]);
//! assert_eq!(split.explanation().seconds, [30.0, 30.0]);
//! ```
//!
//! Every machine computes the same split out of the same names, in whatever order it lists them, and
//! takes its own shard.

mod share;
mod timings;

#[cfg(test)]
mod tests;

pub use share::{Explanation, Split, by_filesize, by_name, by_timings};
pub use timings::{Match, Timings};
