//! Facts about a file in as few bytes as they take, one after the other: mostly two or three each.
//!
//! A fact is written as what it differs in from the one before.

use std::cmp::Ordering;
use std::marker::PhantomData;

use super::bytes::{Bytes, Writer};
use super::count::Join;

/// Something that is said about a file, of which there is one with its key.
pub(super) trait Fact<'a>: Copy {
    /// Writes it behind the fact that left `at`, and says whether its key is known to be greater.
    fn pack(self, at: &mut At, into: &mut Writer) -> bool;

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
        let mut all = Packing::with_room(self.bytes.len() + other.bytes.len());
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
    bytes: Writer,
    len: usize,
    at: At,
    in_order: bool,
}

impl Default for Packing {
    fn default() -> Self {
        Self {
            bytes: Writer::default(),
            len: 0,
            at: At::default(),
            in_order: true,
        }
    }
}

impl Packing {
    fn with_room(bytes: usize) -> Self {
        Self {
            bytes: Writer::with_room(bytes),
            ..Self::default()
        }
    }

    /// Adds a fact; gives how many bytes all of them take.
    #[expect(clippy::inline_always, reason = "a fact is best left in registers")]
    #[inline(always)]
    pub(super) fn push<'a, F: Fact<'a>>(&mut self, fact: F) -> usize {
        let follows = fact.pack(&mut self.at, &mut self.bytes);
        self.in_order &= follows || self.len == 0;
        self.len += 1;
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
        let mut facts: Vec<F> = Facts::new(self.bytes.written(), self.len).collect();
        fold(&mut facts, join);
        facts.sort_by(F::order);
        facts.dedup_by(|later, first| {
            let same = first.order(later).is_eq();
            if same {
                first.absorb(later, join);
            }
            same
        });
        let mut ordered = Self::with_room(self.bytes.len());
        for fact in facts {
            ordered.push(fact);
        }
        ordered.as_they_are()
    }

    fn as_they_are(&self) -> Packed {
        Packed {
            bytes: self.bytes.written().into(),
            len: self.len,
        }
    }
}

/// Joins the second half into the first where both have the same keys in the same order: LCOV lists all
/// functions of a file, and then all of them once more with their calls.
fn fold<'a, F: Fact<'a>>(facts: &mut Vec<F>, join: Join) {
    let half = facts.len() / 2;
    let (first, second) = facts.split_at_mut(half);
    let same = |(a, b): (&F, &F)| a.order(b).is_eq();
    if first.len() != second.len() || !first.iter().zip(&*second).all(same) {
        return;
    }
    for (fact, again) in first.iter_mut().zip(&*second) {
        fact.absorb(again, join);
    }
    facts.truncate(half);
}
