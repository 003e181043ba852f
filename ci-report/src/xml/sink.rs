//! Who gets what the tokenizer finds.

use crate::input::{Input, TextSink};
use crate::{Diagnostic, xml::Tokenizer};

use super::{Mark, Tag};

/// What the tokenizer calls with what it finds. Everything is borrowed for the call.
pub trait Sink {
    /// A start tag. One that [closes itself](Tag::is_empty) has no end tag of its own.
    fn start(&mut self, tag: &Tag<'_>);

    /// A piece of text, with references resolved and line breaks as `\n`; `cdata` says where it
    /// stood. A long text comes in several pieces.
    fn text(&mut self, text: &str, cdata: bool);

    /// An end tag, by its name without prefix. Whether it fits the last start tag is for the sink
    /// to see.
    fn end(&mut self, name: &str, at: Mark<'_>);

    /// A document begins that says so by an XML declaration or a document type.
    fn document(&mut self) {}

    /// Something that is wrong with the text.
    fn diagnostic(&mut self, diagnostic: Diagnostic);
}

/// What [`tokenize`] gives.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A start tag.
    Start(&'a Tag<'a>),
    /// A piece of text.
    Text {
        /// The piece, decoded.
        text: &'a str,
        /// Whether it stood in a CDATA section.
        cdata: bool,
    },
    /// An end tag's name without prefix.
    End(&'a str),
}

/// Reads the bytes of a document, packed or in any encoding, and returns what is wrong with them,
/// at most 1,000 diagnostics.
pub fn tokenize(bytes: &[u8], each: impl FnMut(Event<'_>)) -> Vec<Diagnostic> {
    let mut whole = Whole {
        tokenizer: Tokenizer::new(),
        sink: Calls {
            each,
            diagnostics: Vec::new(),
        },
    };
    let mut input = Input::new();
    input.feed(bytes, &mut whole);
    input.finish(&mut whole);
    whole.tokenizer.finish(&mut whole.sink);
    whole.sink.diagnostics
}

struct Whole<F> {
    tokenizer: Tokenizer,
    sink: Calls<F>,
}

impl<F: FnMut(Event<'_>)> TextSink for Whole<F> {
    fn text(&mut self, text: &str) {
        self.tokenizer.feed(text, &mut self.sink);
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.sink.diagnostic(diagnostic);
    }
}

struct Calls<F> {
    each: F,
    diagnostics: Vec<Diagnostic>,
}

/// Diagnostics that [`tokenize`] keeps.
const KEPT: usize = 1000;

impl<F: FnMut(Event<'_>)> Sink for Calls<F> {
    fn start(&mut self, tag: &Tag<'_>) {
        (self.each)(Event::Start(tag));
    }

    fn text(&mut self, text: &str, cdata: bool) {
        (self.each)(Event::Text { text, cdata });
    }

    fn end(&mut self, name: &str, _at: Mark<'_>) {
        (self.each)(Event::End(name));
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < KEPT {
            self.diagnostics.push(diagnostic);
        }
    }
}
