//! Gzip unpacked in pieces, with an end to what may come out of little.
//!
//! The frame is that of RFC 1952: members one after the other, each a header, a deflate stream, a
//! checksum and a length.

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// The bytes that every member begins with.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Bytes that come out before their ratio to those that went in matters.
const FREE: u64 = 64 << 20;

/// How many bytes may come out of one. Logs of tests reach some tens; the most that the format can
/// is about a thousand.
const RATIO: u64 = 250;

/// Why unpacking stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The packed bytes are damaged.
    Damaged,
    /// They end in the middle.
    Truncated,
    /// Far more comes out than a report would have.
    Bomb,
    /// After the last member there is something else.
    Trailing,
}

/// Unpacks gzip that comes in pieces.
pub(super) struct Gunzip {
    stage: Stage,
    inflate: Decompress,
    crc: Crc,
    output: Box<[u8]>,
    read: u64,
    written: u64,
    /// The first thing that was wrong, after which nothing is read.
    trouble: Option<Trouble>,
}

impl std::fmt::Debug for Gunzip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gunzip")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// What part of a member comes next.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The fixed part of the header: how many bytes have been seen, and the flags.
    Header {
        seen: u8,
        flags: u8,
    },
    /// The length of the extra field.
    ExtraLength {
        flags: u8,
        seen: u8,
        length: u16,
    },
    /// Its bytes.
    Extra {
        flags: u8,
        left: u16,
    },
    /// A text that ends with a zero.
    Text {
        flags: u8,
    },
    /// The checksum of the header.
    HeaderCrc {
        seen: u8,
    },
    Deflate,
    /// Checksum and length of the content.
    Trailer {
        seen: u8,
        bytes: [u8; 8],
    },
}

const HCRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// What follows in a header whose flags are these.
fn after_header(flags: u8) -> Stage {
    if flags & EXTRA != 0 {
        Stage::ExtraLength {
            flags: flags & !EXTRA,
            seen: 0,
            length: 0,
        }
    } else if flags & NAME != 0 {
        Stage::Text {
            flags: flags & !NAME,
        }
    } else if flags & COMMENT != 0 {
        Stage::Text {
            flags: flags & !COMMENT,
        }
    } else if flags & HCRC != 0 {
        Stage::HeaderCrc { seen: 0 }
    } else {
        Stage::Deflate
    }
}

impl Gunzip {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Header { seen: 0, flags: 0 },
            inflate: Decompress::new(false),
            crc: Crc::new(),
            output: vec![0; 64 << 10].into_boxed_slice(),
            read: 0,
            written: 0,
            trouble: None,
        }
    }

    /// Unpacks on, and gives what comes out.
    pub(super) fn feed(&mut self, mut bytes: &[u8], give: &mut dyn FnMut(&[u8])) {
        while self.trouble.is_none() && !bytes.is_empty() {
            let rest = match self.stage {
                Stage::Deflate => self.deflate(bytes, give),
                _ => bytes.split_first().map(|(&byte, rest)| {
                    self.frame(byte);
                    rest
                }),
            };
            let rest = rest.unwrap_or_default();
            self.read += (bytes.len() - rest.len()) as u64;
            bytes = rest;
        }
    }

    /// Says that the packed bytes have ended; returns what was wrong.
    pub(super) fn finish(&mut self, give: &mut dyn FnMut(&[u8])) -> Option<Trouble> {
        if self.trouble.is_none() && matches!(self.stage, Stage::Deflate) {
            self.deflate(&[], give);
        }
        let whole = matches!(self.stage, Stage::Header { seen: 0, .. });
        self.trouble
            .or_else(|| (!whole).then_some(Trouble::Truncated))
    }

    /// One byte of a header or a trailer.
    fn frame(&mut self, byte: u8) {
        self.stage = match self.stage {
            Stage::Header { seen, flags } => return self.header(byte, seen, flags),
            Stage::ExtraLength { flags, seen: 0, .. } => Stage::ExtraLength {
                flags,
                seen: 1,
                length: u16::from(byte),
            },
            Stage::ExtraLength { flags, length, .. } => match length | (u16::from(byte) << 8) {
                0 => after_header(flags),
                left => Stage::Extra { flags, left },
            },
            Stage::Extra { flags, left: 1 } => after_header(flags),
            Stage::Extra { flags, left } => Stage::Extra {
                flags,
                left: left - 1,
            },
            Stage::Text { flags } if byte == 0 => after_header(flags),
            Stage::HeaderCrc { seen: 0 } => Stage::HeaderCrc { seen: 1 },
            Stage::HeaderCrc { .. } => Stage::Deflate,
            Stage::Trailer { seen, bytes } => return self.trailer(byte, seen, bytes),
            stage @ (Stage::Text { .. } | Stage::Deflate) => stage,
        };
    }

    fn header(&mut self, byte: u8, seen: u8, flags: u8) {
        let flags = if seen == 3 { byte } else { flags };
        let expected = match seen {
            0 => byte == MAGIC[0],
            1 => byte == MAGIC[1],
            2 => byte == 8,
            _ => true,
        };
        if !expected {
            self.trouble = match (seen, self.written) {
                // Padding is no trouble, but nothing comes after it.
                (0, _) if byte == 0 && self.read > 0 => None,
                (0, _) if self.read > 0 => Some(Trouble::Trailing),
                _ => Some(Trouble::Damaged),
            };
            return;
        }
        self.stage = if seen < 9 {
            Stage::Header {
                seen: seen + 1,
                flags,
            }
        } else {
            self.inflate.reset(false);
            self.crc.reset();
            after_header(flags)
        };
    }

    fn trailer(&mut self, byte: u8, seen: u8, mut bytes: [u8; 8]) {
        if let Some(slot) = bytes.get_mut(usize::from(seen)) {
            *slot = byte;
        }
        if seen < 7 {
            self.stage = Stage::Trailer {
                seen: seen + 1,
                bytes,
            };
            return;
        }
        let [a, b, c, d, ..] = bytes;
        if u32::from_le_bytes([a, b, c, d]) == self.crc.sum() {
            self.stage = Stage::Header { seen: 0, flags: 0 };
        } else {
            self.trouble = Some(Trouble::Damaged);
        }
    }

    /// Inflates; returns what is left, unless unpacking stopped.
    fn deflate<'b>(
        &mut self,
        mut bytes: &'b [u8],
        give: &mut dyn FnMut(&[u8]),
    ) -> Option<&'b [u8]> {
        loop {
            let (taken, made) = (self.inflate.total_in(), self.inflate.total_out());
            let result = self
                .inflate
                .decompress(bytes, &mut self.output, FlushDecompress::None);
            let taken = usize::try_from(self.inflate.total_in() - taken).unwrap_or(bytes.len());
            let made = usize::try_from(self.inflate.total_out() - made).unwrap_or_default();
            bytes = bytes.get(taken..).unwrap_or_default();
            let output = self.output.get(..made).unwrap_or_default();
            self.crc.update(output);
            self.written += made as u64;
            give(output);
            match result {
                Err(_) => self.trouble = Some(Trouble::Damaged),
                Ok(Status::StreamEnd) => {
                    self.stage = Stage::Trailer {
                        seen: 0,
                        bytes: [0; 8],
                    };
                    return Some(bytes);
                }
                Ok(Status::Ok | Status::BufError) => {}
            }
            let read = (self.read + taken as u64).max(1);
            if self.written > FREE && self.written / read > RATIO {
                self.trouble = Some(Trouble::Bomb);
            }
            if self.trouble.is_some() || (taken == 0 && made == 0) {
                return None;
            }
        }
    }
}
