//! Text of which at most a given length is kept: its beginning and its end.

use std::collections::VecDeque;
use std::fmt;

use serde::{Serialize, Serializer};

/// Text from a report. Where it was too long, its beginning and its end are here with a line between
/// them that says how much was left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    text: String,
    omitted: u64,
}

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How many bytes were left out of its middle.
    pub fn omitted(&self) -> u64 {
        self.omitted
    }
}

impl Text {
    /// Adds another text on a line of its own; once there is more than the limit, only its length.
    pub(super) fn append(&mut self, other: Self, limit: usize) {
        if self.is_empty() {
            *self = other;
        } else if self.text.len() + other.text.len() > limit.saturating_mul(2) {
            self.omitted += other.omitted + other.text.len() as u64;
        } else {
            if !self.text.ends_with('\n') && !other.is_empty() {
                self.text.push('\n');
            }
            self.text.push_str(&other.text);
            self.omitted += other.omitted;
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { text, omitted: 0 }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Builds a [`Text`] from pieces. How the pieces were cut makes no difference.
#[derive(Debug, Clone)]
pub(super) struct Clip {
    limit: usize,
    head: String,
    /// The head has all that it will have.
    full: bool,
    tail: VecDeque<u8>,
    total: u64,
    /// Something else than blanks has come.
    solid: bool,
}

impl Clip {
    pub(super) fn new(limit: usize) -> Self {
        let (head, tail) = (String::new(), VecDeque::new());
        Self {
            limit,
            head,
            full: false,
            tail,
            total: 0,
            solid: false,
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.total += text.len() as u64;
        self.solid = self.solid || !text.trim_ascii().is_empty();
        let mut rest = text;
        if !self.full {
            let room = (self.limit / 2).saturating_sub(self.head.len());
            let taken = rest.floor_char_boundary(room);
            self.head.push_str(rest.get(..taken).unwrap_or_default());
            rest = rest.get(taken..).unwrap_or_default();
            self.full = !rest.is_empty();
        }
        let room = self.limit - self.limit / 2;
        let bytes = rest.as_bytes();
        let bytes = bytes
            .get(bytes.len().saturating_sub(room)..)
            .unwrap_or_default();
        let over = (self.tail.len() + bytes.len()).saturating_sub(room);
        self.tail.drain(..over.min(self.tail.len()));
        self.tail.extend(bytes);
    }

    /// The text, if it is more than blanks; afterwards the clip is empty.
    pub(super) fn take(&mut self) -> Text {
        let whole = std::mem::replace(self, Self::new(self.limit));
        if !whole.solid {
            return Text::default();
        }
        let mut text = whole.head;
        let tail = Vec::from(whole.tail);
        // The first bytes may be the rest of a character whose beginning is gone.
        let start = tail.iter().take_while(|byte| **byte & 0xc0 == 0x80).count();
        let lost = whole.total - (text.len() + tail.len()) as u64;
        let start = if lost == 0 { 0 } else { start };
        let omitted = lost + start as u64;
        if omitted > 0 {
            use fmt::Write as _;
            let _ = write!(text, "\n[... {omitted} bytes left out ...]\n");
        }
        let tail = tail.get(start..).unwrap_or_default();
        text.push_str(&String::from_utf8_lossy(tail));
        Text { text, omitted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clip(pieces: &[&str], limit: usize) -> Text {
        let mut clip = Clip::new(limit);
        for piece in pieces {
            clip.push(piece);
        }
        clip.take()
    }

    #[test]
    fn a_long_text_keeps_its_ends_and_says_so() {
        let text = clip(&["abcdefghij"], 4);
        assert_eq!(text.as_str(), "ab\n[... 6 bytes left out ...]\nij");
        assert_eq!(text.omitted(), 6);
        assert_eq!(clip(&["ab", "cd"], 4).as_str(), "abcd");
        assert_eq!(clip(&[" \n"], 4).as_str(), "");
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[aé😀\n]{0,30}", cut in 0_usize..60, limit in 0_usize..40) {
            let cut = text.floor_char_boundary(cut);
            let whole = clip(&[&text], limit);
            prop_assert_eq!(&whole, &clip(&[&text[..cut], &text[cut..]], limit));
            if text.len() <= limit / 2 && !text.trim().is_empty() {
                prop_assert_eq!(whole.as_str(), text);
            }
        }
    }
}
