//! The tokenizer: text in, events out, whatever the pieces.

use crate::{Diagnostic, DiagnosticKind};

use super::emit::{emit, emit_usual};
use super::mark::newlines;
use super::markup::{Doctype, Markup, classify};
use super::piece::Piece;
use super::reference::{self, BARE, resolve};
use super::scan::{Scan, Step};
use super::tag::local;
use super::usual::Usual;
use super::{Limits, Mark, Sink};

/// A tokenizer that is pushed text. See the [module](super).
#[derive(Debug)]
pub struct Tokenizer {
    pub(super) mode: Mode,
    /// What was begun in an earlier piece and is not yet whole.
    carry: String,
    scan: Scan,
    /// Values of one tag that had references.
    decoded: String,
    /// Bytes before the piece that is being read.
    offset: u64,
    /// The line up to which lines have been counted.
    line: u64,
    /// Where what is carried began.
    began: (u64, u64),
    /// The last character was a carriage return, given as a line feed.
    carriage: bool,
    /// The first forbidden control character.
    control: Option<Diagnostic>,
}

/// What the tokenizer is in the middle of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    Text,
    /// After a `<` whose sort is not yet known.
    Open,
    Reference,
    StartTag,
    EndTag,
    CData {
        brackets: u8,
    },
    Comment {
        dashes: u8,
    },
    Instruction {
        mark: bool,
        /// How much of `xml` and what ends it has been seen at the beginning.
        declaration: u8,
    },
    Doctype(Doctype),
    Declaration,
}

impl Default for Tokenizer {
    fn default() -> Self {
        Self::new()
    }
}

impl Tokenizer {
    /// A tokenizer with the usual [limits](Limits).
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// A tokenizer with limits of one's own.
    pub fn with_limits(limits: Limits) -> Self {
        Self {
            mode: Mode::Text,
            carry: String::new(),
            scan: Scan::new(limits),
            decoded: String::new(),
            offset: 0,
            line: 1,
            began: (0, 1),
            carriage: false,
            control: None,
        }
    }

    /// Reads on. The text may end anywhere.
    pub fn feed<S: Sink>(&mut self, text: &str, sink: &mut S) {
        if self.control.is_none() {
            self.control = self.first_control(text);
        }
        let mut piece = Piece {
            text,
            position: 0,
            counted: 0,
        };
        while piece.position < text.len() {
            match self.mode {
                Mode::Text => self.text(&mut piece, sink),
                Mode::Open => self.open(&mut piece, sink),
                Mode::Reference => self.reference(&mut piece, sink),
                Mode::StartTag => self.start_tag(&mut piece, sink),
                Mode::EndTag => self.end_tag(&mut piece, sink),
                Mode::CData { brackets } => self.cdata(&mut piece, brackets, sink),
                Mode::Comment { dashes } => self.comment(&mut piece, dashes),
                Mode::Instruction { mark, declaration } => {
                    self.instruction(&mut piece, mark, declaration, sink);
                }
                Mode::Doctype(doctype) => self.doctype(&mut piece, doctype),
                Mode::Declaration => self.declaration(&mut piece),
            }
        }
        self.count(&mut piece, text.len());
        self.offset += text.len() as u64;
    }

    /// Says that the text has ended. Afterwards the tokenizer is ready for another text.
    pub fn finish<S: Sink>(&mut self, sink: &mut S) {
        let at = self.carried();
        let truncated = |message| at.diagnostic(DiagnosticKind::Truncated, message);
        match self.mode {
            Mode::Text => {}
            Mode::Reference => {
                sink.diagnostic(at.diagnostic(DiagnosticKind::Reference, BARE));
                sink.text(&self.carry, false);
            }
            Mode::Open | Mode::EndTag | Mode::Declaration => {
                sink.diagnostic(truncated("the text ends within a tag"));
            }
            Mode::StartTag => {
                sink.diagnostic(truncated("the text ends within a tag"));
                // Its complete attributes say what it was about.
                if !self.scan.spans.is_empty() {
                    emit(
                        &mut self.scan,
                        &mut self.decoded,
                        &self.carry,
                        false,
                        at,
                        sink,
                    );
                }
            }
            Mode::CData { brackets } => {
                sink.text(brackets_text(brackets), true);
                sink.diagnostic(truncated("the text ends within a CDATA section"));
            }
            Mode::Comment { .. } => sink.diagnostic(truncated("the text ends within a comment")),
            Mode::Instruction { .. } => {
                sink.diagnostic(truncated("the text ends within a processing instruction"));
            }
            Mode::Doctype(_) => {
                sink.diagnostic(truncated("the text ends within a document type"));
            }
        }
        if let Some(control) = self.control.take() {
            sink.diagnostic(control);
        }
        self.mode = Mode::Text;
        self.carry.clear();
        self.offset = 0;
        self.line = 1;
        self.carriage = false;
    }

    /// Where the text that has been fed ends.
    pub fn at(&self) -> Mark<'static> {
        Mark::new(self.offset, self.line, &[])
    }

    /// Bytes that are held for what comes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.carry.capacity() + self.decoded.capacity()
    }

    fn text<S: Sink>(&mut self, piece: &mut Piece<'_>, sink: &mut S) {
        let start = self.skip_line_feed(piece);
        let bytes = piece.text.as_bytes();
        let Some(rest) = bytes.get(start..).filter(|rest| !rest.is_empty()) else {
            return;
        };
        let Some(length) = memchr::memchr3(b'<', b'&', b'\r', rest) else {
            piece.position = bytes.len();
            sink.text(piece.slice(start, bytes.len()), false);
            return;
        };
        if length > 0 {
            sink.text(piece.slice(start, start + length), false);
        }
        piece.position = start + length;
        match rest.get(length) {
            Some(b'<') => match classify(rest.get(length..).unwrap_or_default()) {
                Some(markup) => self.begin(piece, markup, sink),
                None => self.stash(piece, Mode::Open),
            },
            Some(b'&') => self.ampersand(piece, sink),
            _ => self.carriage_return(piece, sink, false),
        }
    }

    /// Begins what stands at the position of the piece.
    fn begin<S: Sink>(&mut self, piece: &mut Piece<'_>, markup: Markup, sink: &mut S) {
        let at = piece.position;
        match markup {
            Markup::StartTag => return self.whole_start_tag(piece, sink),
            Markup::EndTag => return self.whole_end_tag(piece, sink),
            _ => {}
        }
        self.note(piece, at);
        piece.position = at + markup.prefix();
        self.enter(markup, sink);
    }

    /// Goes into what [`Self::began`] says where it began, once its prefix has been read.
    fn enter<S: Sink>(&mut self, markup: Markup, sink: &mut S) {
        self.mode = match markup {
            Markup::StartTag => Mode::StartTag,
            Markup::EndTag => Mode::EndTag,
            Markup::CData => Mode::CData { brackets: 0 },
            Markup::Comment => Mode::Comment { dashes: 0 },
            Markup::Instruction => Mode::Instruction {
                mark: false,
                declaration: 0,
            },
            Markup::Doctype => {
                sink.document();
                Mode::Doctype(Doctype::default())
            }
            Markup::Declaration => {
                self.malformed(sink, "`<!` begins nothing that XML knows");
                Mode::Declaration
            }
            Markup::Stray => {
                self.malformed(sink, "`<` begins no tag");
                sink.text("<", false);
                Mode::Text
            }
        };
    }

    fn malformed<S: Sink>(&self, sink: &mut S, message: &'static str) {
        sink.diagnostic(
            self.carried()
                .diagnostic(DiagnosticKind::Malformed, message),
        );
    }

    /// After a `<` at the end of an earlier piece.
    fn open<S: Sink>(&mut self, piece: &mut Piece<'_>, sink: &mut S) {
        let Some(next) = piece.rest().chars().next() else {
            return;
        };
        self.carry.push(next);
        let Some(markup) = classify(self.carry.as_bytes()) else {
            piece.position += next.len_utf8();
            return;
        };
        // What decided belongs to what comes, unless it is the end of the prefix.
        if self.carry.len() <= markup.prefix() {
            piece.position += next.len_utf8();
        }
        self.carry.clear();
        if markup == Markup::StartTag {
            self.carry.push('<');
            self.scan.reset();
        }
        self.enter(markup, sink);
    }

    /// A start tag at the position of the piece: without a copy if the piece has all of it.
    fn whole_start_tag<S: Sink>(&mut self, piece: &mut Piece<'_>, sink: &mut S) {
        let rest = piece.rest();
        let mut tag = Usual::new();
        if tag.scan(rest, &self.scan.limits).is_some() {
            let at = self.mark(piece, piece.position);
            piece.position += tag.length;
            return emit_usual(&mut tag, &mut self.decoded, at, sink);
        }
        self.scan.reset();
        match self.scan.run(rest) {
            Step::More => {
                self.stash(piece, Mode::StartTag);
                self.scan.compact(&mut self.carry);
            }
            Step::Done { end, empty } => {
                let at = self.mark(piece, piece.position);
                piece.position += end;
                emit(&mut self.scan, &mut self.decoded, rest, empty, at, sink);
            }
        }
    }

    /// A start tag that began in an earlier piece.
    fn start_tag<S: Sink>(&mut self, piece: &mut Piece<'_>, sink: &mut S) {
        let rest = piece.rest();
        // Up to the next place where the tag may end.
        let length = memchr::memchr2(b'>', b'<', rest.as_bytes()).map_or(rest.len(), |at| at + 1);
        let before = self.carry.len();
        self.carry.push_str(rest.get(..length).unwrap_or_default());
        match self.scan.run(&self.carry) {
            Step::More => {
                piece.position += length;
                self.scan.compact(&mut self.carry);
            }
            Step::Done { end, empty } => {
                piece.position += end.saturating_sub(before);
                let at = Mark::new(self.began.0, self.began.1, &[]);
                emit(
                    &mut self.scan,
                    &mut self.decoded,
                    &self.carry,
                    empty,
                    at,
                    sink,
                );
                self.carry.clear();
                self.mode = Mode::Text;
            }
        }
    }

    fn whole_end_tag<S: Sink>(&mut self, piece: &mut Piece<'_>, sink: &mut S) {
        let inside = piece.slice(piece.position + 2, piece.text.len());
        if let Some(end) = memchr::memchr(b'>', inside.as_bytes()) {
            let at = self.mark(piece, piece.position);
            piece.position += 2 + end + 1;
            sink.end(end_name(inside.get(..end).unwrap_or_default()), at);
        } else {
            self.note(piece, piece.position);
            piece.position += 2;
            self.mode = Mode::EndTag;
        }
    }

    fn end_tag<S: Sink>(&mut self, piece: &mut Piece<'_>, sink: &mut S) {
        /// More than a name may have, so that a cut name is cut where a whole one is.
        const KEPT: usize = super::limits::NAME * 2;
        let rest = piece.rest();
        let end = memchr::memchr(b'>', rest.as_bytes());
        let part = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let room = part.floor_char_boundary(KEPT.saturating_sub(self.carry.len()));
        self.carry.push_str(part.get(..room).unwrap_or_default());
        piece.position += part.len();
        if end.is_some() {
            piece.position += 1;
            let at = Mark::new(self.began.0, self.began.1, &[]);
            sink.end(end_name(&self.carry), at);
            self.carry.clear();
            self.mode = Mode::Text;
        }
    }

    fn cdata<S: Sink>(&mut self, piece: &mut Piece<'_>, brackets: u8, sink: &mut S) {
        let start = self.skip_line_feed(piece);
        let bytes = piece.text.as_bytes();
        let Some(&byte) = bytes.get(start) else {
            return;
        };
        if brackets > 0 {
            match byte {
                b'>' if brackets == 2 => {
                    piece.position += 1;
                    self.mode = Mode::Text;
                }
                b']' => {
                    piece.position += 1;
                    if brackets == 2 {
                        sink.text("]", true);
                    }
                    self.mode = Mode::CData { brackets: 2 };
                }
                _ => {
                    sink.text(brackets_text(brackets), true);
                    self.mode = Mode::CData { brackets: 0 };
                }
            }
            return;
        }
        let rest = bytes.get(start..).unwrap_or_default();
        let length = memchr::memchr2(b']', b'\r', rest).unwrap_or(rest.len());
        if length > 0 {
            sink.text(piece.slice(start, start + length), true);
        }
        piece.position = start + length;
        match rest.get(length) {
            Some(b']') => {
                piece.position += 1;
                self.mode = Mode::CData { brackets: 1 };
            }
            Some(_) => self.carriage_return(piece, sink, true),
            None => {}
        }
    }

    /// An `&` at the position of the piece.
    fn ampersand<S: Sink>(&mut self, piece: &mut Piece<'_>, sink: &mut S) {
        let rest = piece.rest();
        let inside = rest.as_bytes().get(1..).unwrap_or_default();
        let length = inside
            .iter()
            .take(reference::LONGEST + 1)
            .take_while(|byte| reference::is_inside(**byte))
            .count();
        match inside.get(length) {
            Some(b';') if (1..=reference::LONGEST).contains(&length) => {
                let at = self.mark(piece, piece.position);
                let whole = rest.get(..length + 2).unwrap_or_default();
                let diagnostic = resolve(whole, at, |text| sink.text(text, false));
                if let Some(diagnostic) = diagnostic {
                    self.count(piece, piece.position);
                    sink.diagnostic(diagnostic);
                }
                piece.position += whole.len();
            }
            None if length <= reference::LONGEST => self.stash(piece, Mode::Reference),
            _ => {
                self.note(piece, piece.position);
                sink.diagnostic(self.carried().diagnostic(DiagnosticKind::Reference, BARE));
                sink.text("&", false);
                piece.position += 1;
            }
        }
    }

    /// After an `&` in an earlier piece.
    fn reference<S: Sink>(&mut self, piece: &mut Piece<'_>, sink: &mut S) {
        let Some(&byte) = piece.bytes().first() else {
            return;
        };
        let at = Mark::new(self.began.0, self.began.1, &[]);
        let length = self.carry.len() - 1;
        if reference::is_inside(byte) && length < reference::LONGEST {
            self.carry.push(char::from(byte));
            piece.position += 1;
            return;
        }
        let diagnostic = if byte == b';' && length > 0 {
            self.carry.push(';');
            piece.position += 1;
            resolve(&self.carry, at, |text| sink.text(text, false))
        } else {
            sink.text(&self.carry, false);
            Some(at.diagnostic(DiagnosticKind::Reference, BARE))
        };
        if let Some(diagnostic) = diagnostic {
            sink.diagnostic(diagnostic);
        }
        self.carry.clear();
        self.mode = Mode::Text;
    }

    /// Passes a line feed whose carriage return has been given as one; returns the position.
    fn skip_line_feed(&mut self, piece: &mut Piece<'_>) -> usize {
        if self.carriage {
            self.carriage = false;
            if piece.text.as_bytes().get(piece.position) == Some(&b'\n') {
                piece.position += 1;
            }
        }
        piece.position
    }

    /// A carriage return at the position of the piece.
    fn carriage_return<S: Sink>(&mut self, piece: &mut Piece<'_>, sink: &mut S, cdata: bool) {
        piece.position += 1;
        // A line feed after it stands for both; at the end of a piece, it may still come.
        if piece.text.as_bytes().get(piece.position) != Some(&b'\n') {
            sink.text("\n", cdata);
            self.carriage = piece.position == piece.text.len();
        }
    }

    /// Keeps the rest of the piece for the next one.
    fn stash(&mut self, piece: &mut Piece<'_>, mode: Mode) {
        self.note(piece, piece.position);
        self.carry.clear();
        self.carry.push_str(piece.rest());
        piece.position = piece.text.len();
        self.mode = mode;
    }

    /// Counts lines up to a position.
    fn count(&mut self, piece: &mut Piece<'_>, position: usize) {
        self.line += newlines(piece.slice(piece.counted, position).as_bytes());
        piece.counted = position;
    }

    /// Remembers that something begins at a position.
    fn note(&mut self, piece: &mut Piece<'_>, position: usize) {
        self.count(piece, position);
        self.began = (self.offset + position as u64, self.line);
    }

    /// Where what was begun began.
    fn carried(&self) -> Mark<'static> {
        Mark::new(self.began.0, self.began.1, &[])
    }

    fn mark<'a>(&mut self, piece: &mut Piece<'a>, position: usize) -> Mark<'a> {
        /// Text in which lines are counted again for each mark, if somebody asks.
        const RECOUNTED: usize = 4096;
        if position - piece.counted > RECOUNTED {
            self.count(piece, position);
        }
        let since = piece.slice(piece.counted, position).as_bytes();
        Mark::new(self.offset + position as u64, self.line, since)
    }

    /// The first control character of the piece that XML forbids.
    fn first_control(&self, text: &str) -> Option<Diagnostic> {
        const BLOCK: usize = 1024;
        let forbidden = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
        let bytes = text.as_bytes();
        let block = bytes
            .chunks(BLOCK)
            // No early end, so that it is done many bytes at a time.
            .position(|block| block.iter().fold(false, |any, byte| any | forbidden(byte)))?;
        let start = block * BLOCK;
        let position = start + bytes.get(start..)?.iter().position(forbidden)?;
        let (byte, before) = (*bytes.get(position)?, bytes.get(..position)?);
        Some(Diagnostic::new(
            self.offset + position as u64,
            self.line + newlines(before),
            DiagnosticKind::ControlCharacter,
            format!("the control character `\\x{byte:02x}` is forbidden in XML; it is kept"),
        ))
    }
}

fn brackets_text(brackets: u8) -> &'static str {
    match brackets {
        0 => "",
        1 => "]",
        _ => "]]",
    }
}

/// The local name in an end tag.
fn end_name(inside: &str) -> &str {
    let end = inside
        .bytes()
        .position(|byte| byte.is_ascii_whitespace())
        .unwrap_or(inside.len());
    let name = inside.get(..end).unwrap_or_default();
    local(
        name.get(..name.floor_char_boundary(super::limits::NAME))
            .unwrap_or(name),
    )
}
