//! What is wrong with a report, and where.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

/// One thing that is wrong with a report. Reading goes on after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// Bytes before the place, counted in the text as UTF-8, without a byte order mark. This is the
    /// offset in the file unless that is packed, in another encoding, or has invalid bytes before.
    pub offset: u64,
    /// The line of the place, counted from 1.
    pub line: u64,
    /// What sort of thing is wrong.
    pub kind: DiagnosticKind,
    /// What is wrong, for people.
    pub message: Cow<'static, str>,
}

impl Diagnostic {
    /// Makes a diagnostic.
    pub fn new(
        offset: u64,
        line: u64,
        kind: DiagnosticKind,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let message = message.into();
        Self {
            offset,
            line,
            kind,
            message,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// The sorts of things that are wrong with reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DiagnosticKind {
    /// The report ends in the middle: what was complete before has been read.
    Truncated,
    /// The text breaks the rules of its format.
    Malformed,
    /// A reference such as `&nbsp;` or `&#0;` that means nothing there, or an `&` that begins none.
    Reference,
    /// A control character that the format forbids. Said once for a report.
    ControlCharacter,
    /// The bytes are not in the encoding that they claim. Said once for a report.
    Encoding,
    /// Something was longer or more than the reader keeps, and was cut.
    Limit,
    /// An end without its beginning, or the other way round.
    Unbalanced,
    /// A value that does not say what its place asks for, such as a time that is no number.
    Value,
    /// The totals that the report claims are not those of its content.
    Totals,
    /// The text is no report of a known format.
    UnknownFormat,
    /// The packed bytes are damaged.
    Compression,
}

impl DiagnosticKind {
    /// The name of the kind as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::Reference => "reference",
            Self::ControlCharacter => "control_character",
            Self::Encoding => "encoding",
            Self::Limit => "limit",
            Self::Unbalanced => "unbalanced",
            Self::Value => "value",
            Self::Totals => "totals",
            Self::UnknownFormat => "unknown_format",
            Self::Compression => "compression",
        }
    }
}

impl fmt::Display for DiagnosticKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
