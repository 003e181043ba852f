//! Coverage reports of every common format: read, merged, mapped to the sources, judged, written.
//!
//! ```
//! use ci_report::coverage::{Format, Gates, read};
//!
//! let report = read(&b"SF:src/a.rs\nDA:1,3\nDA:2,0\nend_of_record\n"[..])?;
//! assert_eq!(report.format, Format::Lcov);
//! let totals = report.coverage.totals();
//! assert_eq!((totals.lines.covered, totals.lines.total), (1, 2));
//!
//! let verdict = Gates::new().lines(80.0).check(&report.coverage, None);
//! assert!(!verdict.passed());
//! # Ok::<(), ci_report::coverage::CoverageError>(())
//! ```
//!
//! The format is known from the content. [`visit`] hands out what a report says piece by piece, in
//! constant memory where the format allows it; [`read`] collects it into a [`Coverage`]. Reports of
//! shards [merge](Coverage::merge) in any order.

mod bytes;
mod collect;
mod context;
mod count;
mod detect;
mod error;
mod facts;
mod formats;
mod gate;
mod globs;
mod input;
mod merge;
mod model;
mod packed;
mod paths;
mod read;
mod totals;
mod unpack;
mod visit;
mod write;

#[cfg(test)]
mod tests;

pub use collect::Collector;
pub use count::Join;
pub use detect::Format;
pub use error::{CoverageError, CoverageErrorKind};
pub use gate::{ChangedLines, Gate, GateResult, Gates, Verdict, parse_diff};
pub use globs::PathFilter;
pub use model::{Arm, Branch, BranchKind, Coverage, FileCoverage, Function, Line};
pub use paths::PathMap;
pub use read::{Report, read, visit};
pub use totals::{Ratio, Totals};
pub use visit::{BranchFact, FunctionFact, Visitor};
pub use write::{
    SummaryOptions, write_cobertura, write_json, write_lcov, write_markdown, write_text,
};
