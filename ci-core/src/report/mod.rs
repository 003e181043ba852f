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

pub mod coverage;
mod diagnostic;
pub mod flaky;
pub mod input;
pub mod split;
pub mod tests;
pub mod xml;

pub use diagnostic::{Diagnostic, DiagnosticKind};
