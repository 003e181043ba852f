//! A piece of text that is being read.

/// A piece of text and how far it has been read.
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) position: usize,
    /// Up to where lines have been counted.
    pub(super) counted: usize,
}

impl<'a> Piece<'a> {
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    /// The rest as bytes, for scans that may stop within a character.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.text
            .as_bytes()
            .get(self.position..)
            .unwrap_or_default()
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }
}
