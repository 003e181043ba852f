//! Facts about a file in as few bytes as they take, one after the other: mostly two or three each.
//!
//! A fact is written as what it differs in from the one before. Numbers stand as in LEB128: seven
//! bits a byte, the lowest first.

use std::cmp::Ordering;
use std::marker::PhantomData;

use super::count::Join;

/// Something that is said about a file, of which there is one with its key.
pub(super) trait Fact<'a>: Copy {
    /// Writes it behind the fact that left `at`, and says whether its key is known to be greater.
    fn pack(self, at: &mut At, into: &mut Vec<u8>) -> bool;

    /// Reads what [`pack`](Self::pack) wrote.
    fn unpack(at: &mut At, from: &mut Bytes<'a>) -> Self;

    /// Less, equal or greater by key.
    fn order(&self, other: &Self) -> Ordering;

    /// Takes in a fact with the same key.
    fn absorb(&mut self, other: &Self, join: Join);
}

/// Where a fact stands, for the next one to differ from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct At {
    pub(super) line: u32,
    pub(super) block: u32,
    /// The number of the arm that mostly follows; beyond 32 bits behind an arm that has words.
    pub(super) arm: u64,
}

/// Facts in the order of their keys, each key once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Packed {
    bytes: Box<[u8]>,
    len: usize,
}

impl Packed {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The facts, of the kind that was packed.
    pub(super) fn facts<'a, F: Fact<'a>>(&'a self) -> Facts<'a, F> {
        Facts::new(&self.bytes, self.len)
    }

    /// The facts of both; those with the same key are joined.
    pub(super) fn joined<'a, F: Fact<'a>>(&'a self, other: &'a Self, join: Join) -> Self {
        if self.len == 0 {
            return other.clone();
        }
        let (mut left, mut right) = (self.facts::<F>(), other.facts::<F>());
        let (mut a, mut b) = (left.next(), right.next());
        let mut all = Packing::default();
        all.bytes.reserve(self.bytes.len() + other.bytes.len());
        loop {
            let order = match (&a, &b) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.order(b),
            };
            let mut least = None;
            if order.is_le() {
                least = std::mem::replace(&mut a, left.next());
            }
            if order.is_ge() {
                let second = std::mem::replace(&mut b, right.next());
                match (&mut least, second) {
                    (Some(first), Some(second)) => first.absorb(&second, join),
                    (None, second) => least = second,
                    (Some(_), None) => {}
                }
            }
            if let Some(least) = least {
                all.push(least);
            }
        }
        all.as_they_are()
    }
}

/// Reads packed facts.
#[derive(Debug, Clone)]
pub(super) struct Facts<'a, F> {
    rest: Bytes<'a>,
    at: At,
    left: usize,
    kind: PhantomData<F>,
}

impl<'a, F> Facts<'a, F> {
    fn new(bytes: &'a [u8], left: usize) -> Self {
        Self {
            rest: Bytes(bytes),
            at: At::default(),
            left,
            kind: PhantomData,
        }
    }
}

impl<'a, F: Fact<'a>> Iterator for Facts<'a, F> {
    type Item = F;

    #[inline]
    fn next(&mut self) -> Option<F> {
        self.left = self.left.checked_sub(1)?;
        Some(F::unpack(&mut self.at, &mut self.rest))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'a, F: Fact<'a>> ExactSizeIterator for Facts<'a, F> {}

/// Takes facts in any order, to be packed when all are there.
#[derive(Debug)]
pub(super) struct Packing {
    bytes: Vec<u8>,
    len: usize,
    at: At,
    in_order: bool,
}

impl Default for Packing {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            len: 0,
            at: At::default(),
            in_order: true,
        }
    }
}

impl Packing {
    #[inline]
    pub(super) fn push<'a, F: Fact<'a>>(&mut self, fact: F) -> &Self {
        let follows = fact.pack(&mut self.at, &mut self.bytes);
        self.in_order &= follows || self.len == 0;
        self.len += 1;
        self
    }

    /// How many bytes the facts take.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets the facts and keeps the room.
    pub(super) fn clear(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        *self = Self {
            bytes,
            ..Self::default()
        };
    }

    /// The facts in order, of the kind that was pushed; those with the same key are joined. What came
    /// in order is only copied.
    pub(super) fn pack<'a, F: Fact<'a>>(&'a self, join: Join) -> Packed {
        if self.in_order {
            return self.as_they_are();
        }
        let mut facts: Vec<F> = Facts::new(&self.bytes, self.len).collect();
        facts.sort_by(F::order);
        facts.dedup_by(|later, first| {
            let same = first.order(later).is_eq();
            if same {
                first.absorb(later, join);
            }
            same
        });
        let mut ordered = Self::default();
        ordered.bytes.reserve(self.bytes.len());
        for fact in facts {
            ordered.push(fact);
        }
        ordered.as_they_are()
    }

    fn as_they_are(&self) -> Packed {
        Packed {
            bytes: self.bytes.as_slice().into(),
            len: self.len,
        }
    }
}

/// Bytes that [`put`] and [`put_text`] wrote.
#[derive(Debug, Clone)]
pub(super) struct Bytes<'a>(&'a [u8]);

/// Writes `number` and in its first byte the `BITS` bits of `tag`, of which there are at most six.
#[inline]
pub(super) fn put<const BITS: u32>(into: &mut Vec<u8>, tag: u8, number: u64) {
    let room = 7 - BITS;
    let first = (low(number) & ((1 << room) - 1)) << BITS | tag;
    let rest = number >> room;
    if rest == 0 {
        into.push(first);
    } else {
        put_rest(into, first | 0x80, rest);
    }
}

fn put_rest(into: &mut Vec<u8>, first: u8, mut rest: u64) {
    if rest < 0x80 {
        return into.extend_from_slice(&[first, low(rest)]);
    }
    into.push(first);
    while rest >= 0x80 {
        into.push(low(rest) | 0x80);
        rest >>= 7;
    }
    into.push(low(rest));
}

/// Writes a text with its length.
pub(super) fn put_text(into: &mut Vec<u8>, text: &str) {
    put::<0>(into, 0, text.len() as u64);
    into.extend_from_slice(text.as_bytes());
}

impl<'a> Bytes<'a> {
    #[inline]
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A number with the tag beside it.
    #[inline]
    pub(super) fn take<const BITS: u32>(&mut self) -> (u8, u64) {
        let first = self.byte();
        let tag = first & ((1 << BITS) - 1);
        let number = u64::from((first & 0x7f) >> BITS);
        if first < 0x80 {
            (tag, number)
        } else {
            (tag, number | self.rest(7 - BITS))
        }
    }

    /// What follows the first byte of a number, so many bits up.
    #[inline]
    fn rest(&mut self, mut shift: u32) -> u64 {
        let mut number = 0;
        while shift < u64::BITS {
            let byte = self.byte();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
            shift += 7;
        }
        number
    }

    pub(super) fn text(&mut self) -> &'a str {
        let (_, len) = self.take::<0>();
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let (text, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        std::str::from_utf8(text).unwrap_or_default()
    }
}

/// The way from one number to the other: mostly small, also where it leads back.
#[inline]
pub(super) fn step(from: u32, to: u32) -> u64 {
    u64::from(from.abs_diff(to)) << 1 | u64::from(to < from)
}

/// Where a [`step`] leads.
#[inline]
pub(super) fn stepped(from: u32, step: u64) -> u32 {
    let distance = small(step >> 1);
    if step & 1 == 0 {
        from.wrapping_add(distance)
    } else {
        from.wrapping_sub(distance)
    }
}

/// A number that was written as one of 32 bits.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "it has 32 bits")]
pub(super) fn small(number: u64) -> u32 {
    number as u32
}

/// The lowest byte.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is above is written after it"
)]
fn low(number: u64) -> u8 {
    number as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(number in any::<u64>(), shift in 0..64_u32, tag in 0..8_u8) {
            let number = number >> shift;
            let mut bytes = Vec::new();
            put::<3>(&mut bytes, tag, number);
            put::<1>(&mut bytes, tag & 1, number);
            put::<0>(&mut bytes, 0, number);
            let mut from = Bytes(&bytes);
            prop_assert_eq!(from.take::<3>(), (tag, number));
            prop_assert_eq!(from.take::<1>(), (tag & 1, number));
            prop_assert_eq!(from.take::<0>(), (0, number));
            prop_assert!(from.0.is_empty());
        }

        #[test]
        fn a_step_leads_where_it_should(from in any::<u32>(), to in any::<u32>()) {
            prop_assert_eq!(stepped(from, step(from, to)), to);
        }
    }

    #[test]
    fn what_is_cut_off_is_read_without_a_panic() {
        let mut bytes = Bytes(&[0xff, 0xff]);
        assert_eq!(bytes.take::<2>().0, 3);
        assert_eq!(bytes.take::<0>(), (0, 0));
        assert_eq!(Bytes(&[9, b'a']).text(), "a");
    }
}
