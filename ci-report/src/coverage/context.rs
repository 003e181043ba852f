//! Where the formats report to: the visitor, and a bounded list of what is wrong.

use std::borrow::Cow;

use super::count::{parse_count, parse_line};
use super::input::Place;
use super::visit::Visitor;
use crate::{Diagnostic, DiagnosticKind};

/// How many lines a report may give as spans.
const MAX_SPAN_LINES: u32 = 20_000_000;

/// The visitor of a report, and how many diagnostics it may still get.
#[derive(Debug)]
pub(super) struct Context<'v, V: ?Sized> {
    pub(super) visitor: &'v mut V,
    diagnostics_left: usize,
    span_lines_left: u32,
    /// Whether a part of the report was lost.
    pub(super) damaged: bool,
}

impl<'v, V: Visitor + ?Sized> Context<'v, V> {
    pub(super) fn new(visitor: &'v mut V, max_diagnostics: usize) -> Self {
        Self {
            visitor,
            diagnostics_left: max_diagnostics,
            span_lines_left: MAX_SPAN_LINES,
            damaged: false,
        }
    }

    /// Passes a diagnostic on, unless there were too many.
    #[cold]
    pub(super) fn diagnose(
        &mut self,
        place: Place,
        kind: DiagnosticKind,
        message: impl FnOnce() -> String,
    ) {
        let is_fatal = is_fatal(kind);
        self.damaged |= is_fatal;
        let (kind, message) = match self.diagnostics_left {
            0 => return,
            1 if !is_fatal => {
                let kind = DiagnosticKind::Limit;
                (kind, "more is wrong than is listed".to_owned())
            }
            _ => (kind, message()),
        };
        self.diagnostics_left = self.diagnostics_left.saturating_sub(1);
        let diagnostic = Diagnostic::new(place.offset, place.line, kind, message);
        self.visitor.diagnostic(diagnostic);
    }

    /// Passes on what the input or the tokenizer found.
    pub(super) fn pass_on(&mut self, diagnostic: Diagnostic) {
        let Diagnostic {
            offset,
            line,
            kind,
            message,
            ..
        } = diagnostic;
        self.diagnose(Place { offset, line }, kind, || message.into_owned());
    }

    /// Whether `lines` more may be listed that a report only gives as spans, so that a few bytes do
    /// not become gigabytes of lines.
    pub(super) fn take_span(&mut self, lines: u32) -> bool {
        let left = self.span_lines_left.checked_sub(lines);
        if let Some(left) = left {
            self.span_lines_left = left;
        } else {
            self.diagnose(Place::default(), DiagnosticKind::Limit, || {
                "the report spans more lines than any program has; some were left out".to_owned()
            });
        }
        left.is_some()
    }

    /// Reads a line number, or says that it is none.
    #[inline]
    pub(super) fn line_number(&mut self, text: &[u8], place: Place) -> Option<u32> {
        let number = parse_line(text);
        if number.is_none() {
            self.diagnose(place, DiagnosticKind::Value, || {
                format!("`{}` is no line number", shorten(text))
            });
        }
        number
    }

    /// Reads a counter, or says that it is none.
    #[inline]
    pub(super) fn count(&mut self, text: &[u8], place: Place) -> Option<u64> {
        let count = parse_count(text);
        if count.is_none() {
            self.diagnose(place, DiagnosticKind::Value, || {
                format!("`{}` is no count", shorten(text))
            });
        }
        count
    }

    /// Says that a record was left out.
    pub(super) fn bad_record(&mut self, text: &[u8], place: Place) {
        self.diagnose(place, DiagnosticKind::Value, || {
            format!("the record `{}` cannot be read", shorten(text))
        });
    }

    /// Says that a line was left out for its length.
    pub(super) fn too_long(&mut self, place: Place) {
        self.diagnose(place, DiagnosticKind::Limit, || {
            "the line is longer than 1 MiB and was left out".to_owned()
        });
    }

    /// Says that a fact belongs to no file.
    pub(super) fn no_file(&mut self, text: &[u8], place: Place) {
        self.diagnose(place, DiagnosticKind::Unbalanced, || {
            format!("`{}` belongs to no file", shorten(text))
        });
    }
}

/// Whether a part of the report was lost with it rather than one record.
pub(super) fn is_fatal(kind: DiagnosticKind) -> bool {
    use DiagnosticKind::{Compression, Malformed, Truncated};
    matches!(kind, Truncated | Malformed | Compression)
}

/// The bytes as text, what is no UTF-8 replaced.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// The start of a record, for a message.
fn shorten(record: &[u8]) -> String {
    const LIMIT: usize = 60;
    let mut short = String::from_utf8_lossy(&record[..record.len().min(LIMIT)]).into_owned();
    if record.len() > LIMIT {
        short.push('…');
    }
    short
}
