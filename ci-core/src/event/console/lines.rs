//! Cuts the pieces of a stream into lines that are safe to show.

use crate::event::Sanitizer;

/// A line that grows longer than this is shown in pieces.
const LONGEST: usize = 16 * 1024;

/// Cuts one stream of one step.
#[derive(Debug)]
pub(super) struct LineCutter {
    filter: Sanitizer,
    /// The line that has no end yet.
    open: String,
}

impl LineCutter {
    pub(super) fn new(color: bool) -> Self {
        Self {
            filter: Sanitizer::new(color),
            open: String::new(),
        }
    }

    /// Takes a piece and gives each line that it ends.
    pub(super) fn push(&mut self, text: &str, mut each: impl FnMut(String)) {
        for piece in text.split_inclusive('\n') {
            if self.open.is_empty() && piece.ends_with('\n') {
                each(self.filter.line(piece));
                continue;
            }
            self.open.push_str(piece);
            if piece.ends_with('\n') {
                self.end(&mut each);
            } else if self.open.len() > LONGEST {
                self.relieve(&mut each);
            }
        }
    }

    /// Gives the line that has no end, if there is one.
    pub(super) fn finish(&mut self, mut each: impl FnMut(String)) {
        if !self.open.is_empty() {
            self.end(&mut each);
        }
    }

    fn end(&mut self, each: &mut impl FnMut(String)) {
        let line = std::mem::take(&mut self.open);
        each(self.filter.line(&line));
    }

    /// A progress bar keeps only its last state; any other line is shown as far as it goes.
    fn relieve(&mut self, each: &mut impl FnMut(String)) {
        let body = self.open.trim_end_matches('\r').len();
        match self.open[..body].rfind('\r') {
            Some(at) if body - at < LONGEST => {
                self.open.drain(..=at);
            }
            _ => self.end(each),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut lines = Vec::new();
        let mut cutter = LineCutter::new(false);
        for piece in pieces {
            cutter.push(piece, |line| lines.push(line));
        }
        cutter.finish(|line| lines.push(line));
        lines
    }

    #[test]
    fn lines_are_put_together() {
        assert_eq!(
            cut(["a", "b\nc\n", "\nd\u{1b}[", "2Je"]),
            ["ab", "c", "", "de"]
        );
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_the_memory() {
        let mut cutter = LineCutter::new(false);
        let mut shown = 0;
        for _ in 0..10_000 {
            cutter.push("0123456789", |line| shown += line.len());
            assert!(cutter.open.len() <= LONGEST + 10);
        }
        cutter.finish(|line| shown += line.len());
        assert_eq!(shown, 100_000);
        for n in 0..100_000 {
            cutter.push(&format!("\r{n}%"), |line| panic!("`{line}` has not ended"));
            assert!(cutter.open.len() <= LONGEST + 10);
        }
        cutter.finish(|line| assert_eq!(line, "99999%"));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(text in "[ab\n\r\u{1b}\\[m2J]{0,60}", cuts in prop::collection::vec(0..60_usize, 0..6)) {
            let mut cuts = cuts;
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).filter_map(|pair| text.get(pair[0]..pair[1].min(text.len())));
            prop_assert_eq!(cut(pieces), cut([&*text]));
        }
    }
}
