//! Chunks of output as lines.

use std::sync::Arc;

use super::{LogKey, LogLine};
use crate::session::OutputChunk;

/// Puts the lines of one step together, each stream's across chunks.
#[derive(Debug)]
pub(super) struct LineCutter {
    key: LogKey,
    /// For each stream the line that has begun, with its place among the lines of the step.
    begun: [Option<(u64, LogLine)>; 3],
    next: u64,
}

impl LineCutter {
    pub(super) fn new(key: LogKey) -> Self {
        Self {
            key,
            begun: [const { None }; 3],
            next: 0,
        }
    }

    /// Adds chunks to the lines of their streams. Gives the lines that end, each with its place in the
    /// order of their first bytes.
    pub(super) fn add_all(&mut self, chunks: &[OutputChunk], ended: &mut Vec<(u64, LogLine)>) {
        for chunk in chunks {
            self.add(chunk, ended);
        }
    }

    fn add(&mut self, chunk: &OutputChunk, ended: &mut Vec<(u64, LogLine)>) {
        for piece in chunk.bytes.split_inclusive(|byte| *byte == b'\n') {
            let slot = &mut self.begun[chunk.stream as usize];
            let (place, mut line) = slot.take().unwrap_or_else(|| {
                let place = self.next;
                self.next += 1;
                (place, begin(&self.key, chunk))
            });
            let whole = piece.strip_suffix(b"\n");
            line.bytes.extend(whole.unwrap_or(piece));
            if whole.is_some() {
                ended.push((place, line));
            } else {
                *slot = Some((place, line));
            }
        }
    }

    /// Gives the lines that have begun and will not end.
    pub(super) fn finish(&mut self, ended: &mut Vec<(u64, LogLine)>) {
        ended.extend(self.begun.iter_mut().filter_map(Option::take));
    }
}

fn begin(key: &LogKey, chunk: &OutputChunk) -> LogLine {
    LogLine {
        job: Arc::clone(&key.job),
        attempt: key.attempt,
        step: key.step,
        stream: chunk.stream,
        time: chunk.time,
        bytes: Vec::new(),
    }
}
