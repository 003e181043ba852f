//! Chunks of output as lines.

use std::sync::Arc;

use super::LogLine;
use crate::clock::Timestamp;
use crate::session::Stream;

/// Puts the lines of one step together, each stream's across chunks.
pub(super) struct LineCutter<'a> {
    job: &'a Arc<str>,
    attempt: u32,
    step: u32,
    /// For each stream the line that has begun, by its place among the lines.
    begun: [Option<usize>; 3],
}

impl<'a> LineCutter<'a> {
    pub(super) fn new(job: &'a Arc<str>, attempt: u32, step: u32) -> Self {
        Self {
            job,
            attempt,
            step,
            begun: [None; 3],
        }
    }

    /// Adds a chunk to the line of its stream that has begun, and begins the lines after that.
    pub(super) fn add(
        &mut self,
        stream: Stream,
        time: Timestamp,
        bytes: &[u8],
        lines: &mut Vec<LogLine>,
    ) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let index = *self.begun[stream as usize].get_or_insert_with(|| {
                lines.push(LogLine {
                    job: Arc::clone(self.job),
                    attempt: self.attempt,
                    step: self.step,
                    stream,
                    time,
                    bytes: Vec::new(),
                });
                lines.len() - 1
            });
            let ended = piece.strip_suffix(b"\n");
            lines[index].bytes.extend(ended.unwrap_or(piece));
            if ended.is_some() {
                self.begun[stream as usize] = None;
            }
        }
    }
}
