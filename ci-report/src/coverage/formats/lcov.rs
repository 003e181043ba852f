//! LCOV tracefiles, 1 and 2: a record a line.
//!
//! The records are those of `geninfo(1)`, section FILES. Sums in the file (`LF`, `BRH` and so on)
//! only count where what they sum up is not there: otherwise they are counted anew.

use std::collections::HashMap;
use std::io::{self, Read};

use super::super::context::{Context, text};
use super::super::count::{Join, parse_digits};
use super::super::input::{Lines, Place, rsplit_once, split_once};
use super::super::model::{Arm, BranchKind};
use super::super::totals::{Ratio, Totals};
use super::super::visit::{BranchFact, FunctionFact, Visitor};
use crate::DiagnosticKind;

/// What is kept of the current file until its end.
#[derive(Debug, Default)]
struct Section {
    /// Functions by the index that `FNL` gives them: those of LCOV 2.2.
    functions: Vec<Group>,
    by_index: HashMap<u64, usize>,
    stated: Totals,
}

/// The names that one function has, and the calls of all of them.
#[derive(Debug)]
struct Group {
    start: u32,
    end: Option<u32>,
    name: Option<String>,
    hits: u64,
}

pub(in super::super) fn parse<R: Read, V: Visitor + ?Sized>(
    reader: R,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    let mut lines = Lines::new(reader);
    let mut section = Section::default();
    let mut open = false;
    let mut last = Place::default();
    loop {
        if open {
            let (bytes, count, last_one) = usual_records(lines.pending(), cx);
            last = lines.skip(bytes, count, last_one).unwrap_or(last);
        }
        let Some(line) = lines.next()? else { break };
        let (record, place) = (line.text, line.place);
        last = place;
        if line.too_long {
            cx.too_long(place);
            continue;
        }
        match record {
            [b'D', b'A', b':', rest @ ..] if open => data(rest, place, cx),
            [b'B', b'R', b'D', b'A', b':', rest @ ..] if open => branch(rest, place, cx),
            [b'S', b'F', b':', path @ ..] => {
                if open {
                    end(&mut section, cx);
                }
                cx.visitor.begin_file(&text(path), Join::Sum);
                open = true;
            }
            _ if is_end(record) => {
                if open {
                    end(&mut section, cx);
                }
                open = false;
            }
            _ => other(record, open, place, &mut section, cx),
        }
    }
    if open {
        cx.diagnose(last, DiagnosticKind::Truncated, || {
            "the last file has no `end_of_record`".to_owned()
        });
        end(&mut section, cx);
    }
    Ok(())
}

/// Reads the records of lines and branches at the beginning of `text` that are whole and have nothing
/// but numbers, as nearly all do: how many bytes they take, how many there are, and how many bytes the
/// last of them takes.
fn usual_records<V: Visitor + ?Sized>(text: &[u8], cx: &mut Context<'_, V>) -> (usize, u64, usize) {
    let (mut rest, mut count, mut last) = (text, 0, 0);
    loop {
        let after = match rest {
            [b'D', b'A', b':', record @ ..] => usual_data(record, cx),
            [b'B', b'R', b'D', b'A', b':', record @ ..] => usual_branch(record, cx),
            _ => None,
        };
        let Some(after) = after else {
            return (text.len() - rest.len(), count, last);
        };
        last = rest.len() - after.len();
        rest = after;
        count += 1;
    }
}

/// `line,count` and the end of the line; gives what is after it.
#[inline]
fn usual_data<'t, V: Visitor + ?Sized>(
    text: &'t [u8],
    cx: &mut Context<'_, V>,
) -> Option<&'t [u8]> {
    let (line, text) = digits(text, 9)?;
    let (count, text) = digits(text.strip_prefix(b",")?, 19)?;
    let after = line_end(text)?;
    let line = u32::try_from(line).ok().filter(|line| *line > 0)?;
    cx.visitor.line(line, Some(count));
    Some(after)
}

/// `line,block,arm,taken` and the end of the line; gives what is after it.
#[inline]
fn usual_branch<'t, V: Visitor + ?Sized>(
    text: &'t [u8],
    cx: &mut Context<'_, V>,
) -> Option<&'t [u8]> {
    let (line, text) = digits(text, 9)?;
    let (block, text) = shortest(text.strip_prefix(b",")?)?;
    let (arm, text) = shortest(text.strip_prefix(b",")?)?;
    let (taken, text) = match text.strip_prefix(b",")? {
        [b'-', text @ ..] => (None, text),
        text => {
            let (taken, text) = digits(text, 19)?;
            (Some(taken), text)
        }
    };
    let after = line_end(text)?;
    cx.visitor.branch(BranchFact {
        line: u32::try_from(line).ok().filter(|line| *line > 0)?,
        block,
        arm: Arm::Number(arm),
        taken,
        kind: BranchKind::Plain,
    });
    Some(after)
}

/// The number at the beginning, of at most so many digits (19 are less than 64 bits), and what follows.
#[inline]
fn digits(text: &[u8], most: usize) -> Option<(u64, &[u8])> {
    match short_digits(text) {
        Some((number, length)) => Some((number, text.get(length..)?)),
        None => long_digits(text, most),
    }
}

/// The number of one to seven digits at the beginning, and how many digits it has, where eight bytes are
/// there to be looked at. It asks nothing of any single byte: how long numbers are is hard to foresee,
/// for a processor too.
#[inline]
fn short_digits(text: &[u8]) -> Option<(u64, usize)> {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let word = u64::from_le_bytes(*text.first_chunk::<8>()?);
    // The highest bit of a byte is set where it is no digit; beyond the first of them, anything.
    let others = (word.wrapping_add(0x46 * EACH) | word.wrapping_sub(0x30 * EACH)) & (0x80 * EACH);
    let length = others.trailing_zeros() / 8;
    if length == 0 || length == 8 {
        return None;
    }
    // The digits as the last ones of eight, the first at the bottom: joined to pairs, fours, all.
    let ones = word << (64 - 8 * length) & (0x0f * EACH);
    let pairs = ones.wrapping_mul((10 << 8) + 1) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul((100 << 16) + 1) >> 16 & 0x0000_ffff_0000_ffff;
    let number = fours.wrapping_mul((10_000 << 32) + 1) >> 32;
    Some((number, length as usize))
}

/// The same, digit by digit.
#[inline(never)]
fn long_digits(text: &[u8], most: usize) -> Option<(u64, &[u8])> {
    let (mut number, mut length) = (0_u64, 0);
    while let Some(digit) = text.get(length).map(|byte| byte.wrapping_sub(b'0'))
        && digit <= 9
    {
        if length == most {
            return None;
        }
        number = number * 10 + u64::from(digit);
        length += 1;
    }
    (length > 0).then(|| (number, &text[length..]))
}

/// The same for a number that [`small`] takes for one.
#[inline]
fn shortest(text: &[u8]) -> Option<(u32, &[u8])> {
    if let [digit @ b'0'..=b'9', b',', ..] = text {
        return Some((u32::from(digit - b'0'), &text[1..]));
    }
    let (number, after) = digits(text, 9)?;
    if text[0] == b'0' && text.len() - after.len() > 1 {
        return None;
    }
    Some((u32::try_from(number).ok()?, after))
}

#[inline]
fn line_end(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'\n', after @ ..] | [b'\r', b'\n', after @ ..] => Some(after),
        _ => None,
    }
}

fn is_end(record: &[u8]) -> bool {
    record.trim_ascii() == b"end_of_record"
}

/// The rarer records.
fn other<V: Visitor + ?Sized>(
    record: &[u8],
    open: bool,
    place: Place,
    section: &mut Section,
    cx: &mut Context<'_, V>,
) {
    if record.trim_ascii().is_empty() || record.starts_with(b"#") {
        return;
    }
    let Some((key, rest)) = split_once(record, b':') else {
        return cx.bad_record(record, place);
    };
    match key.trim_ascii_start() {
        b"TN" | b"VER" | b"MCF" | b"MCH" | b"MCDC" => {}
        key @ (b"LF" | b"LH" | b"BRF" | b"BRH" | b"FNF" | b"FNH") => section.sum(key, rest),
        b"DA" | b"BRDA" | b"FN" | b"FNDA" | b"FNL" | b"FNA" if !open => cx.no_file(record, place),
        b"DA" => data(rest, place, cx),
        b"BRDA" => branch(rest, place, cx),
        b"FN" => function(rest, place, cx),
        b"FNDA" => calls(rest, place, cx),
        b"FNL" => section.leader(rest, place, cx),
        b"FNA" => section.alias(rest, place, cx),
        _ => cx.bad_record(record, place),
    }
}

/// `DA:line,count[,checksum]`
#[inline]
fn data<V: Visitor + ?Sized>(rest: &[u8], place: Place, cx: &mut Context<'_, V>) {
    let Some((number, count)) = split_once(rest, b',') else {
        return cx.bad_record(rest, place);
    };
    let count = parse_digits(count).or_else(|| {
        let count = split_once(count, b',').map_or(count, |(count, _)| count);
        cx.count(count, place)
    });
    if let (Some(number), Some(count)) = (cx.line_number(number, place), count) {
        cx.visitor.line(number, Some(count));
    }
}

/// `BRDA:line,[e|f|U]block,branch,taken`, where the branch may be any text, commas included.
#[inline]
fn branch<V: Visitor + ?Sized>(rest: &[u8], place: Place, cx: &mut Context<'_, V>) {
    let fields = || {
        let (line, rest) = split_once(rest, b',')?;
        let (block, rest) = split_once(rest, b',')?;
        let (arm, taken) = rsplit_once(rest, b',')?;
        Some((line, block, arm, taken))
    };
    let Some((line, block, arm, taken)) = fields() else {
        return cx.bad_record(rest, place);
    };
    let (kind, number) = match block {
        [b'e', number @ ..] => (BranchKind::Exception, number),
        [b'f', number @ ..] => (BranchKind::Fallthrough, number),
        [b'U', number @ ..] => (BranchKind::Unreachable, number),
        number => (BranchKind::Plain, number),
    };
    let Some(line) = cx.line_number(line, place) else {
        return;
    };
    let taken = if taken == b"-" {
        None
    } else {
        match cx.count(taken, place) {
            Some(taken) => Some(taken),
            None => return,
        }
    };
    let named;
    let (block, arm) = match (small(number), small(arm)) {
        (Some(block), Some(arm)) => (block, Arm::Number(arm)),
        (Some(block), None) => {
            named = text(arm);
            (block, Arm::Text(&named))
        }
        // A block without a number makes part of the name, so that it stays a branch of its own.
        (None, _) => {
            let end = number.len() + 1 + arm.len();
            let from = line_rest(rest, number);
            named = text(&rest[from..from + end]);
            (0, Arm::Text(&named))
        }
    };
    cx.visitor.branch(BranchFact {
        line,
        block,
        arm,
        taken,
        kind,
    });
}

/// Where the block, without its letter, begins in a `BRDA` record.
#[cold]
fn line_rest(rest: &[u8], number: &[u8]) -> usize {
    let after_line = memchr::memchr(b',', rest).map_or(0, |at| at + 1);
    let block_end = memchr::memchr(b',', &rest[after_line..]).map_or(0, |at| after_line + at);
    block_end - number.len()
}

/// A number of 32 bits as it is written in the shortest way, so that `01` stays a name.
fn small(text: &[u8]) -> Option<u32> {
    if text.len() > 1 && text.first() == Some(&b'0') {
        return None;
    }
    u32::try_from(parse_digits(text)?).ok()
}

/// `FN:start,[end,]name`. A name may hold commas, so a second number is the end of the function only
/// when a name follows it.
fn function<V: Visitor + ?Sized>(rest: &[u8], place: Place, cx: &mut Context<'_, V>) {
    let Some((start, name)) = split_once(rest, b',') else {
        return cx.bad_record(rest, place);
    };
    let Some(start) = cx.line_number(start, place) else {
        return;
    };
    let (end, name) = match split_once(name, b',') {
        Some((end, name)) if parse_digits(end).is_some() => (small(end), name),
        _ => (None, name),
    };
    cx.visitor.function(FunctionFact {
        name: &text(name),
        start: Some(start),
        end,
        hits: Some(0),
    });
}

/// `FNDA:count,name`
fn calls<V: Visitor + ?Sized>(rest: &[u8], place: Place, cx: &mut Context<'_, V>) {
    let Some((count, name)) = split_once(rest, b',') else {
        return cx.bad_record(rest, place);
    };
    if let Some(count) = cx.count(count, place) {
        cx.visitor.function(FunctionFact {
            name: &text(name),
            hits: Some(count),
            ..FunctionFact::default()
        });
    }
}

impl Section {
    /// `LF:found`, `LH:hit` and the like
    fn sum(&mut self, key: &[u8], rest: &[u8]) {
        let ratio = match key {
            b"LF" | b"LH" => &mut self.stated.lines,
            b"BRF" | b"BRH" => &mut self.stated.branches,
            _ => &mut self.stated.functions,
        };
        let count = parse_digits(rest.trim_ascii()).unwrap_or(0);
        match key.last() {
            Some(b'F') => ratio.total = count,
            _ => ratio.covered = count,
        }
    }

    /// `FNL:index,start[,end]`
    fn leader<V: Visitor + ?Sized>(&mut self, rest: &[u8], place: Place, cx: &mut Context<'_, V>) {
        let Some((index, lines)) = split_once(rest, b',') else {
            return cx.bad_record(rest, place);
        };
        let Some(index) = cx.count(index, place) else {
            return;
        };
        let (start, end) = match split_once(lines, b',') {
            Some((start, end)) => (start, small(end)),
            None => (lines, None),
        };
        if let Some(start) = cx.line_number(start, place) {
            self.by_index.insert(index, self.functions.len());
            self.functions.push(Group {
                start,
                end,
                name: None,
                hits: 0,
            });
        }
    }

    /// `FNA:index,count,name`
    fn alias<V: Visitor + ?Sized>(&mut self, rest: &[u8], place: Place, cx: &mut Context<'_, V>) {
        let fields = || {
            let (index, rest) = split_once(rest, b',')?;
            let (count, name) = split_once(rest, b',')?;
            Some((index, count, name))
        };
        let Some((index, count, name)) = fields() else {
            return cx.bad_record(rest, place);
        };
        let (Some(index), Some(count)) = (cx.count(index, place), cx.count(count, place)) else {
            return;
        };
        let group = self.by_index.get(&index).copied();
        let Some(group) = group.and_then(|at| self.functions.get_mut(at)) else {
            return cx.bad_record(rest, place);
        };
        group.hits = group.hits.saturating_add(count);
        let name = text(name);
        // The least of the names stands for all, whatever their order.
        if group.name.as_deref().is_none_or(|known| *name < *known) {
            group.name = Some(name.into_owned());
        }
    }
}

/// Ends the file: what was kept of it is complete.
fn end<V: Visitor + ?Sized>(section: &mut Section, cx: &mut Context<'_, V>) {
    section.by_index.clear();
    for group in section.functions.drain(..) {
        if let Some(name) = &group.name {
            cx.visitor.function(FunctionFact {
                name,
                start: Some(group.start),
                end: group.end,
                hits: Some(group.hits),
            });
        }
    }
    let Totals {
        lines,
        branches,
        functions,
    } = std::mem::take(&mut section.stated);
    let sane = |ratio: Ratio| Ratio::new(ratio.covered, ratio.total);
    cx.visitor.stated(Totals {
        lines: sane(lines),
        branches: sane(branches),
        functions: sane(functions),
    });
    cx.visitor.end_file();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::collect::Collector;
    use super::*;

    /// Hands out a byte at a time, so that no whole line is ever pending.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let (some, rest) = self.0.split_at(self.0.len().min(into.len()).min(1));
            into[..some.len()].copy_from_slice(some);
            self.0 = rest;
            Ok(some.len())
        }
    }

    const RECORDS: [&str; 26] = [
        "SF:a",
        "SF:b",
        "end_of_record",
        "DA:1,1",
        "DA:2,0",
        "DA:01,1",
        "DA:0,1",
        "DA:1,-1",
        "DA:7,3,sum",
        "DA:1234567890,1",
        "DA:99999999999,1",
        "DA:3,9999999999999999999",
        "DA:3,99999999999999999999",
        "DA:,1",
        "DA:1",
        "DA:",
        "BRDA:1,0,0,1",
        "BRDA:1,0,1,-",
        "BRDA:2,00,0,1",
        "BRDA:2,0,01,1",
        "BRDA:2,e0,0,1",
        "BRDA:2,0,to, 7,1",
        "BRDA:0,0,0,1",
        "BRDA:2,4294967296,0,1",
        "BRDA:2,0,0,=====",
        "BRDA:2,0,0,--",
    ];

    proptest! {
        #[test]
        fn usual_records_are_read_as_others_are(
            records in prop::collection::vec((0..RECORDS.len(), any::<bool>()), 0..40),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut text = "SF:a\n".to_owned();
            for (record, dos) in records {
                text += RECORDS[record];
                text += if dos { "\r\n" } else { "\n" };
            }
            let text = &text.as_bytes()[..=cut.index(text.len())];
            let told = |reader: &mut dyn Read| {
                let mut collector = Collector::new();
                let read = parse(reader, &mut Context::new(&mut collector, 1000));
                read.map(|()| collector.finish())
            };
            let whole = told(&mut &text[..]);
            prop_assert_eq!(whole.unwrap(), told(&mut Drip(text)).unwrap());
        }
    }
}
