//! How each kind of fact is packed, ordered and joined.

use std::cmp::Ordering;

use super::bytes::{Bytes, Writer, small, step, stepped};
use super::count::{Count, Join};
use super::model::{Arm, Branch, BranchCount, BranchKind, Function, Line};
use super::packed::{At, Fact};

/// The hits beside one bit, which is clear when it is the next line; otherwise the way to it.
impl Fact<'_> for Line {
    #[expect(clippy::inline_always, reason = "a fact is best left in registers")]
    #[inline(always)]
    fn pack(self, at: &mut At, into: &mut Writer) -> bool {
        let jumps = self.number != at.line.wrapping_add(1);
        into.put::<1>(u8::from(jumps), self.hits.code());
        if jumps {
            into.put::<0>(0, step(at.line, self.number));
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

/// The tag of a branch that does not simply come next.
const UNUSUAL: u8 = 4;

/// Nearly all are the next arm of their block, or the first one of a later line: the way to the line
/// beside the kind, and the count. Others have more between these, as [`Branch::pack_unusual`] writes it.
impl<'a> Fact<'a> for Branch<'a> {
    #[expect(clippy::inline_always, reason = "a fact is best left in registers")]
    #[inline(always)]
    fn pack(self, at: &mut At, into: &mut Writer) -> bool {
        // Number by number: a copy of several just written ones would have to wait for them.
        let (block, arm) = if self.line == at.line {
            (at.block, at.arm)
        } else {
            (0, 0)
        };
        let is_next = self.block == block
            && self.line >= at.line
            && matches!(self.arm, Arm::Number(number) if u64::from(number) == arm);
        let follows = if is_next {
            into.put::<3>(self.kind as u8, u64::from(self.line - at.line));
            at.line = self.line;
            at.block = block;
            at.arm = arm + 1;
            true
        } else {
            self.pack_unusual(at, into)
        };
        into.put::<0>(0, self.taken.code());
        follows
    }

    #[inline]
    fn unpack(at: &mut At, from: &mut Bytes<'a>) -> Self {
        let (tag, to_line) = from.take::<3>();
        let arm = if tag & UNUSUAL == 0 {
            if to_line != 0 {
                at.line = at.line.wrapping_add(small(to_line));
                at.block = 0;
                at.arm = 0;
            }
            let arm = at.arm;
            at.arm = arm.wrapping_add(1);
            Arm::Number(small(arm))
        } else {
            Self::unpack_unusual(to_line, at, from)
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

impl<'a> Branch<'a> {
    /// The way to the line beside a bit for an arm with words; the way to the block beside a bit that is
    /// clear when the arm is the next one; otherwise the arm.
    #[inline(never)]
    fn pack_unusual(self, at: &mut At, into: &mut Writer) -> bool {
        let before = *at;
        at.enter(self.line);
        let is_text = matches!(self.arm, Arm::Text(_));
        let to_line = step(before.line, self.line) << 1 | u64::from(is_text);
        into.put::<3>(self.kind as u8 | UNUSUAL, to_line);
        let to_block = step(at.block, self.block);
        at.enter_block(self.block);
        let follows_in_block = match self.arm {
            Arm::Number(arm) => {
                let jumps = u64::from(arm) != at.arm;
                into.put::<1>(u8::from(jumps), to_block);
                if jumps {
                    into.put::<0>(0, u64::from(arm));
                }
                let follows = u64::from(arm) >= at.arm;
                at.arm = u64::from(arm) + 1;
                follows
            }
            Arm::Text(text) => {
                into.put::<1>(0, to_block);
                into.put_text(text);
                // Which of two words is the greater is left to the sort.
                std::mem::replace(&mut at.arm, u64::MAX) != u64::MAX
            }
        };
        match (self.line, self.block).cmp(&(before.line, before.block)) {
            Ordering::Less => false,
            Ordering::Equal => follows_in_block,
            Ordering::Greater => true,
        }
    }

    /// Goes where [`pack_unusual`](Self::pack_unusual) went, and gives the arm.
    #[inline(never)]
    fn unpack_unusual(to_line: u64, at: &mut At, from: &mut Bytes<'a>) -> Arm<'a> {
        at.enter(stepped(at.line, to_line >> 1));
        let (jumps, to_block) = from.take::<1>();
        at.enter_block(stepped(at.block, to_block));
        if to_line & 1 != 0 {
            at.arm = u64::MAX;
            return Arm::Text(from.text());
        }
        let arm = if jumps == 0 {
            small(at.arm)
        } else {
            small(from.take::<0>().1)
        };
        at.arm = u64::from(arm) + 1;
        Arm::Number(arm)
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
    fn pack(self, at: &mut At, into: &mut Writer) -> bool {
        into.put::<0>(0, step(at.line, self.line));
        into.put::<0>(0, u64::from(self.covered));
        into.put::<0>(0, u64::from(self.total));
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
    fn pack(self, _: &mut At, into: &mut Writer) -> bool {
        into.put_text(self.name);
        let has = u8::from(self.start.is_some()) | u8::from(self.end.is_some()) << 1;
        into.put::<2>(has, self.hits.code());
        if let Some(start) = self.start {
            into.put::<0>(0, u64::from(start));
        }
        if let Some(end) = self.end {
            into.put::<0>(0, step(self.start.unwrap_or_default(), end));
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
