//! Values that a run measured: how large the program is, how long a benchmark takes. Read from what
//! tools write, and compared with what earlier runs measured.
//!
//! ```
//! use ci_core::measure::values::{Better, Gate, read};
//!
//! let read = read(&b"# TYPE latency_seconds gauge\nlatency_seconds{route=\"/\"} 0.31\n"[..])?;
//! let value = &read.values[0];
//! assert_eq!(value.name, "latency_seconds{route=\"/\"}");
//!
//! // Four earlier runs took about 0.2 seconds, give or take 0.01: 0.31 is a regression.
//! let gate = Gate::new(Better::Lower).regression(10.0);
//! let judged = gate.judge(value, &[0.19, 0.2, 0.21, 0.2]);
//! assert!(!judged.passed);
//! # Ok::<(), ci_core::measure::values::ValuesError>(())
//! ```

mod gate;
mod read;
mod stats;
#[cfg(test)]
mod tests;

pub use gate::{Better, Gate, Judged};
pub use read::{Format, Measured, Values, ValuesError, ValuesErrorKind, read};
pub use stats::Spread;
