//! What the XML formats share: driving the tokenizer, and lines that come in several parts.

use std::io::{self, Read};

use super::super::context::Context;
use super::super::count::{Count, Join, parse_count, parse_line};
use super::super::input::Place;
use super::super::unpack::Unpacked;
use super::super::visit::Visitor;
use crate::xml::{Mark, Sink, Tag, Tokenizer};
use crate::{Diagnostic, DiagnosticKind};

/// What a format does with the tags of its report.
pub(super) trait Handler<V: Visitor + ?Sized> {
    /// A start tag.
    fn start(&mut self, tag: &Tag<'_>, cx: &mut Context<'_, V>);

    /// An end tag, also that of a tag that closes itself.
    fn end(&mut self, name: &str, cx: &mut Context<'_, V>);

    /// A piece of text.
    fn text(&mut self, text: &str) {
        let _ = text;
    }

    /// The report is at its end, which may come early: what is complete goes to the visitor.
    fn finish(&mut self, cx: &mut Context<'_, V>);
}

/// Reads the report with `handler`.
pub(super) fn drive<R: Read, V: Visitor + ?Sized, H: Handler<V>>(
    text: &mut Unpacked<R>,
    cx: &mut Context<'_, V>,
    handler: H,
) -> io::Result<()> {
    let mut tokenizer = Tokenizer::new();
    let mut driver = Driver {
        cx,
        handler,
        depth: 0,
    };
    while let Some(piece) = text.piece()? {
        tokenizer.feed(piece, &mut driver);
    }
    let end = Place {
        offset: tokenizer.at().offset(),
        line: tokenizer.at().line(),
    };
    tokenizer.finish(&mut driver);
    driver.handler.finish(driver.cx);
    if driver.depth > 0 && !driver.cx.damaged {
        driver.cx.diagnose(end, DiagnosticKind::Truncated, || {
            "the report ends before its root element does".to_owned()
        });
    }
    Ok(())
}

struct Driver<'a, 'v, V: ?Sized, H> {
    cx: &'a mut Context<'v, V>,
    handler: H,
    depth: u64,
}

impl<V: Visitor + ?Sized, H: Handler<V>> Sink for Driver<'_, '_, V, H> {
    fn start(&mut self, tag: &Tag<'_>) {
        self.handler.start(tag, self.cx);
        if tag.is_empty() {
            self.handler.end(tag.name(), self.cx);
        } else {
            self.depth += 1;
        }
    }

    fn text(&mut self, text: &str, _cdata: bool) {
        self.handler.text(text);
    }

    fn end(&mut self, name: &str, _at: Mark<'_>) {
        self.depth = self.depth.saturating_sub(1);
        self.handler.end(name, self.cx);
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.cx.pass_on(diagnostic);
    }
}

/// Reads the line number of a tag, or says that it is none.
pub(super) fn line_number<V: Visitor + ?Sized>(
    text: &str,
    tag: &Tag<'_>,
    cx: &mut Context<'_, V>,
) -> Option<u32> {
    let number = parse_line(text.as_bytes());
    if number.is_none() {
        let place = Place {
            offset: tag.at().offset(),
            line: tag.at().line(),
        };
        cx.diagnose(place, DiagnosticKind::Value, || {
            format!(
                "`{}` is no line number",
                text.chars().take(60).collect::<String>()
            )
        });
    }
    number
}

/// Reads a small number, or none.
pub(super) fn number(text: &str) -> Option<u32> {
    let count = parse_count(text.as_bytes())?;
    Some(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A line as one tag gives it.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineFact {
    pub(super) number: u32,
    pub(super) hits: Option<u64>,
    pub(super) covered: u32,
    pub(super) total: u32,
}

/// Joins tags about the same line that follow each other: each is a part of the line, with branches
/// of its own, such as a line with two functions.
#[derive(Debug, Default)]
pub(super) struct LineRun(Option<LineFact>);

impl LineRun {
    /// Takes a line, and passes the one before on when it is another.
    pub(super) fn push<V: Visitor + ?Sized>(
        &mut self,
        line: LineFact,
        join: Join,
        cx: &mut Context<'_, V>,
    ) {
        match &mut self.0 {
            Some(last) if last.number == line.number => {
                last.hits = Count::new(last.hits)
                    .join(Count::new(line.hits), join)
                    .get();
                last.covered = last.covered.saturating_add(line.covered);
                last.total = last.total.saturating_add(line.total);
            }
            _ => {
                self.flush(cx);
                self.0 = Some(line);
            }
        }
    }

    /// Passes the last line on.
    pub(super) fn flush<V: Visitor + ?Sized>(&mut self, cx: &mut Context<'_, V>) {
        if let Some(line) = self.0.take() {
            cx.visitor.line(line.number, line.hits);
            if line.total > 0 {
                cx.visitor
                    .branch_count(line.number, line.covered, line.total);
            }
        }
    }
}
