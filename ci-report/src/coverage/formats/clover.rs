//! Clover XML, as `OpenClover`, `PHPUnit` and Istanbul write it.
//!
//! A line can come as a method and as a statement; the larger count is its own. A condition has two
//! branches, the true and the false one. What stands in a `testproject` is the code of the tests,
//! which Clover's own sums leave out too.

use std::io::{self, Read};

use super::super::context::Context;
use super::super::count::{Join, parse_count};
use super::super::unpack::Unpacked;
use super::super::visit::{FunctionFact, Visitor};
use super::xml::{Handler, LineFact, LineRun, drive, line_number};
use crate::xml::Tag;

pub(super) fn parse<R: Read, V: Visitor + ?Sized>(
    text: &mut Unpacked<R>,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    drive(text, cx, Clover::default())
}

#[derive(Debug, Default)]
struct Clover {
    in_file: bool,
    in_tests: bool,
    run: LineRun,
}

impl<V: Visitor + ?Sized> Handler<V> for Clover {
    fn start(&mut self, tag: &Tag<'_>, cx: &mut Context<'_, V>) {
        match tag.name() {
            "testproject" => self.in_tests = true,
            "file" if !self.in_tests => {
                self.end_file(cx);
                let path = tag.get("path").or(tag.get("name")).unwrap_or_default();
                cx.visitor.begin_file(path, Join::Max);
                self.in_file = true;
            }
            "line" if self.in_file => self.line(tag, cx),
            _ => {}
        }
    }

    fn end(&mut self, name: &str, cx: &mut Context<'_, V>) {
        match name {
            "file" => self.end_file(cx),
            "testproject" => self.in_tests = false,
            _ => {}
        }
    }

    fn finish(&mut self, cx: &mut Context<'_, V>) {
        self.end_file(cx);
    }
}

impl Clover {
    fn line<V: Visitor + ?Sized>(&mut self, tag: &Tag<'_>, cx: &mut Context<'_, V>) {
        let count = |name| tag.get(name).and_then(|text| parse_count(text.as_bytes()));
        let Some(number) = line_number(tag.get("num").unwrap_or_default(), tag, cx) else {
            return;
        };
        let kind = tag.get("type").unwrap_or_default();
        let (yes, no) = (count("truecount"), count("falsecount"));
        let taken = [yes, no].map(|count| u32::from(count.is_some_and(|count| count > 0)));
        let is_condition = kind == "cond" && (yes.is_some() || no.is_some());
        let either = yes.into_iter().chain(no).reduce(u64::saturating_add);
        let hits = count("count").or(either);
        self.run.push(
            LineFact {
                number,
                hits,
                covered: taken[0] + taken[1],
                total: if is_condition { 2 } else { 0 },
            },
            Join::Max,
            cx,
        );
        if kind == "method"
            && let Some(name) = tag.get("signature").or(tag.get("name"))
        {
            // Classes of a file have methods of the same name: the line belongs to it.
            cx.visitor.function(FunctionFact {
                name: &format!("{name}:{number}"),
                start: Some(number),
                end: None,
                hits,
            });
        }
    }

    fn end_file<V: Visitor + ?Sized>(&mut self, cx: &mut Context<'_, V>) {
        if std::mem::take(&mut self.in_file) {
            self.run.flush(cx);
            cx.visitor.end_file();
        }
    }
}
