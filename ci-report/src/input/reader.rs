//! The stages in a row, as one thing that is pushed bytes.

use std::io;

use super::encoding::Decoder;
use super::gzip::{Gunzip, MAGIC, Trouble};
use crate::{Diagnostic, DiagnosticKind};

/// Bytes that are decoded at once.
const BLOCK: usize = 64 << 10;

/// Who gets the text of a report.
pub trait TextSink {
    /// A piece of the text, at most 192 KiB. It may end anywhere between two characters.
    fn text(&mut self, text: &str);

    /// Something that is wrong with the bytes.
    fn diagnostic(&mut self, diagnostic: Diagnostic);
}

/// Turns the bytes of a report into its text.
///
/// Gzip is known by its first bytes. The encoding is that of the byte order mark, else what the zeros
/// of UTF-16 or an XML declaration say, else UTF-8. UTF-8 is passed on without a copy. Bytes that are
/// not valid there are read as windows-1252 while all before was ASCII, and replaced otherwise.
#[derive(Debug)]
pub struct Input {
    packing: Packing,
    decoder: Decoder,
}

#[derive(Debug)]
enum Packing {
    /// Nothing has been read.
    Unknown,
    /// The first byte was that of gzip.
    Perhaps,
    None,
    Gzip(Box<Gunzip>),
}

impl Default for Input {
    fn default() -> Self {
        Self::new()
    }
}

impl Input {
    /// An input of which nothing has been read.
    pub fn new() -> Self {
        Self {
            packing: Packing::Unknown,
            decoder: Decoder::new(),
        }
    }

    /// Reads on. The bytes may end anywhere.
    pub fn feed(&mut self, mut bytes: &[u8], sink: &mut dyn TextSink) {
        while let Some(&first) = bytes.first() {
            match &mut self.packing {
                Packing::Unknown if first == MAGIC[0] => {
                    self.packing = Packing::Perhaps;
                    bytes = bytes.get(1..).unwrap_or_default();
                }
                Packing::Unknown => self.packing = Packing::None,
                Packing::Perhaps if first == MAGIC[1] => {
                    let mut gunzip = Box::new(Gunzip::new());
                    gunzip.feed(&MAGIC[..1], &mut |_| {});
                    self.packing = Packing::Gzip(gunzip);
                }
                Packing::Perhaps => {
                    self.packing = Packing::None;
                    self.decoder.feed(&MAGIC[..1], sink);
                }
                Packing::None => {
                    for block in bytes.chunks(BLOCK) {
                        self.decoder.feed(block, sink);
                    }
                    return;
                }
                Packing::Gzip(gunzip) => {
                    let decoder = &mut self.decoder;
                    gunzip.feed(bytes, &mut |unpacked| decoder.feed(unpacked, sink));
                    return;
                }
            }
        }
    }

    /// Says that the bytes have ended.
    pub fn finish(&mut self, sink: &mut dyn TextSink) {
        let decoder = &mut self.decoder;
        let trouble = match &mut self.packing {
            Packing::Unknown | Packing::None => None,
            Packing::Perhaps => {
                decoder.feed(&MAGIC[..1], sink);
                None
            }
            Packing::Gzip(gunzip) => gunzip.finish(&mut |bytes| decoder.feed(bytes, sink)),
        };
        decoder.finish(sink);
        let (kind, message) = match trouble {
            None => return,
            Some(Trouble::Damaged) => (
                DiagnosticKind::Compression,
                "the packed bytes are damaged; what was before is read",
            ),
            Some(Trouble::Truncated) => {
                (DiagnosticKind::Truncated, "the packed bytes end too early")
            }
            Some(Trouble::Bomb) => (
                DiagnosticKind::Limit,
                "far too much comes out of the packed bytes; the rest is left",
            ),
            Some(Trouble::Trailing) => (
                DiagnosticKind::Compression,
                "after the packed bytes there are others; they are left",
            ),
        };
        let (offset, line) = decoder.position();
        sink.diagnostic(Diagnostic::new(offset, line, kind, message));
    }

    /// Reads all that a reader has, 64 KiB at a time. [`finish`](Self::finish) is left to the caller.
    pub fn read_from(
        &mut self,
        reader: &mut dyn io::Read,
        sink: &mut dyn TextSink,
    ) -> io::Result<()> {
        let mut buffer = vec![0; BLOCK];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => self.feed(buffer.get(..length).unwrap_or_default(), sink),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
