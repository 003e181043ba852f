//! From bytes to coverage, whatever the format.

use std::io::Read;

use crate::Diagnostic;

use super::collect::Collector;
use super::context::{Context, is_fatal};
use super::detect::{Format, detect};
use super::error::{CoverageError, CoverageErrorKind};
use super::formats;
use super::model::Coverage;
use super::unpack::Unpacked;
use super::visit::Visitor;

/// How many diagnostics one report gives at most.
const MAX_DIAGNOSTICS: usize = 100;

/// A report that was read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The format that it is in.
    pub format: Format,
    /// What it says.
    pub coverage: Coverage,
    /// What is wrong with it, at most 100 things.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Whether a part of the report was lost: it ends early, or is damaged.
    pub fn is_damaged(&self) -> bool {
        self.diagnostics.iter().any(|it| is_fatal(it.kind))
    }
}

/// Reads a report of any format, packed with gzip or not, into a model.
///
/// Damage is no error: what was complete before is in the report, and its diagnostics say the rest.
///
/// # Errors
/// When the reader fails, or the content is of no format that is known.
pub fn read<R: Read>(reader: R) -> Result<Report, CoverageError> {
    let mut collector = Collector::new();
    let format = visit(reader, &mut collector)?;
    let (coverage, diagnostics) = collector.finish();
    Ok(Report {
        format,
        coverage,
        diagnostics,
    })
}

/// Reads a report of any format and hands what it says to `visitor`, piece by piece.
///
/// # Errors
/// When the reader fails, or the content is of no format that is known.
pub fn visit<R: Read, V: Visitor + ?Sized>(
    reader: R,
    visitor: &mut V,
) -> Result<Format, CoverageError> {
    let mut text = Unpacked::new(reader);
    let Some(format) = detect(text.head()?) else {
        let message = "the content is of no coverage format that is known";
        return Err(CoverageError::new(
            CoverageErrorKind::UnknownFormat,
            message,
        ));
    };
    let mut cx = Context::new(visitor, MAX_DIAGNOSTICS);
    formats::parse(format, &mut text, &mut cx)?;
    for diagnostic in text.take_diagnostics() {
        cx.pass_on(diagnostic);
    }
    Ok(format)
}
