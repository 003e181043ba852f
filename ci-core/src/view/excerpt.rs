//! Finds the lines of a log that say what went wrong.

use std::collections::VecDeque;

use serde::Serialize;

use crate::event::Sanitizer;
use crate::session::Stream;
use crate::store::LogLine;

/// How many lines before the first failing one are shown.
const BEFORE: usize = 2;
/// Longer lines are cut, in characters.
const LONGEST: usize = 400;

/// What a line that tells of a failure has in it, in lower case. Words of compilers, shells, test
/// runners and run-time systems; the list is a guess that only decides where an excerpt begins.
const SIGNS: [&str; 20] = [
    "error",
    "fail",
    "fatal",
    "panicked",
    "traceback",
    "exception",
    "assert",
    "not found",
    "no such file",
    "denied",
    "undefined",
    "unresolved",
    "cannot",
    "segmentation fault",
    "killed",
    "timed out",
    "refused",
    "abort",
    "✗",
    "✖",
];
/// What looks like a sign and is none.
const HARMLESS: [&str; 8] = [
    "0 failed",
    "0 errors",
    "0 error",
    "0 failures",
    "no errors",
    "no error",
    "failed: 0",
    "errors: 0",
];

/// A part of a step's log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Excerpt {
    /// The number of its first line in the log, from 1; 0 if the log is empty.
    pub first: u64,
    /// The lines, without colours and other control sequences.
    pub lines: Vec<ExcerptLine>,
    /// How many lines the log has.
    pub total: u64,
    /// Whether it begins where the log first tells of a failure; else it is the end of the log.
    pub at_failure: bool,
}

/// A line of an excerpt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExcerptLine {
    /// The stream.
    pub stream: Stream,
    /// The text.
    pub text: String,
}

/// Reads a log once, line by line, and keeps what an excerpt needs.
#[derive(Debug)]
pub(super) struct Excerpter {
    most: usize,
    seen: u64,
    /// The last lines.
    tail: VecDeque<ExcerptLine>,
    /// The lines around the first sign of a failure, with the number of the first of them.
    found: Option<(u64, Vec<ExcerptLine>)>,
    sanitizer: Sanitizer,
}

impl Excerpter {
    /// Keeps `most` lines.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            seen: 0,
            tail: VecDeque::new(),
            found: None,
            sanitizer: Sanitizer::new(false),
        }
    }

    /// Takes the next line.
    pub(super) fn add(&mut self, line: &LogLine) {
        if self.most == 0 {
            return;
        }
        let text = cut(self.sanitizer.line(&String::from_utf8_lossy(&line.bytes)));
        self.seen += 1;
        let sign = self.found.is_none() && line.stream != Stream::Engine && is_sign(&text);
        let line = ExcerptLine {
            stream: line.stream,
            text,
        };
        self.tail.push_back(line.clone());
        if self.tail.len() > self.most {
            self.tail.pop_front();
        }
        if sign {
            let around: Vec<_> = self
                .tail
                .iter()
                .rev()
                .take(BEFORE + 1)
                .rev()
                .cloned()
                .collect();
            self.found = Some((self.seen + 1 - around.len() as u64, around));
        } else if let Some((_, lines)) = &mut self.found
            && lines.len() < self.most
        {
            lines.push(line);
        }
    }

    /// The excerpt of all lines.
    pub(super) fn finish(self) -> Excerpt {
        let at_failure = self.found.is_some();
        let (first, lines) = self.found.unwrap_or_else(|| {
            let count = self.tail.len() as u64;
            let first = (self.seen + 1).saturating_sub(count);
            (if count == 0 { 0 } else { first }, self.tail.into())
        });
        Excerpt {
            first,
            lines,
            total: self.seen,
            at_failure,
        }
    }
}

/// Whether a line tells of a failure.
fn is_sign(text: &str) -> bool {
    let mut lower = text.to_lowercase();
    for harmless in HARMLESS {
        if lower.contains(harmless) {
            lower = lower.replace(harmless, "");
        }
    }
    SIGNS.iter().any(|sign| lower.contains(sign))
}

pub(super) fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
