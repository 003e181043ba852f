//! The parts of a document that are passed: comments, instructions, document types.

use super::Sink;
use super::markup::Doctype;
use super::piece::Piece;
use super::tokenizer::{Mode, Tokenizer};

impl Tokenizer {
    pub(super) fn comment(&mut self, piece: &mut Piece<'_>, dashes: u8) {
        let rest = piece.bytes();
        let Some(&byte) = rest.first() else { return };
        if dashes == 0 {
            let length = memchr::memchr(b'-', rest).map_or(rest.len(), |at| at + 1);
            let dashes = u8::from(rest.get(length - 1) == Some(&b'-'));
            piece.position += length;
            self.mode = Mode::Comment { dashes };
            return;
        }
        piece.position += 1;
        self.mode = match byte {
            b'>' if dashes == 2 => Mode::Text,
            b'-' => Mode::Comment { dashes: 2 },
            _ => Mode::Comment { dashes: 0 },
        };
    }

    pub(super) fn instruction<S: Sink>(
        &mut self,
        piece: &mut Piece<'_>,
        mark: bool,
        declaration: u8,
        sink: &mut S,
    ) {
        const XML: &[u8] = b"xml";
        const OTHER: u8 = u8::MAX;
        let rest = piece.bytes();
        if mark && rest.first() == Some(&b'>') {
            piece.position += 1;
            self.mode = Mode::Text;
            return;
        }
        if declaration != OTHER
            && let Some(&byte) = rest.first()
        {
            let declaration = match XML.get(usize::from(declaration)) {
                Some(expected) if *expected == byte => {
                    piece.position += 1;
                    declaration + 1
                }
                None if byte == b'?' || byte.is_ascii_whitespace() => {
                    sink.document();
                    OTHER
                }
                _ => OTHER,
            };
            self.mode = Mode::Instruction {
                mark: false,
                declaration,
            };
            return;
        }
        let question = memchr::memchr(b'?', rest);
        piece.position += question.map_or(rest.len(), |at| at + 1);
        self.mode = Mode::Instruction {
            mark: question.is_some(),
            declaration,
        };
    }

    pub(super) fn doctype(&mut self, piece: &mut Piece<'_>, mut doctype: Doctype) {
        for &byte in piece.bytes() {
            piece.position += 1;
            if doctype.ends(byte) {
                self.mode = Mode::Text;
                return;
            }
        }
        self.mode = Mode::Doctype(doctype);
    }

    pub(super) fn declaration(&mut self, piece: &mut Piece<'_>) {
        let rest = piece.bytes();
        match memchr::memchr(b'>', rest) {
            Some(at) => {
                piece.position += at + 1;
                self.mode = Mode::Text;
            }
            None => piece.position += rest.len(),
        }
    }
}
