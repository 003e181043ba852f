//! Bytes in, suites and cases out.

use std::io;

use crate::input::{Input, TextSink};
use crate::xml::{self, Mark, Tag, Tokenizer};
use crate::{Diagnostic, DiagnosticKind};

use super::detect::{self, Shape};
use super::formats::{self, TextFormat, XmlFormat};
use super::output::{Open, Output};
use super::{Format, Visitor};

/// How reports are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Bytes of one text, such as a stack trace or an output, that are kept: half from its beginning,
    /// half from its end. 64 KiB unless told.
    pub text: usize,
    /// Whether root elements after the first are read that begin without a declaration of their own.
    /// Not unless told: they are told as a diagnostic. Documents one after the other, each with its
    /// XML declaration or document type, are always read.
    pub further_roots: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            text: 64 << 10,
            further_roots: false,
        }
    }
}

impl Options {
    /// Keeps so many bytes of one text.
    #[must_use]
    pub fn with_text(mut self, bytes: usize) -> Self {
        self.text = bytes;
        self
    }

    /// Reads root elements after the first even if they begin without a declaration.
    #[must_use]
    pub fn with_further_roots(mut self) -> Self {
        self.further_roots = true;
        self
    }
}

/// Reads a report from a reader, in constant memory, and returns its format, if it is known.
///
/// Damage is told to the visitor as a diagnostic; an error is that of the reader.
pub fn parse(mut reader: impl io::Read, visitor: &mut dyn Visitor) -> io::Result<Option<Format>> {
    let mut parser = Parser::new(Options::default());
    parser.read_from(&mut reader, visitor)?;
    Ok(parser.finish(visitor))
}

/// Reads a report that is in memory, and returns its format, if it is known.
pub fn parse_slice(bytes: &[u8], visitor: &mut dyn Visitor) -> Option<Format> {
    let mut parser = Parser::new(Options::default());
    parser.feed(bytes, visitor);
    parser.finish(visitor)
}

/// A reader of reports that is pushed bytes as they come.
#[derive(Debug)]
pub struct Parser {
    input: Input,
    core: Core,
}

impl Parser {
    /// A parser that has read nothing.
    pub fn new(options: Options) -> Self {
        let (stage, open) = (Stage::Start(String::new()), Open::default());
        Self {
            input: Input::new(),
            core: Core {
                options,
                stage,
                open,
                read: (0, 0),
            },
        }
    }

    /// Reads on. The bytes may end anywhere.
    pub fn feed(&mut self, bytes: &[u8], visitor: &mut dyn Visitor) {
        self.input.feed(
            bytes,
            &mut Feed {
                core: &mut self.core,
                visitor,
            },
        );
    }

    /// Reads all that a reader has. [`finish`](Self::finish) is left to the caller.
    pub fn read_from(
        &mut self,
        reader: &mut dyn io::Read,
        visitor: &mut dyn Visitor,
    ) -> io::Result<()> {
        self.input.read_from(
            reader,
            &mut Feed {
                core: &mut self.core,
                visitor,
            },
        )
    }

    /// Says that the bytes have ended, and returns the format, if it is known.
    pub fn finish(mut self, visitor: &mut dyn Visitor) -> Option<Format> {
        self.input.finish(&mut Feed {
            core: &mut self.core,
            visitor,
        });
        self.core.finish(visitor)
    }
}

/// The parser behind the input.
#[derive(Debug)]
struct Core {
    options: Options,
    stage: Stage,
    open: Open,
    /// Bytes and line breaks of a text that is no XML.
    read: (u64, u64),
}

#[derive(Debug)]
enum Stage {
    /// Only blanks have come.
    Start(String),
    Xml(Box<Xml>),
    Text(Format, Box<dyn TextFormat>),
    Unknown,
}

#[derive(Debug)]
struct Xml {
    tokenizer: Tokenizer,
    route: Route,
    root: Root,
}

/// The root element of the document that is being read.
#[derive(Debug, Default)]
struct Root {
    name: Option<String>,
    /// Open elements of its name.
    depth: u64,
    /// It has ended; the next document has not begun.
    over: bool,
    /// It has been said that there is more.
    told: bool,
}

/// Who reads the XML.
#[derive(Debug)]
enum Route {
    /// No element has come.
    Undecided,
    Known(Format, Box<dyn XmlFormat>),
    Unknown,
}

impl Core {
    fn text(&mut self, text: &str, visitor: &mut dyn Visitor) {
        if let Stage::Start(held) = &mut self.stage {
            held.push_str(text);
            let held = std::mem::take(held);
            self.begin(held, false, visitor);
            return;
        }
        self.read(text, visitor);
    }

    /// Decides what the text is, once it is more than blanks.
    fn begin(&mut self, held: String, end: bool, visitor: &mut dyn Visitor) {
        self.stage = match detect::shape(&held, end) {
            Shape::More => Stage::Start(held),
            Shape::Unknown => {
                let message = if held.trim().is_empty() {
                    "the report is empty"
                } else {
                    "this is no report of tests in a known format"
                };
                visitor.diagnostic(Diagnostic::new(
                    0,
                    1,
                    DiagnosticKind::UnknownFormat,
                    message,
                ));
                Stage::Unknown
            }
            Shape::Text(format) => {
                self.stage = Stage::Text(format, formats::text(format, self.options.text));
                return self.read(&held, visitor);
            }
            Shape::Xml => {
                let (tokenizer, route) = (Tokenizer::new(), Route::Undecided);
                self.stage = Stage::Xml(Box::new(Xml {
                    tokenizer,
                    route,
                    root: Root::default(),
                }));
                return self.read(&held, visitor);
            }
        };
    }

    fn read(&mut self, text: &str, visitor: &mut dyn Visitor) {
        match &mut self.stage {
            Stage::Start(_) | Stage::Unknown => {}
            Stage::Text(_, reader) => {
                self.read.0 += text.len() as u64;
                self.read.1 += memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
                reader.text(
                    text,
                    &mut Output {
                        open: &mut self.open,
                        visitor,
                    },
                );
            }
            Stage::Xml(xml) => {
                let output = Output {
                    open: &mut self.open,
                    visitor,
                };
                let mut sink = XmlSink::new(&mut xml.route, &mut xml.root, output, self.options);
                xml.tokenizer.feed(text, &mut sink);
            }
        }
    }

    fn finish(mut self, visitor: &mut dyn Visitor) -> Option<Format> {
        if let Stage::Start(held) = &mut self.stage {
            let held = std::mem::take(held);
            self.begin(held, true, visitor);
        }
        match self.stage {
            Stage::Start(_) | Stage::Unknown => None,
            Stage::Text(format, mut reader) => {
                let (offset, lines) = self.read;
                let mut output = Output {
                    open: &mut self.open,
                    visitor,
                };
                if reader.finish(&mut output) {
                    let message = "the report ends in the middle";
                    output.diagnostic(Diagnostic::new(
                        offset,
                        lines + 1,
                        DiagnosticKind::Truncated,
                        message,
                    ));
                }
                output.close();
                Some(format)
            }
            Stage::Xml(mut xml) => {
                let end = xml.tokenizer.at();
                let output = Output {
                    open: &mut self.open,
                    visitor,
                };
                let mut sink = XmlSink::new(&mut xml.route, &mut xml.root, output, self.options);
                xml.tokenizer.finish(&mut sink);
                sink.finish(end)
            }
        }
    }
}

struct Feed<'a> {
    core: &'a mut Core,
    visitor: &'a mut dyn Visitor,
}

impl TextSink for Feed<'_> {
    fn text(&mut self, text: &str) {
        self.core.text(text, self.visitor);
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.visitor.diagnostic(diagnostic);
    }
}

struct XmlSink<'a> {
    route: &'a mut Route,
    root: &'a mut Root,
    output: Output<'a>,
    options: Options,
    truncated: bool,
}

impl<'a> XmlSink<'a> {
    fn new(route: &'a mut Route, root: &'a mut Root, output: Output<'a>, options: Options) -> Self {
        Self {
            route,
            root,
            output,
            options,
            truncated: false,
        }
    }

    /// Whether a start tag belongs to what is read.
    fn enter(&mut self, tag: &Tag<'_>) -> bool {
        let root = &mut *self.root;
        if root.over {
            if !std::mem::replace(&mut root.told, true) {
                let message = "after the end of the report another begins without a declaration; \
                               it is left out";
                self.output
                    .diagnostic(tag.at().diagnostic(DiagnosticKind::Malformed, message));
            }
            return false;
        }
        let name = root.name.get_or_insert_with(|| tag.name().to_owned());
        root.depth += u64::from(name == tag.name());
        true
    }

    /// Whether an end tag belongs to what is read.
    fn leave(&mut self, name: &str) -> bool {
        let root = &mut *self.root;
        if root.over {
            return false;
        }
        if root.name.as_deref() == Some(name) {
            root.depth = root.depth.saturating_sub(1);
            root.over = root.depth == 0 && !self.options.further_roots;
        }
        true
    }

    /// The first element says which format it is.
    fn decide(&mut self, tag: &Tag<'_>) {
        if let Some(format) = detect::root(tag) {
            *self.route = Route::Known(format, formats::xml(format, self.options.text));
            return;
        }
        let name = tag.name();
        let name = name.get(..name.floor_char_boundary(40)).unwrap_or_default();
        let message = format!("`<{name}>` begins no report of tests in a known format");
        self.output
            .diagnostic(tag.at().diagnostic(DiagnosticKind::UnknownFormat, message));
        *self.route = Route::Unknown;
    }

    fn finish(mut self, end: Mark<'_>) -> Option<Format> {
        let format = match &mut self.route {
            Route::Undecided => {
                let message = "this is no report of tests in a known format";
                self.output
                    .diagnostic(end.diagnostic(DiagnosticKind::UnknownFormat, message));
                None
            }
            Route::Unknown => None,
            Route::Known(format, reader) => {
                let within = reader.finish(&mut self.output) || self.root.depth > 0;
                if within && !self.truncated {
                    let message = "the report ends within a suite or a case";
                    self.output
                        .diagnostic(end.diagnostic(DiagnosticKind::Truncated, message));
                }
                Some(*format)
            }
        };
        self.output.close();
        format
    }
}

impl xml::Sink for XmlSink<'_> {
    fn document(&mut self) {
        *self.root = Root::default();
    }

    fn start(&mut self, tag: &Tag<'_>) {
        if !self.enter(tag) {
            return;
        }
        if let Route::Undecided = self.route {
            self.decide(tag);
        }
        let empty = tag.is_empty() && self.leave(tag.name());
        if let Route::Known(_, reader) = &mut self.route {
            reader.start(tag, &mut self.output);
            if empty {
                reader.end(tag.name(), tag.at(), &mut self.output);
            }
        }
    }

    fn text(&mut self, text: &str, _cdata: bool) {
        if let Route::Known(_, reader) = &mut self.route {
            reader.text(text);
        }
    }

    fn end(&mut self, name: &str, at: Mark<'_>) {
        if !self.leave(name) {
            return;
        }
        if let Route::Known(_, reader) = &mut self.route {
            reader.end(name, at, &mut self.output);
        }
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.truncated |= diagnostic.kind == DiagnosticKind::Truncated;
        self.output.diagnostic(diagnostic);
    }
}
