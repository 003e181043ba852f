//! Test results, whatever wrote them.
//!
//! [`parse`] reads a report from a reader and calls a [`Visitor`] with each suite and case, in
//! constant memory; [`read`] collects a [`TestReport`]; [`Parser`] is pushed chunks. The format is
//! found from the content, see [`Format`].
//!
//! ```
//! use ci_report::tests::{Outcome, read};
//!
//! let xml = br#"<testsuite name="math">
//!   <testcase classname="Add" name="small" time="0.01"/>
//!   <testcase classname="Add" name="large"><failure message="overflow"/></testcase>
//! </testsuite>"#;
//! let report = read(&xml[..])?;
//! assert_eq!(report.counts.tests, 2);
//! let failed = report.cases().find(|case| case.outcome == Outcome::Failed).unwrap();
//! assert_eq!(failed.results[0].message.as_str(), "overflow");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What is counted: each case element is one test, whatever the totals in the report claim. A case
//! with several results has the worst of them, error before failure before skipped. What went wrong
//! outside of any case stands in [`Suite::problems`] and is no test.

mod clip;
mod collect;
mod detect;
mod formats;
mod marker;
mod model;
mod output;
mod parser;
#[cfg(test)]
mod pieces;
mod seconds;
mod visitor;
mod write;

pub use clip::Text;
pub use collect::{SuiteReport, TestReport, read, read_slice, read_with};
pub use model::{Attempt, Case, Format, Property, Suite, TestResult};
pub use parser::{Options, Parser, parse, parse_slice};
pub use visitor::Visitor;
pub use write::{JunitWriter, write_junit};

pub use crate::tested::{TestCounts as Counts, TestOutcome as Outcome};
