//! The scan of a start tag as nearly all are: whole, well-formed, with few attributes.
//!
//! What is unusual about a tag is left to the [scan](super::scan) that can stop anywhere, so that here
//! nothing but speed has to be thought of. Both give the same.

use super::tag::Attribute;
use super::{Limits, limits::NAME};

/// Attributes of a usual tag at most.
const MOST: usize = 8;

/// A start tag that is usual.
pub(super) struct Usual<'a> {
    pub(super) name: &'a str,
    /// The name without its prefix.
    pub(super) local: &'a str,
    attributes: [Attribute<'a>; MOST],
    count: usize,
    /// One bit for each attribute whose value has references.
    pub(super) references: u32,
    /// The bytes of the tag.
    pub(super) length: usize,
    pub(super) empty: bool,
}

impl<'a> Usual<'a> {
    pub(super) fn attributes(&self) -> &[Attribute<'a>] {
        self.attributes.get(..self.count).unwrap_or_default()
    }

    /// The same attributes, of which some get another value.
    pub(super) fn attributes_mut(&mut self) -> &mut [Attribute<'a>] {
        self.attributes.get_mut(..self.count).unwrap_or_default()
    }
}

/// Bytes in a name.
const PLAIN: u8 = 0;
const COLON: u8 = 1;
/// Bytes that end one.
const END: u8 = 2;

/// What each byte is in a name.
static SORTS: [u8; 256] = {
    let mut sorts = [PLAIN; 256];
    sorts[b':' as usize] = COLON;
    sorts[b'=' as usize] = END;
    sorts[b' ' as usize] = END;
    sorts[b'\n' as usize] = END;
    sorts[b'\t' as usize] = END;
    sorts[b'\r' as usize] = END;
    sorts[b'>' as usize] = END;
    sorts[b'/' as usize] = END;
    sorts[b'<' as usize] = END;
    sorts
};

/// The end of the name that begins at `start`, and its last colon.
#[inline]
fn name_end(bytes: &[u8], start: usize) -> Option<(usize, Option<usize>)> {
    let (mut at, mut colon) = (start, None);
    loop {
        match SORTS[usize::from(*bytes.get(at)?)] {
            PLAIN => {}
            COLON => colon = Some(at),
            _ => return (at - start <= NAME && at > start).then_some((at, colon)),
        }
        at += 1;
    }
}

/// A name without its prefix: it began at `start`, where its last colon counts from too.
#[inline]
fn local(name: &str, start: usize, colon: Option<usize>) -> Option<&str> {
    match colon {
        Some(colon) if colon + 1 < start + name.len() => name.get(colon + 1 - start..),
        _ => Some(name),
    }
}

impl<'a> Usual<'a> {
    /// A tag of which nothing is known.
    #[inline]
    pub(super) fn new() -> Self {
        Self {
            name: "",
            local: "",
            attributes: [Attribute::NONE; MOST],
            count: 0,
            references: 0,
            length: 0,
            empty: false,
        }
    }

    /// Takes the tag that `text` begins with; nothing if it is not usual.
    ///
    /// Not a function that returns the tag: moving it costs as much as a scan.
    #[inline]
    pub(super) fn scan(&mut self, text: &'a str, limits: &Limits) -> Option<()> {
        let bytes = text.as_bytes();
        let (end, colon) = name_end(bytes, 1)?;
        // This sort of name ends with what may stand in another.
        if bytes.get(end) == Some(&b'=') {
            return None;
        }
        self.name = text.get(1..end)?;
        self.local = local(self.name, 1, colon)?;
        let (mut at, mut seen) = (end, 0_u64);
        loop {
            while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(at) {
                at += 1;
            }
            match bytes.get(at)? {
                b'>' => break,
                b'/' if bytes.get(at + 1) == Some(&b'>') => {
                    self.empty = true;
                    at += 1;
                    break;
                }
                _ => at = self.attribute(text, at, limits, &mut seen)?,
            }
        }
        self.length = at + 1;
        Some(())
    }

    /// Takes the attribute at `start`; returns its end.
    #[inline]
    fn attribute(
        &mut self,
        text: &'a str,
        start: usize,
        limits: &Limits,
        seen: &mut u64,
    ) -> Option<usize> {
        let bytes = text.as_bytes();
        let (end, colon) = name_end(bytes, start)?;
        let &[b'=', quote @ (b'"' | b'\'')] = bytes.get(end..end + 2)? else {
            return None;
        };
        let value = end + 2;
        let mut length = memchr::memchr3(quote, b'&', b'<', bytes.get(value..)?)?;
        if bytes.get(value + length) == Some(&b'&') {
            self.references |= 1 << self.count;
            length += memchr::memchr2(quote, b'<', bytes.get(value + length..)?)?;
        }
        let after = value + length;
        if bytes.get(after) == Some(&b'<') || length > limits.value || after > limits.tag {
            return None;
        }
        // A name that may have been seen before; the other scan knows.
        let name = text.get(start..end)?;
        let bit = sort(name.as_bytes());
        if *seen & bit != 0 && self.has(name) || name.starts_with("xmlns") {
            return None;
        }
        *seen |= bit;
        if self.count >= limits.attributes {
            return None;
        }
        *self.attributes.get_mut(self.count)? = Attribute {
            full_name: name,
            name: local(name, start, colon)?,
            value: text.get(value..after)?,
        };
        self.count += 1;
        Some(after + 1)
    }

    fn has(&self, name: &str) -> bool {
        self.attributes()
            .iter()
            .any(|attribute| attribute.full_name == name)
    }
}

/// One of 64 bits for a name, by its length and its ends.
#[inline]
pub(super) fn sort(name: &[u8]) -> u64 {
    let first = name.first().copied().unwrap_or_default();
    let last = name.last().copied().unwrap_or_default();
    // The names that reports have most fall on bits of their own.
    let hash = usize::from(first) * 31 + usize::from(last) * 7 + name.len();
    1 << (hash & 63)
}
