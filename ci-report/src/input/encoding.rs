//! Bytes to text: which encoding they are in, and UTF-8 passed on without a copy.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::TextSink;
use crate::{Diagnostic, DiagnosticKind};

/// Bytes at the beginning in which a declaration of the encoding is looked for.
const DECLARATION: usize = 1024;

/// Decodes bytes that come in pieces.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
    /// Bytes that cannot be decided yet: the beginning, or a character's first bytes.
    held: Vec<u8>,
    /// Text that was not UTF-8.
    buffer: String,
    /// A character of more than one byte has been seen, so that the text surely is UTF-8.
    certain: bool,
    /// Bytes of text given so far, and the line they end in.
    offset: u64,
    line: u64,
    wrong: Option<Diagnostic>,
}

enum State {
    Unknown,
    Utf8,
    Other(Box<encoding_rs::Decoder>),
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "Unknown",
            Self::Utf8 => "Utf8",
            Self::Other(decoder) => decoder.encoding().name(),
        })
    }
}

/// What the beginning of the bytes says.
enum Start {
    /// Too little to tell.
    More,
    /// The encoding, and how many bytes are its mark.
    Known(&'static Encoding, usize),
    /// Surely UTF-8, whatever is declared, which the message says.
    Mistaken(String),
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self {
            state: State::Unknown,
            held: Vec::new(),
            buffer: String::new(),
            certain: false,
            offset: 0,
            line: 1,
            wrong: None,
        }
    }

    /// Decodes on. The bytes may end anywhere.
    pub(super) fn feed(&mut self, bytes: &[u8], sink: &mut dyn TextSink) {
        match &self.state {
            State::Unknown => {
                self.held.extend_from_slice(bytes);
                self.decide(false, sink);
            }
            State::Utf8 => self.utf8(bytes, sink),
            State::Other(_) => self.other(bytes, false, sink),
        }
    }

    /// Says that the bytes have ended.
    pub(super) fn finish(&mut self, sink: &mut dyn TextSink) {
        if matches!(self.state, State::Unknown) {
            self.decide(true, sink);
        }
        match &self.state {
            State::Other(_) => self.other(&[], true, sink),
            State::Utf8 | State::Unknown => {
                let held = std::mem::take(&mut self.held);
                if !held.is_empty() {
                    self.invalid(&held, sink);
                }
            }
        }
        if let Some(wrong) = self.wrong.take() {
            sink.diagnostic(wrong);
        }
    }

    /// The line that the text given so far ends in, and its length in bytes.
    pub(super) fn position(&self) -> (u64, u64) {
        (self.offset, self.line)
    }

    fn decide(&mut self, end: bool, sink: &mut dyn TextSink) {
        let (encoding, mark) = match start(&self.held, end) {
            Start::More => return,
            Start::Known(encoding, mark) => (encoding, mark),
            Start::Mistaken(message) => {
                self.note(0, message.into());
                (UTF_8, 0)
            }
        };
        self.state = if encoding == UTF_8 {
            State::Utf8
        } else {
            State::Other(Box::new(encoding.new_decoder_without_bom_handling()))
        };
        let held = std::mem::take(&mut self.held);
        self.feed(held.get(mark..).unwrap_or_default(), sink);
    }

    fn utf8(&mut self, mut bytes: &[u8], sink: &mut dyn TextSink) {
        while !self.held.is_empty() {
            let Some((&next, rest)) = bytes.split_first() else {
                return;
            };
            let mut held = std::mem::take(&mut self.held);
            held.push(next);
            match std::str::from_utf8(&held) {
                Ok(text) => {
                    self.certain = true;
                    self.give(text, sink);
                }
                Err(error) if error.error_len().is_none() => self.held = held,
                Err(_) => {
                    // What comes may begin a character of its own.
                    held.pop();
                    self.invalid(&held, sink);
                    break;
                }
            }
            bytes = rest;
        }
        loop {
            let error = match std::str::from_utf8(bytes) {
                Ok(text) => return self.valid(text, sink),
                Err(error) => error,
            };
            let (valid, rest) = bytes.split_at(error.valid_up_to());
            self.valid(std::str::from_utf8(valid).unwrap_or_default(), sink);
            let Some(length) = error.error_len() else {
                self.held.extend_from_slice(rest);
                return;
            };
            let (wrong, rest) = rest.split_at(length.min(rest.len()));
            self.invalid(wrong, sink);
            bytes = rest;
        }
    }

    fn valid(&mut self, text: &str, sink: &mut dyn TextSink) {
        self.certain = self.certain || !text.is_ascii();
        self.give(text, sink);
    }

    /// Bytes that are no UTF-8. As long as no other character was, the system's encoding slipped in;
    /// afterwards they are damage.
    fn invalid(&mut self, bytes: &[u8], sink: &mut dyn TextSink) {
        if self.certain {
            self.note(0, "bytes that are no UTF-8 are replaced".into());
            self.give("\u{fffd}", sink);
        } else {
            self.note(0, "bytes that are no UTF-8 are read as windows-1252".into());
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
            self.give(&text, sink);
        }
    }

    fn other(&mut self, mut bytes: &[u8], last: bool, sink: &mut dyn TextSink) {
        const ROOM: usize = 16 << 10;
        loop {
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.clear();
            buffer.reserve(ROOM);
            let State::Other(decoder) = &mut self.state else {
                return;
            };
            let (result, read, malformed) = decoder.decode_to_string(bytes, &mut buffer, last);
            bytes = bytes.get(read..).unwrap_or_default();
            if malformed {
                let name = decoder.encoding().name();
                let before = buffer.find('\u{fffd}').unwrap_or_default();
                self.note(
                    before,
                    format!("bytes that are no {name} are replaced").into(),
                );
            }
            self.give(&buffer, sink);
            self.buffer = buffer;
            if result == encoding_rs::CoderResult::InputEmpty {
                return;
            }
        }
    }

    fn give(&mut self, text: &str, sink: &mut dyn TextSink) {
        if text.is_empty() {
            return;
        }
        self.offset += text.len() as u64;
        self.line += memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
        sink.text(text);
    }

    /// Remembers the first thing that is wrong, so many bytes after what has been given. It is said
    /// at the end, so that it does not matter how the bytes were cut.
    fn note(&mut self, after: usize, message: std::borrow::Cow<'static, str>) {
        let (offset, line) = (self.offset + after as u64, self.line);
        self.wrong.get_or_insert_with(|| {
            Diagnostic::new(offset, line, DiagnosticKind::Encoding, message)
        });
    }
}

/// What the first bytes say about the encoding: a mark, zeros as UTF-16 has them, a declaration.
fn start(bytes: &[u8], end: bool) -> Start {
    const OPENING: &[u8] = b"<?xml";
    const MARKS: [(&[u8], &Encoding); 3] = [
        (b"\xef\xbb\xbf", UTF_8),
        (b"\xff\xfe", UTF_16LE),
        (b"\xfe\xff", UTF_16BE),
    ];
    for (mark, encoding) in MARKS {
        if bytes.starts_with(mark) {
            return Start::Known(encoding, mark.len());
        }
        if mark.starts_with(bytes) && !end {
            return Start::More;
        }
    }
    match bytes {
        [b'<', 0, ..] => return Start::Known(UTF_16LE, 0),
        [0, b'<', ..] => return Start::Known(UTF_16BE, 0),
        [_] if !end => return Start::More,
        _ => {}
    }
    let window = bytes.get(..DECLARATION).unwrap_or(bytes);
    let more = !end && bytes.len() < DECLARATION;
    let text = window.trim_ascii_start();
    if !text.starts_with(OPENING) {
        let undecided = more && OPENING.starts_with(text);
        return if undecided {
            Start::More
        } else {
            Start::Known(UTF_8, 0)
        };
    }
    let Some(length) = memchr::memchr(b'>', text) else {
        return if more {
            Start::More
        } else {
            Start::Known(UTF_8, 0)
        };
    };
    declared(text.get(..length).unwrap_or_default())
}

/// The encoding that a declaration names.
fn declared(declaration: &[u8]) -> Start {
    let Some(label) = label(declaration) else {
        return Start::Known(UTF_8, 0);
    };
    match Encoding::for_label(label) {
        Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => {
            Start::Mistaken("UTF-16 is declared, but the text is not in it".into())
        }
        Some(encoding) => Start::Known(encoding, 0),
        None => {
            let name = String::from_utf8_lossy(label);
            Start::Mistaken(format!("the declared encoding `{name}` is not known"))
        }
    }
}

/// The value of `encoding` in a declaration.
fn label(declaration: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(declaration, b"encoding")?;
    let rest = declaration
        .get(at + b"encoding".len()..)?
        .trim_ascii_start();
    let rest = rest.strip_prefix(b"=")?.trim_ascii_start();
    let (quote, rest) = rest.split_first()?;
    let end = memchr::memchr(*quote, rest)?;
    rest.get(..end)
}
