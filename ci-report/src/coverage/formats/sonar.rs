//! The generic coverage XML of Sonar: which lines ran, and how many branches of them.

use std::io::{self, Read};

use super::super::context::Context;
use super::super::count::Join;
use super::super::unpack::Unpacked;
use super::super::visit::Visitor;
use super::xml::{Handler, LineFact, LineRun, drive, line_number, number};
use crate::xml::Tag;

pub(super) fn parse<R: Read, V: Visitor + ?Sized>(
    text: &mut Unpacked<R>,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    drive(text, cx, Sonar::default())
}

#[derive(Debug, Default)]
struct Sonar {
    in_file: bool,
    run: LineRun,
}

impl<V: Visitor + ?Sized> Handler<V> for Sonar {
    fn start(&mut self, tag: &Tag<'_>, cx: &mut Context<'_, V>) {
        match tag.name() {
            "file" => {
                self.end_file(cx);
                cx.visitor
                    .begin_file(tag.get("path").unwrap_or_default(), Join::Max);
                self.in_file = true;
            }
            "lineToCover" if self.in_file => {
                let get = |name| tag.get(name).and_then(number).unwrap_or(0);
                let text = tag.get("lineNumber").unwrap_or_default();
                if let Some(number) = line_number(text, tag, cx) {
                    let covered = tag.get("covered").map(str::trim);
                    let line = LineFact {
                        number,
                        hits: covered.map(|it| u64::from(it.eq_ignore_ascii_case("true"))),
                        covered: get("coveredBranches"),
                        total: get("branchesToCover"),
                    };
                    self.run.push(line, Join::Max, cx);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str, cx: &mut Context<'_, V>) {
        if name == "file" {
            self.end_file(cx);
        }
    }

    fn finish(&mut self, cx: &mut Context<'_, V>) {
        self.end_file(cx);
    }
}

impl Sonar {
    fn end_file<V: Visitor + ?Sized>(&mut self, cx: &mut Context<'_, V>) {
        if std::mem::take(&mut self.in_file) {
            self.run.flush(cx);
            cx.visitor.end_file();
        }
    }
}
