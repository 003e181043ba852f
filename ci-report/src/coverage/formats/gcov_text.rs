//! The annotated source of `gcov`, as text.
//!
//! A line is `count: number: source`; `#####`, `=====` and `$$$$$` say that it never ran, `-` that
//! it cannot run, a `*` behind the count that a part of it never ran. Below it stand its branches
//! and calls, before it its function. A template has a block a copy between lines of dashes, each
//! repeating the lines that stood before as a sum.

use std::io::{self, Read};

use super::super::context::{Context, text};
use super::super::count::{Join, parse_digits};
use super::super::input::{Lines, Place, split_once};
use super::super::model::{Arm, BranchKind};
use super::super::visit::{BranchFact, FunctionFact, Visitor};

/// What was read so far.
#[derive(Debug, Default)]
struct State {
    open: bool,
    /// Whether this is a copy of a template, whose lines were given as a sum before.
    in_copy: bool,
    line: Option<u32>,
    /// Branches of copies of the same line: each copy has branches of its own.
    block: u32,
    function: Option<(String, Option<u64>)>,
}

pub(in super::super) fn parse<R: Read, V: Visitor + ?Sized>(
    reader: R,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    let mut lines = Lines::new(reader);
    let mut state = State::default();
    while let Some(line) = lines.next()? {
        if line.too_long {
            cx.too_long(line.place);
        } else {
            state.record(line.text, line.place, cx);
        }
    }
    state.end(cx);
    Ok(())
}

impl State {
    fn record<V: Visitor + ?Sized>(
        &mut self,
        record: &[u8],
        place: Place,
        cx: &mut Context<'_, V>,
    ) {
        if record.starts_with(b"-----") {
            // A copy opens with dashes and its name, the last one closes with dashes alone.
            self.in_copy = false;
            self.block = self.block.saturating_add(1);
        } else if let Some(rest) = record.strip_prefix(b"function ") {
            self.begin_function(rest);
        } else if let Some(rest) = record.strip_prefix(b"branch ") {
            self.branch(rest, place, cx);
        } else if record.starts_with(b"call ") || record.starts_with(b"unconditional ") {
            // Calls are no branches, and jumps without a condition have one way only.
        } else if let Some((count, number, source)) = source_line(record) {
            self.source(count, number, source, place, cx);
        } else if record.ends_with(b":") {
            self.in_copy = true;
        } else if !record.trim_ascii().is_empty() {
            cx.bad_record(record, place);
        }
    }

    fn source<V: Visitor + ?Sized>(
        &mut self,
        count: &[u8],
        number: &[u8],
        source: &[u8],
        place: Place,
        cx: &mut Context<'_, V>,
    ) {
        if number == b"0" {
            if let Some(path) = source.strip_prefix(b"Source:") {
                self.end(cx);
                cx.visitor.begin_file(&text(path), Join::Sum);
                self.open = true;
            }
            return;
        }
        self.line = None;
        if count == b"-" {
            return;
        }
        let Some(number) = cx.line_number(number, place) else {
            return;
        };
        if !self.open {
            return cx.no_file(source, place);
        }
        let count = count.strip_suffix(b"*").unwrap_or(count);
        let Some(count) = human(count).or_else(|| cx.count(count, place)) else {
            return;
        };
        self.line = Some(number);
        if let Some((name, hits)) = self.function.take() {
            let start = Some(number);
            let end = None;
            cx.visitor.function(FunctionFact {
                name: &name,
                start,
                end,
                hits,
            });
        }
        if !self.in_copy {
            self.block = 0;
            cx.visitor.line(number, Some(count));
        }
    }

    /// `name called 1 returned 100% blocks executed 80%`
    fn begin_function(&mut self, rest: &[u8]) {
        let rest = text(rest);
        if let Some((name, after)) = rest.rsplit_once(" called ") {
            let hits = after.split(' ').next().unwrap_or_default();
            let hits = parse_digits(hits.as_bytes()).or_else(|| human(hits.as_bytes()));
            self.function = Some((name.to_owned(), hits));
        }
    }

    /// `0 taken 34 (fallthrough)`, `0 taken 34% (fallthrough)`, `4 never executed`
    fn branch<V: Visitor + ?Sized>(&mut self, rest: &[u8], place: Place, cx: &mut Context<'_, V>) {
        let Some(line) = self.line else {
            return cx.no_file(rest, place);
        };
        let words = text(rest);
        let mut words = words.split_ascii_whitespace();
        let arm = words.next().and_then(|arm| arm.parse().ok());
        let Some(arm) = arm else {
            return cx.bad_record(rest, place);
        };
        let taken = match (words.next(), words.next()) {
            (Some("never"), _) => None,
            (Some("taken"), Some(count)) => {
                let count = count.strip_suffix('%').unwrap_or(count).as_bytes();
                match human(count).or_else(|| cx.count(count, place)) {
                    Some(count) => Some(count),
                    None => return,
                }
            }
            _ => return cx.bad_record(rest, place),
        };
        let kind = match words.next() {
            Some("(fallthrough)") => BranchKind::Fallthrough,
            Some("(throw)") => BranchKind::Exception,
            _ => BranchKind::Plain,
        };
        cx.visitor.branch(BranchFact {
            line,
            block: self.block,
            arm: Arm::Number(arm),
            taken,
            kind,
        });
    }

    fn end<V: Visitor + ?Sized>(&mut self, cx: &mut Context<'_, V>) {
        if self.open {
            cx.visitor.end_file();
        }
        *self = Self::default();
    }
}

/// The three parts of `count: number:source`.
fn source_line(record: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (count, rest) = split_once(record, b':')?;
    let (number, source) = split_once(rest, b':')?;
    let (count, number) = (count.trim_ascii(), number.trim_ascii());
    let is_number = parse_digits(number).is_some();
    (is_number && !count.is_empty()).then_some((count, number, source))
}

/// A count that `--human-readable` shortened: `1.5k`, `2M`.
fn human(count: &[u8]) -> Option<u64> {
    let (last, number) = count.split_last()?;
    let factor = match last {
        b'k' => 1e3,
        b'M' => 1e6,
        b'G' => 1e9,
        b'T' => 1e12,
        b'P' => 1e15,
        b'E' => 1e18,
        _ => return None,
    };
    let number: f64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some(super::super::count::from_float(number * factor))
}
