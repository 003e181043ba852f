//! Cobertura XML.
//!
//! The lines of a class are those below the class itself; those of its methods repeat them and are
//! used when a class has no others. Several classes of one file join.

use std::io::{self, Read};

use super::super::context::Context;
use super::super::count::{Join, parse_count};
use super::super::unpack::Unpacked;
use super::super::visit::{FunctionFact, Visitor};
use super::xml::{Handler, LineFact, LineRun, drive, line_number, number};
use crate::xml::Tag;

pub(super) fn parse<R: Read, V: Visitor + ?Sized>(
    text: &mut Unpacked<R>,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    drive(text, cx, Cobertura::default())
}

#[derive(Debug, Default)]
struct Cobertura {
    source: Option<String>,
    /// What the names of methods begin with, while in a class.
    class: Option<String>,
    method: Option<Method>,
    /// Lines of methods, until the class turns out to have lines of its own.
    method_lines: Vec<LineFact>,
    has_lines: bool,
    run: LineRun,
}

#[derive(Debug)]
struct Method {
    name: String,
    start: Option<u32>,
    end: Option<u32>,
    hits: Option<u64>,
}

impl<V: Visitor + ?Sized> Handler<V> for Cobertura {
    fn start(&mut self, tag: &Tag<'_>, cx: &mut Context<'_, V>) {
        match tag.name() {
            "line" if self.class.is_some() => self.line(tag, cx),
            "class" => {
                self.end_class(cx);
                let path = tag.get("filename").or(tag.get("name")).unwrap_or_default();
                self.class = Some(qualifier(tag.get("name").unwrap_or_default(), path));
                cx.visitor.begin_file(path, Join::Sum);
            }
            "method" => self.begin_method(tag),
            "source" => self.source = Some(String::new()),
            _ => {}
        }
    }

    fn end(&mut self, name: &str, cx: &mut Context<'_, V>) {
        match name {
            "class" => self.end_class(cx),
            "method" => self.end_method(cx),
            "source" => {
                if let Some(source) = self.source.take() {
                    let source = source.trim();
                    if !source.is_empty() {
                        cx.visitor.root(source);
                    }
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(source) = &mut self.source {
            source.push_str(text);
        }
    }

    fn finish(&mut self, cx: &mut Context<'_, V>) {
        self.end_class(cx);
    }
}

impl Cobertura {
    fn line<V: Visitor + ?Sized>(&mut self, tag: &Tag<'_>, cx: &mut Context<'_, V>) {
        let (mut at, mut hits, mut condition) = (None, None, None);
        for attribute in tag.attributes() {
            match attribute.name() {
                "number" => at = Some(attribute.value()),
                "hits" => hits = parse_count(attribute.value().as_bytes()),
                "condition-coverage" => condition = ratio(attribute.value()),
                _ => {}
            }
        }
        let Some(number) = line_number(at.unwrap_or_default(), tag, cx) else {
            return;
        };
        let (covered, total) = condition.unwrap_or_default();
        let line = LineFact {
            number,
            hits,
            covered,
            total,
        };
        if let Some(method) = &mut self.method {
            if method.start.is_none() {
                method.hits = hits;
            }
            method.start = Some(method.start.map_or(number, |start| start.min(number)));
            method.end = method.end.max(Some(number));
            self.method_lines.push(line);
        } else {
            self.has_lines = true;
            self.run.push(line, Join::Sum, cx);
        }
    }

    fn begin_method(&mut self, tag: &Tag<'_>) {
        let class = self.class.as_deref().unwrap_or_default();
        let name = tag.get("name").unwrap_or_default();
        let signature = tag.get("signature").unwrap_or_default();
        let rate = tag
            .get("line-rate")
            .and_then(|rate| rate.parse::<f64>().ok());
        self.method = Some(Method {
            name: format!("{class}{name}{signature}"),
            start: None,
            end: None,
            // Without lines, the share of them that ran says whether any did.
            hits: rate.map(|rate| u64::from(rate > 0.0)),
        });
    }

    fn end_method<V: Visitor + ?Sized>(&mut self, cx: &mut Context<'_, V>) {
        if let Some(method) = self.method.take()
            && self.class.is_some()
        {
            cx.visitor.function(FunctionFact {
                name: &method.name,
                start: method.start,
                end: method.end,
                hits: method.hits,
            });
        }
    }

    fn end_class<V: Visitor + ?Sized>(&mut self, cx: &mut Context<'_, V>) {
        self.method = None;
        let lines = std::mem::take(&mut self.method_lines);
        if self.class.take().is_none() {
            return;
        }
        if !self.has_lines {
            for line in lines {
                self.run.push(line, Join::Sum, cx);
            }
        }
        self.has_lines = false;
        self.run.flush(cx);
        cx.visitor.end_file();
    }
}

/// `50% (1/2)`
fn ratio(text: &str) -> Option<(u32, u32)> {
    let (_, pair) = text.split_once('(')?;
    let (covered, total) = pair.split_once(')')?.0.split_once('/')?;
    Some((number(covered)?, number(total)?))
}

/// What sets methods of a class apart from those of others in the file: its name, unless that is only
/// the file's own.
fn qualifier(class: &str, path: &str) -> String {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let letters = |text: &str| {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .collect::<String>()
    };
    let stem = file.split_once('.').map_or(file, |(stem, _)| stem);
    let name = letters(class);
    if name.is_empty() || name == letters(file) || name == letters(stem) || name == letters(path) {
        String::new()
    } else {
        format!("{class}.")
    }
}
