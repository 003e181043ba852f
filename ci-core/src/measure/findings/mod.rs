//! What scanners and linters found: read from their reports into one form, told apart from what was
//! there before, and judged.
//!
//! ```
//! use ci_core::measure::findings::{Baseline, Policy, Severity, merge, read};
//!
//! let report = br#"[{"description": "unused variable", "check_name": "unused", "severity": "minor",
//!     "fingerprint": "1", "location": {"path": "src/a.rs", "lines": {"begin": 3}}}]"#;
//! let report = read(&report[..])?;
//! let findings = merge(report.findings);
//! assert_eq!(findings[0].severity, Severity::Low);
//!
//! let verdict = Policy::new(Severity::High).judge(&findings, &Baseline::default());
//! assert!(verdict.passed(), "warnings are allowed");
//! # Ok::<(), ci_core::measure::findings::FindingsError>(())
//! ```

mod baseline;
mod error;
mod merge;
mod model;
mod policy;
mod read;
#[cfg(test)]
mod tests;

pub use baseline::Baseline;
pub use error::{FindingsError, FindingsErrorKind};
pub use merge::merge;
pub use model::{Finding, Format, Report};

pub use crate::severity::Severity;
pub use policy::{Policy, Verdict};
pub use read::read;
