//! Tells the words of the supervisor from the output of the step in the same stream.

use memchr::memmem::Finder;

/// Splits a stream at the mark that only this side and the supervisor know.
pub(super) struct Splitter {
    finder: Finder<'static>,
    length: usize,
    /// What was read but not given out: the beginning of a mark, or what follows it.
    kept: Vec<u8>,
    found: bool,
}

impl Splitter {
    pub(super) fn new(mark: &str) -> Self {
        Self {
            finder: Finder::new(mark.as_bytes()).into_owned(),
            length: mark.len(),
            kept: Vec::new(),
            found: false,
        }
    }

    /// Takes what was read. Gives the output of the step that is in it for sure.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.kept.extend_from_slice(piece);
        if self.found {
            return Vec::new();
        }
        if let Some(at) = self.finder.find(&self.kept) {
            self.found = true;
            let rest = self.kept.split_off(at + self.length);
            self.kept.truncate(at);
            return std::mem::replace(&mut self.kept, rest);
        }
        let mark = self.finder.needle();
        let most = self.kept.len().min(self.length - 1);
        let open = (1..=most).rev().find(|open| {
            let end = &self.kept[self.kept.len() - open..];
            mark.starts_with(end)
        });
        let rest = self.kept.split_off(self.kept.len() - open.unwrap_or(0));
        std::mem::replace(&mut self.kept, rest)
    }

    /// The words after the mark, once the whole line is there.
    pub(super) fn words(&self) -> Option<String> {
        if !self.found {
            return None;
        }
        let end = memchr::memchr(b'\n', &self.kept)?;
        Some(String::from_utf8_lossy(&self.kept[..end]).trim().to_owned())
    }

    /// What was held back when the stream ended without a mark.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        if self.found {
            return Vec::new();
        }
        std::mem::take(&mut self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_however_the_stream_is_cut() {
        let stream = b"output mamarmark exit 0\nmore";
        for size in 1..stream.len() {
            let mut splitter = Splitter::new("mark");
            let mut out = Vec::new();
            for piece in stream.chunks(size) {
                out.extend(splitter.push(piece));
            }
            assert_eq!(out, b"output mamar", "pieces of {size}");
            assert_eq!(splitter.words().as_deref(), Some("exit 0"));
            assert!(splitter.rest().is_empty());
        }
    }

    #[test]
    fn a_stream_without_a_mark_has_no_words_and_loses_nothing() {
        let mut splitter = Splitter::new("mark");
        let mut out = splitter.push(b"all of it mar");
        assert_eq!(splitter.words(), None);
        out.extend(splitter.rest());
        assert_eq!(out, b"all of it mar");
    }

    #[test]
    fn half_a_trailer_is_none() {
        let mut splitter = Splitter::new("mark");
        splitter.push(b"xmark exit 1");
        assert_eq!(splitter.words(), None);
        splitter.push(b"37\n");
        assert_eq!(splitter.words().as_deref(), Some("exit 137"));
    }
}
