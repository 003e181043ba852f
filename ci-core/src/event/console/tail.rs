//! Keeps the end of what a job writes, in bounded memory and without looking at it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::lines::LineCutter;
use crate::session::Stream;

/// The end of what an attempt of a job wrote.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pieces: VecDeque<(u32, Stream, Arc<str>)>,
    bytes: usize,
    /// How many bytes before the end are gone.
    lost: u64,
}

impl Tail {
    /// Takes a piece and lets go of the oldest beyond `limit` bytes.
    pub(super) fn push(&mut self, step: u32, stream: Stream, text: &Arc<str>, limit: usize) {
        self.bytes += text.len();
        self.pieces.push_back((step, stream, Arc::clone(text)));
        while self.bytes > limit && self.pieces.len() > 1 {
            if let Some((_, _, old)) = self.pieces.pop_front() {
                self.bytes -= old.len();
                self.lost += old.len() as u64;
            }
        }
    }

    /// How many bytes are gone.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// The step that wrote last.
    pub(super) fn last_step(&self) -> Option<u32> {
        self.pieces.back().map(|piece| piece.0)
    }

    /// The last piece.
    #[cfg(feature = "console")]
    pub(super) fn last(&self) -> Option<&Arc<str>> {
        self.pieces.back().map(|piece| &piece.2)
    }

    /// The lines that are kept, of one step or of all, safe to show.
    pub(super) fn lines(&self, of: Option<u32>, color: bool) -> Vec<String> {
        let mut lines = Vec::new();
        let mut cutters: HashMap<(u32, Stream), LineCutter> = HashMap::new();
        let mut order = Vec::new();
        for (step, stream, text) in &self.pieces {
            if of.is_some_and(|of| of != *step) {
                continue;
            }
            let cutter = cutters.entry((*step, *stream)).or_insert_with(|| {
                order.push((*step, *stream));
                LineCutter::new(color)
            });
            cutter.push(text, |line| lines.push(line));
        }
        for key in order {
            if let Some(cutter) = cutters.get_mut(&key) {
                cutter.finish(|line| lines.push(line));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_streams_keep_apart() {
        let mut tail = Tail::default();
        tail.push(0, Stream::Stdout, &"first\n".into(), 18);
        tail.push(1, Stream::Stdout, &"out ".into(), 18);
        tail.push(1, Stream::Stderr, &"err\n".into(), 18);
        assert_eq!(tail.lines(None, false), ["first", "err", "out "]);
        tail.push(1, Stream::Stdout, &"end\n".into(), 18);
        assert_eq!(
            (tail.lost(), tail.bytes, tail.last_step()),
            (0, 18, Some(1))
        );
        tail.push(1, Stream::Stdout, &"!\n".into(), 18);
        assert_eq!(tail.lost(), 6);
        assert_eq!(tail.lines(Some(1), false), ["err", "out end", "!"]);
        assert_eq!(tail.lines(Some(0), false), [""; 0]);
        tail.push(2, Stream::Stdout, &"much more than fits\n".into(), 18);
        assert_eq!(tail.lines(None, false), ["much more than fits"]);
    }
}
