//! Reports that test runners and coverage tools write, read in constant memory.
//!
//! Everything here works on bytes that the caller brings: from a [reader](std::io::Read), a slice, or
//! in chunks as they arrive. Nothing needs a runtime, nothing opens a file, and no input makes it
//! panic, recurse or hold the whole of a report. A report that is damaged is read as far as it goes,
//! and what was wrong is said in [`Diagnostic`]s.
//!
//! | Module | What it is |
//! |---|---|
//! | [`tests`] | test results: JUnit in all its dialects and the formats beside it |
//! | [`input`] | bytes to text: gzip, encodings |
//! | [`coverage`] | coverage in all formats: read, merged, judged, written |
//! | [`split`] | tests shared out over machines |
//! | [`flaky`] | tests that now pass and now fail; failed tests as a runner's arguments |
//! | [`xml`] | the tokenizer below every XML format |
//!
//! # Features
//!
//! | Feature | Default | What it brings |
//! |---|---|---|
//! | `formats` | yes | all of the above; without it there are only [`TestCounts`] and [`TestOutcome`] |
//! | `schema` | no | JSON schemas of those two |
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "formats")]
pub mod coverage;
#[cfg(feature = "formats")]
mod diagnostic;
#[cfg(feature = "formats")]
pub mod flaky;
#[cfg(feature = "formats")]
pub mod input;
#[cfg(feature = "formats")]
pub mod split;
mod tested;
#[cfg(feature = "formats")]
pub mod tests;
#[cfg(feature = "formats")]
pub mod xml;

#[cfg(feature = "formats")]
pub use diagnostic::{Diagnostic, DiagnosticKind};
pub use tested::{TestCounts, TestOutcome};

#[cfg(all(doctest, feature = "formats"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
