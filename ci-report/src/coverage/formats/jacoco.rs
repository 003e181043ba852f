//! `JaCoCo` XML.
//!
//! A path is that of the package and the name of the source file; the directory of the sources is not
//! in the report. Lines say how many instructions ran, not how often, so a line that ran has 1 hit.

use std::io::{self, Read};

use super::super::context::Context;
use super::super::count::Join;
use super::super::totals::{Ratio, Totals};
use super::super::unpack::Unpacked;
use super::super::visit::{FunctionFact, Visitor};
use super::xml::{Handler, LineFact, LineRun, drive, line_number, number};
use crate::xml::Tag;

pub(super) fn parse<R: Read, V: Visitor + ?Sized>(
    text: &mut Unpacked<R>,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    drive(text, cx, Jacoco::default())
}

#[derive(Debug, Default)]
struct Jacoco {
    package: String,
    /// Path and name of the class that is read.
    class: Option<(String, String)>,
    method: Option<Method>,
    in_file: bool,
    stated: Totals,
    run: LineRun,
}

#[derive(Debug)]
struct Method {
    name: String,
    start: Option<u32>,
    hits: Option<u64>,
}

impl<V: Visitor + ?Sized> Handler<V> for Jacoco {
    fn start(&mut self, tag: &Tag<'_>, cx: &mut Context<'_, V>) {
        let get = |name| tag.get(name).unwrap_or_default();
        match tag.name() {
            "line" if self.in_file => self.line(tag, cx),
            "counter" => self.counter(tag),
            "package" => get("name").clone_into(&mut self.package),
            "sourcefile" => {
                self.end_file(cx);
                cx.visitor.begin_file(&self.path(get("name")), Join::Max);
                self.in_file = true;
            }
            "class" => {
                let file = tag.get("sourcefilename");
                self.class = file.map(|file| (self.path(file), get("name").to_owned()));
            }
            "method" => {
                if let Some((_, class)) = &self.class {
                    let name = format!("{class}.{}{}", get("name"), get("desc"));
                    let start = tag.get("line").and_then(number).filter(|line| *line > 0);
                    let hits = None;
                    self.method = Some(Method { name, start, hits });
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str, cx: &mut Context<'_, V>) {
        match name {
            "sourcefile" => self.end_file(cx),
            "class" => self.class = None,
            "package" => self.package.clear(),
            "method" => {
                if let (Some(method), Some((path, _))) = (self.method.take(), &self.class) {
                    cx.visitor.begin_file(path, Join::Max);
                    cx.visitor.function(FunctionFact {
                        name: &method.name,
                        start: method.start,
                        end: None,
                        hits: method.hits,
                    });
                    cx.visitor.end_file();
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, cx: &mut Context<'_, V>) {
        self.end_file(cx);
    }
}

impl Jacoco {
    fn path(&self, file: &str) -> String {
        if self.package.is_empty() {
            file.to_owned()
        } else {
            format!("{}/{file}", self.package)
        }
    }

    fn line<V: Visitor + ?Sized>(&mut self, tag: &Tag<'_>, cx: &mut Context<'_, V>) {
        let get = |name| tag.get(name).and_then(number);
        let Some(number) = line_number(tag.get("nr").unwrap_or_default(), tag, cx) else {
            return;
        };
        // Some producers leave the instructions away; then the line is only known to exist.
        let hits = match (get("mi"), get("ci")) {
            (None, None) => None,
            (_, covered) => Some(u64::from(covered.is_some_and(|covered| covered > 0))),
        };
        let covered = get("cb").unwrap_or(0);
        let total = covered.saturating_add(get("mb").unwrap_or(0));
        let line = LineFact {
            number,
            hits,
            covered,
            total,
        };
        self.run.push(line, Join::Max, cx);
    }

    fn counter(&mut self, tag: &Tag<'_>) {
        let get = |name| tag.get(name).and_then(number).map_or(0, u64::from);
        let (missed, covered) = (get("missed"), get("covered"));
        let ratio = Ratio::new(covered, covered + missed);
        match (tag.get("type"), &mut self.method) {
            (Some("METHOD"), Some(method)) => method.hits = Some(u64::from(covered > 0)),
            (Some("LINE"), None) if self.in_file => self.stated.lines = ratio,
            (Some("BRANCH"), None) if self.in_file => self.stated.branches = ratio,
            (Some("METHOD"), None) if self.in_file => self.stated.functions = ratio,
            _ => {}
        }
    }

    fn end_file<V: Visitor + ?Sized>(&mut self, cx: &mut Context<'_, V>) {
        if std::mem::take(&mut self.in_file) {
            self.run.flush(cx);
            cx.visitor.stated(std::mem::take(&mut self.stated));
            cx.visitor.end_file();
        }
    }
}
