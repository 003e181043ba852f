//! Text to lines of bounded length, for the formats that are lines.

use crate::tests::output::Output;
use crate::{Diagnostic, DiagnosticKind};

use super::TextFormat;

/// Bytes of one line that are kept.
const LONGEST: usize = 1 << 20;

/// A line and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) offset: u64,
    pub(super) number: u64,
}

impl Line<'_> {
    pub(super) fn diagnostic(
        &self,
        kind: DiagnosticKind,
        message: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Diagnostic {
        Diagnostic::new(self.offset, self.number, kind, message)
    }
}

/// A reader of a format that is lines.
pub(super) trait LineFormat: std::fmt::Debug + Send {
    fn line(&mut self, line: Line<'_>, output: &mut Output<'_>);
    /// The text has ended; says whether that was in the middle of something.
    fn finish(&mut self, output: &mut Output<'_>) -> bool;
}

/// Gives text to a reader of lines.
#[derive(Debug)]
pub(super) struct Lines<F> {
    format: F,
    /// A line whose end has not come.
    held: String,
    /// Its length, which may be more than what is held.
    length: u64,
    offset: u64,
    number: u64,
}

impl<F: LineFormat> Lines<F> {
    pub(super) fn new(format: F) -> Self {
        Self {
            format,
            held: String::new(),
            length: 0,
            offset: 0,
            number: 1,
        }
    }

    fn part(&mut self, part: &str) {
        self.length += part.len() as u64;
        let room = LONGEST.saturating_sub(self.held.len());
        self.held.push_str(
            part.get(..part.floor_char_boundary(room))
                .unwrap_or_default(),
        );
    }

    fn end(&mut self, output: &mut Output<'_>) {
        let text = self.held.strip_suffix('\r').unwrap_or(&self.held);
        let line = Line {
            text,
            offset: self.offset,
            number: self.number,
        };
        if self.length > self.held.len() as u64 {
            let message = "the line is too long; its beginning is kept";
            output.diagnostic(line.diagnostic(DiagnosticKind::Limit, message));
        }
        self.format.line(line, output);
        self.held.clear();
        self.offset += self.length + 1;
        self.length = 0;
        self.number += 1;
    }
}

impl<F: LineFormat> TextFormat for Lines<F> {
    fn text(&mut self, text: &str, output: &mut Output<'_>) {
        let mut rest = text;
        while let Some(end) = memchr::memchr(b'\n', rest.as_bytes()) {
            self.part(rest.get(..end).unwrap_or_default());
            self.end(output);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        self.part(rest);
    }

    fn finish(&mut self, output: &mut Output<'_>) -> bool {
        if self.length > 0 {
            self.end(output);
        }
        self.format.finish(output)
    }
}
