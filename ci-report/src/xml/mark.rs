//! A place in the text, whose line is counted only when somebody asks.

use crate::{Diagnostic, DiagnosticKind};
use std::borrow::Cow;

/// A place in the text.
#[derive(Debug, Clone, Copy)]
pub struct Mark<'a> {
    offset: u64,
    /// The line where `since` begins.
    line: u64,
    /// The text before the place back to where lines have been counted.
    since: &'a [u8],
}

impl<'a> Mark<'a> {
    pub(super) fn new(offset: u64, line: u64, since: &'a [u8]) -> Self {
        Self {
            offset,
            line,
            since,
        }
    }

    /// Bytes before the place.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The line of the place, counted from 1. Each call counts.
    pub fn line(&self) -> u64 {
        self.line + newlines(self.since)
    }

    /// A diagnostic at this place.
    pub fn diagnostic(
        &self,
        kind: DiagnosticKind,
        message: impl Into<Cow<'static, str>>,
    ) -> Diagnostic {
        Diagnostic::new(self.offset, self.line(), kind, message)
    }
}

/// How many line breaks there are.
pub(super) fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
