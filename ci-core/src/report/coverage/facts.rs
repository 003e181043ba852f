//! How each kind of fact is packed, ordered and joined.

use std::cmp::Ordering;

use super::count::{Count, Join};
use super::model::{Arm, Branch, BranchCount, BranchKind, Function, Line};
use super::packed::{At, Bytes, Fact, put, put_text, small, step, stepped};

/// The hits beside one bit, which is clear when it is the next line; otherwise the way to it.
impl Fact<'_> for Line {
    #[inline]
    fn pack(self, at: &mut At, into: &mut Vec<u8>) -> bool {
        let jumps = self.number != at.line.wrapping_add(1);
        put::<1>(into, u8::from(jumps), self.hits.code());
        if jumps {
            put::<0>(into, 0, step(at.line, self.number));
        }
        let follows = self.number > at.line;
        at.line = self.number;
        follows
    }

    #[inline]
    fn unpack(at: &mut At, from: &mut Bytes<'_>) -> Self {
        let (jumps, code) = from.take::<1>();
        at.line = if jumps == 0 {
            at.line.wrapping_add(1)
        } else {
            stepped(at.line, from.take::<0>().1)
        };
        Self {
            number: at.line,
            hits: Count::from_code(code),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        self.number.cmp(&other.number)
    }

    fn absorb(&mut self, other: &Self, join: Join) {
        self.hits = self.hits.join(other.hits, join);
    }
}

/// The way to the line beside the kind and whether the arm has words; the way to the block beside a
/// bit that is clear when the arm is the next one, otherwise the arm; the count.
impl<'a> Fact<'a> for Branch<'a> {
    #[inline]
    fn pack(self, at: &mut At, into: &mut Vec<u8>) -> bool {
        let is_text = matches!(self.arm, Arm::Text(_));
        let tag = self.kind as u8 | u8::from(is_text) << 2;
        put::<3>(into, tag, step(at.line, self.line));
        let before = *at;
        at.enter(self.line);
        let to_block = step(at.block, self.block);
        at.enter_block(self.block);
        let follows_in_block = match self.arm {
            Arm::Number(arm) => {
                let jumps = u64::from(arm) != at.arm;
                put::<1>(into, u8::from(jumps), to_block);
                if jumps {
                    put::<0>(into, 0, u64::from(arm));
                }
                let follows = u64::from(arm) >= at.arm;
                at.arm = u64::from(arm) + 1;
                follows
            }
            Arm::Text(text) => {
                put::<1>(into, 0, to_block);
                put_text(into, text);
                // Which of two words is the greater is left to the sort.
                std::mem::replace(&mut at.arm, u64::MAX) != u64::MAX
            }
        };
        put::<0>(into, 0, self.taken.code());
        match (self.line, self.block).cmp(&(before.line, before.block)) {
            Ordering::Less => false,
            Ordering::Equal => follows_in_block,
            Ordering::Greater => true,
        }
    }

    #[inline]
    fn unpack(at: &mut At, from: &mut Bytes<'a>) -> Self {
        let (tag, to_line) = from.take::<3>();
        at.enter(stepped(at.line, to_line));
        let (jumps, to_block) = from.take::<1>();
        at.enter_block(stepped(at.block, to_block));
        let arm = if tag & 4 != 0 {
            at.arm = u64::MAX;
            Arm::Text(from.text())
        } else {
            let arm = if jumps == 0 {
                small(at.arm)
            } else {
                small(from.take::<0>().1)
            };
            at.arm = u64::from(arm) + 1;
            Arm::Number(arm)
        };
        let (_, code) = from.take::<0>();
        Self {
            line: at.line,
            block: at.block,
            arm,
            taken: Count::from_code(code),
            kind: match tag & 3 {
                0 => BranchKind::Plain,
                1 => BranchKind::Fallthrough,
                2 => BranchKind::Exception,
                _ => BranchKind::Unreachable,
            },
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        let key = |it: &Self| (it.line, it.block, it.arm);
        key(self).cmp(&key(other))
    }

    fn absorb(&mut self, other: &Self, join: Join) {
        self.taken = self.taken.join(other.taken, join);
        self.kind = self.kind.max(other.kind);
    }
}

impl At {
    /// Goes to a line; a new one begins at its first block.
    fn enter(&mut self, line: u32) {
        if self.line != line {
            (self.line, self.block, self.arm) = (line, 0, 0);
        }
    }

    /// Goes to a block of the line; a new one begins at its first arm.
    fn enter_block(&mut self, block: u32) {
        if self.block != block {
            (self.block, self.arm) = (block, 0);
        }
    }
}

/// The way to the line and both counts.
impl Fact<'_> for BranchCount {
    fn pack(self, at: &mut At, into: &mut Vec<u8>) -> bool {
        put::<0>(into, 0, step(at.line, self.line));
        put::<0>(into, 0, u64::from(self.covered));
        put::<0>(into, 0, u64::from(self.total));
        let follows = self.line > at.line;
        at.line = self.line;
        follows
    }

    fn unpack(at: &mut At, from: &mut Bytes<'_>) -> Self {
        at.line = stepped(at.line, from.take::<0>().1);
        Self {
            line: at.line,
            covered: small(from.take::<0>().1),
            total: small(from.take::<0>().1),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        self.line.cmp(&other.line)
    }

    fn absorb(&mut self, other: &Self, _: Join) {
        self.covered = self.covered.max(other.covered);
        self.total = self.total.max(other.total);
    }
}

/// The name; the hits beside which of the lines there are; these lines.
impl<'a> Fact<'a> for Function<'a> {
    fn pack(self, _: &mut At, into: &mut Vec<u8>) -> bool {
        put_text(into, self.name);
        let has = u8::from(self.start.is_some()) | u8::from(self.end.is_some()) << 1;
        put::<2>(into, has, self.hits.code());
        if let Some(start) = self.start {
            put::<0>(into, 0, u64::from(start));
        }
        if let Some(end) = self.end {
            put::<0>(into, 0, step(self.start.unwrap_or_default(), end));
        }
        // Names seldom come in order: that is left to the sort.
        false
    }

    fn unpack(_: &mut At, from: &mut Bytes<'a>) -> Self {
        let name = from.text();
        let (has, code) = from.take::<2>();
        let start = (has & 1 != 0).then(|| small(from.take::<0>().1));
        let end = (has & 2 != 0).then(|| stepped(start.unwrap_or_default(), from.take::<0>().1));
        Self {
            name,
            start,
            end,
            hits: Count::from_code(code),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        self.name.cmp(other.name)
    }

    fn absorb(&mut self, other: &Self, join: Join) {
        self.hits = self.hits.join(other.hits, join);
        // `None` is less than any line, so the smallest start needs care and the largest end none.
        self.start = match (self.start, other.start) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.end = self.end.max(other.end);
    }
}
