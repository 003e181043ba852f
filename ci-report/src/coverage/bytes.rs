//! Numbers and texts in as few bytes as they take, one behind the other.
//!
//! Numbers stand as in LEB128: seven bits a byte, the lowest first. How many bytes one takes is hard to
//! foresee, for a processor too, so a number of up to eight bytes is written and read as a whole.

/// How many bytes are written and read at once.
const WORD: usize = 8;
/// How many bits of a number they have room for.
const WORD_BITS: u32 = 56;
/// The bits that say, in each byte of a word, that another one follows.
const MORE: u64 = 0x8080_8080_8080_8080;

/// Bytes that are written one behind the other.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// What is written, and room for what comes.
    room: Vec<u8>,
    end: usize,
}

impl Writer {
    /// Nothing yet, with room for about so many bytes.
    pub(super) fn with_room(bytes: usize) -> Self {
        let room = vec![0; bytes + WORD];
        Self { room, end: 0 }
    }

    /// What was written.
    pub(super) fn written(&self) -> &[u8] {
        self.room.get(..self.end).unwrap_or_default()
    }

    /// How many bytes were written.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.end
    }

    /// Forgets what was written and keeps the room.
    pub(super) fn clear(&mut self) {
        self.end = 0;
    }

    /// Writes `number` and below it the `BITS` bits of `tag`, of which there are at most six.
    #[inline]
    pub(super) fn put<const BITS: u32>(&mut self, tag: u8, number: u64) {
        if number >> (WORD_BITS - BITS) != 0 {
            return self.put_large::<BITS>(tag, number);
        }
        let number = number << BITS | u64::from(tag);
        if number < 1 << 14 {
            // Nearly always.
            let more = number >= 0x80;
            let word = number & 0x7f | u64::from(more) << 7 | (number & 0x3f80) << 1;
            return self.put_word(word, 1 + usize::from(more));
        }
        let spread = spread(number);
        let last = (u64::BITS - 1 - (spread | 1).leading_zeros()) / 8;
        let word = spread | MORE & ((1 << (8 * last)) - 1);
        self.put_word(word, last as usize + 1);
    }

    /// Writes the lowest bytes of a word.
    #[inline]
    fn put_word(&mut self, word: u64, length: usize) {
        let rest = self.room.get_mut(self.end..);
        let Some(slot) = rest.and_then(|rest| rest.first_chunk_mut::<WORD>()) else {
            self.make_room(WORD);
            return self.put_word(word, length);
        };
        *slot = word.to_le_bytes();
        self.end += length;
    }

    #[cold]
    fn put_large<const BITS: u32>(&mut self, tag: u8, number: u64) {
        let room = 7 - BITS;
        let first = u64::from(low(number) & ((1 << room) - 1)) << BITS | u64::from(tag);
        self.put_word(first | 0x80, 1);
        let mut rest = number >> room;
        while rest >= 0x80 {
            self.put_word(rest & 0x7f | 0x80, 1);
            rest >>= 7;
        }
        self.put_word(rest, 1);
    }

    /// Writes a text with its length.
    pub(super) fn put_text(&mut self, text: &str) {
        self.put::<0>(0, text.len() as u64);
        let end = self.end + text.len();
        if end > self.room.len() {
            self.make_room(text.len());
        }
        if let Some(slot) = self.room.get_mut(self.end..end) {
            slot.copy_from_slice(text.as_bytes());
            self.end = end;
        }
    }

    #[cold]
    fn make_room(&mut self, bytes: usize) {
        let twice = self.room.len() * 2;
        self.room.resize(twice.max(self.end + bytes + 64), 0);
    }
}

/// Bytes that a [`Writer`] wrote.
#[derive(Debug, Clone)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    /// A number with the tag below it.
    #[inline]
    pub(super) fn take<const BITS: u32>(&mut self) -> (u8, u64) {
        let Some(word) = self.0.first_chunk::<WORD>() else {
            return self.take_slowly::<BITS>();
        };
        let word = u64::from_le_bytes(*word);
        let ends = !word & MORE;
        if ends == 0 {
            return self.take_slowly::<BITS>();
        }
        let number = gathered(word & (ends ^ (ends - 1)));
        let length = ends.trailing_zeros() as usize / 8 + 1;
        self.0 = self.0.get(length..).unwrap_or_default();
        (low(number) & ((1 << BITS) - 1), number >> BITS)
    }

    /// The same, byte by byte: near the end, or where there are more than a word has.
    #[inline(never)]
    fn take_slowly<const BITS: u32>(&mut self) -> (u8, u64) {
        let first = self.byte();
        let tag = first & ((1 << BITS) - 1);
        let mut number = u64::from((first & 0x7f) >> BITS);
        let mut shift = 7 - BITS;
        let mut byte = first;
        while byte >= 0x80 && shift < u64::BITS {
            byte = self.byte();
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
        }
        (tag, number)
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A text that was written with its length.
    pub(super) fn text(&mut self) -> &'a str {
        let (_, length) = self.take::<0>();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (text, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        std::str::from_utf8(text).unwrap_or_default()
    }
}

/// The 56 lowest bits, seven in each byte: halves are moved apart, then their halves, then theirs.
#[inline]
fn spread(number: u64) -> u64 {
    let apart = number & 0x0fff_ffff | (number & 0x00ff_ffff_f000_0000) << 4;
    let apart = apart & 0x0000_3fff_0000_3fff | (apart & 0x0fff_c000_0fff_c000) << 2;
    apart & 0x007f_007f_007f_007f | (apart & 0x3f80_3f80_3f80_3f80) << 1
}

/// The number that [`spread`] made this of; the highest bit of each byte says nothing.
#[inline]
fn gathered(word: u64) -> u64 {
    let near = word & 0x007f_007f_007f_007f | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let near = near & 0x0000_3fff_0000_3fff | (near & 0x3fff_0000_3fff_0000) >> 2;
    near & 0x0fff_ffff | (near & 0x0fff_ffff_0000_0000) >> 4
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
    reason = "only this byte is asked for"
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
            let mut writer = Writer::default();
            writer.put::<3>(tag, number);
            writer.put::<1>(tag & 1, number);
            writer.put::<0>(0, number);
            writer.put_text("änd");
            let mut from = Bytes(writer.written());
            prop_assert_eq!(from.take::<3>(), (tag, number));
            prop_assert_eq!(from.take::<1>(), (tag & 1, number));
            prop_assert_eq!(from.take::<0>(), (0, number));
            prop_assert_eq!(from.text(), "änd");
            prop_assert!(from.0.is_empty());
        }

        #[test]
        fn a_number_takes_a_byte_for_each_seven_bits(number in any::<u64>(), shift in 0..64_u32) {
            let number = number >> shift;
            let mut writer = Writer::default();
            writer.put::<0>(0, number);
            let bits = (u64::BITS - number.leading_zeros()).max(1);
            prop_assert_eq!(writer.len(), bits.div_ceil(7) as usize);
            let mut from = Bytes(writer.written());
            prop_assert_eq!(from.take_slowly::<0>(), (0, number));
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
        let mut endless = Bytes(&[0xff; 30]);
        assert_eq!(endless.take::<0>().1, u64::MAX);
        assert!(endless.0.len() < 30);
    }
}
