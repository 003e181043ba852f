//! What is wrong in a report, and where.

use serde::Serialize;

/// Something in a report that could not be used. What stood around it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How many bytes of the (unpacked) report stand before the place.
    pub offset: u64,
    /// The line of the place, from 1.
    pub line: u64,
    /// What kind of trouble it is.
    pub kind: DiagnosticKind,
    /// The trouble in words.
    pub message: String,
}

/// What kind of trouble there is in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DiagnosticKind {
    /// The report ends in the middle of something; what was complete was read.
    Truncated,
    /// The rest of the report cannot be understood; what came before was read.
    Malformed,
    /// A line number is none: zero, negative, too large or no number.
    BadLine,
    /// A counter is no number.
    BadCount,
    /// A record lacks a field or has one too many; it was left out.
    BadRecord,
    /// A fact stands outside of any file; it was left out.
    NoFile,
    /// A line or a value is longer than the limit; it was left out.
    TooLong,
    /// More was wrong than is listed.
    TooMany,
}

impl DiagnosticKind {
    /// Whether a part of the report was lost with it rather than one record.
    pub fn is_fatal(self) -> bool {
        matches!(self, Self::Truncated | Self::Malformed)
    }

    /// Its name in JSON, such as `bad-line`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::BadLine => "bad-line",
            Self::BadCount => "bad-count",
            Self::BadRecord => "bad-record",
            Self::NoFile => "no-file",
            Self::TooLong => "too-long",
            Self::TooMany => "too-many",
        }
    }
}
