//! The coverprofile of `go test`: blocks of statements with how often they ran.
//!
//! The line format is that of `golang.org/x/tools/cover`: `file:line.col,line.col statements count`.
//! A block that comes several times, as it does with `-coverpkg`, is one block. Its counts add up,
//! except in the mode `set`, where they say no more than whether it ran.

use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::io::{self, Read};

use super::super::context::{Context, text};
use super::super::count::{Join, parse_digits};
use super::super::input::{Lines, Place, rsplit_once, split_once};
use super::super::visit::Visitor;

/// Where a block begins and ends: line, column, line, column.
type Span = (u32, u32, u32, u32);

/// How many lines a block may span: a hostile one would span four billion.
const MAX_SPAN: u32 = 100_000;

/// The blocks of each file, in the order of the files in the report.
#[derive(Debug, Default)]
struct Blocks {
    names: HashMap<Box<str>, usize>,
    files: Vec<(Box<str>, BTreeMap<Span, u64>)>,
    current: usize,
}

pub(in super::super) fn parse<R: Read, V: Visitor + ?Sized>(
    reader: R,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    let mut lines = Lines::new(reader);
    let mut blocks = Blocks::default();
    let mut is_set = false;
    while let Some(line) = lines.next()? {
        let (record, place) = (line.text.trim_ascii(), line.place);
        if line.too_long {
            cx.too_long(place);
        } else if let Some(mode) = record.strip_prefix(b"mode:") {
            is_set = mode.trim_ascii() == b"set";
        } else if !record.is_empty() {
            block(record, place, is_set, &mut blocks, cx);
        }
    }
    for (path, blocks) in &blocks.files {
        emit(path, blocks, cx);
    }
    Ok(())
}

fn block<V: Visitor + ?Sized>(
    record: &[u8],
    place: Place,
    is_set: bool,
    blocks: &mut Blocks,
    cx: &mut Context<'_, V>,
) {
    let Some((path, span, count)) = fields(record) else {
        return cx.bad_record(record, place);
    };
    let Some(count) = cx.count(count, place) else {
        return;
    };
    let known = blocks.of(path).entry(span).or_default();
    *known = if is_set {
        (*known).max(count)
    } else {
        known.saturating_add(count)
    };
}

fn fields(record: &[u8]) -> Option<(&[u8], Span, &[u8])> {
    let (rest, count) = rsplit_once(record, b' ')?;
    let (rest, statements) = rsplit_once(rest, b' ')?;
    parse_digits(statements)?;
    // A Windows path has a colon of its own, the span has none.
    let (path, span) = rsplit_once(rest, b':')?;
    let (start, end) = split_once(span, b',')?;
    let (start_line, start_column) = point(start)?;
    let (end_line, end_column) = point(end)?;
    let in_order = start_line > 0 && start_line <= end_line && end_line - start_line <= MAX_SPAN;
    let span = (start_line, start_column, end_line, end_column);
    (in_order && !path.is_empty()).then_some((path, span, count))
}

fn point(text: &[u8]) -> Option<(u32, u32)> {
    let (line, column) = split_once(text, b'.')?;
    let number = |text| u32::try_from(parse_digits(text)?).ok();
    Some((number(line)?, number(column)?))
}

impl Blocks {
    /// The blocks of the file `path`, which is mostly the one that came last.
    fn of(&mut self, path: &[u8]) -> &mut BTreeMap<Span, u64> {
        let current = self.files.get(self.current);
        if current.is_none_or(|(name, _)| name.as_bytes() != path) {
            let path: Box<str> = text(path).into();
            let next = self.files.len();
            self.current = *self.names.entry(path.clone()).or_insert(next);
            if self.current == next {
                self.files.push((path, BTreeMap::new()));
            }
        }
        &mut self.files[self.current].1
    }
}

/// The lines of a file: each ran as often as the block on it that ran most. This is what Go's own
/// conversion to lines does, and the blocks of a nested function lie within those of the outer one.
fn emit<V: Visitor + ?Sized>(path: &str, blocks: &BTreeMap<Span, u64>, cx: &mut Context<'_, V>) {
    cx.visitor.begin_file(path, Join::Max);
    // The blocks that have begun, the one that ran most on top. Those that have ended leave when they
    // come to the top.
    let mut open: BinaryHeap<(u64, u32)> = BinaryHeap::new();
    let mut starts = blocks.iter().peekable();
    let mut line = 1;
    loop {
        drop_ended(&mut open, line);
        if open.is_empty() {
            let Some((span, _)) = starts.peek() else {
                break;
            };
            line = span.0.max(line);
        }
        while let Some((span, hits)) = starts.next_if(|(span, _)| span.0 <= line) {
            open.push((*hits, span.2));
        }
        drop_ended(&mut open, line);
        let Some((hits, _)) = open.peek() else {
            continue;
        };
        if !cx.take_span(1) {
            break;
        }
        cx.visitor.line(line, Some(*hits));
        let Some(next) = line.checked_add(1) else {
            break;
        };
        line = next;
    }
    cx.visitor.end_file();
}

fn drop_ended(open: &mut BinaryHeap<(u64, u32)>, line: u32) {
    while open.peek().is_some_and(|(_, end)| *end < line) {
        open.pop();
    }
}
