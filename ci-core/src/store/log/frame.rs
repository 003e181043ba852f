//! Frames: pieces of output as bytes in a file, each with its stream and time.
//!
//! A frame is one byte for the stream (0 standard output, 1 standard error, 2 the engine), eight for
//! the time in milliseconds since 1970-01-01 UTC and four for the length, both little-endian; in a pack
//! four more for the number of the step; then so many bytes. A frame that is cut off at the end of a
//! file is not there.

use crate::clock::Timestamp;
use crate::session::{OutputChunk, Stream};

/// The bytes before those of a frame.
pub(super) const HEADER: usize = 13;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The byte that stands for the stream.
    pub(super) kind: u8,
    pub(super) time: Timestamp,
    pub(super) length: usize,
}

impl Header {
    pub(super) fn of(header: [u8; HEADER]) -> Self {
        let [kind, t0, t1, t2, t3, t4, t5, t6, t7, length @ ..] = header;
        Self {
            kind,
            time: Timestamp::from_millis(u64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7])),
            length: u32::from_le_bytes(length) as usize,
        }
    }

    /// The stream; `None` if it is none of a step's.
    pub(super) fn stream(self) -> Option<Stream> {
        match self.kind {
            0 => Some(Stream::Stdout),
            1 => Some(Stream::Stderr),
            2 => Some(Stream::Engine),
            _ => None,
        }
    }
}

/// Adds the header of a frame with so many bytes to `buffer`.
pub(super) fn begin(buffer: &mut Vec<u8>, kind: u8, time: Timestamp, length: u32) {
    buffer.push(kind);
    buffer.extend(time.as_millis().to_le_bytes());
    buffer.extend(length.to_le_bytes());
}

/// The length of a chunk as a frame has it. Chunks are far shorter than what does not fit.
pub(super) fn length_of(chunk: &OutputChunk) -> u32 {
    u32::try_from(chunk.bytes.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn headers_come_back(kind: u8, millis: u64, length: u32) {
            let mut bytes = Vec::new();
            begin(&mut bytes, kind, Timestamp::from_millis(millis), length);
            let header = Header::of(bytes.try_into().unwrap());
            let expected = Header {
                kind,
                time: Timestamp::from_millis(millis),
                length: length as usize,
            };
            prop_assert_eq!(header, expected);
        }
    }
}
