//! `OpenCover` XML: the sequence and branch points of each method of each module.
//!
//! A point covers all lines that it spans. The same point can come several times, as can a whole
//! module; the largest count is that of the line.

use std::collections::HashMap;
use std::io::{self, Read};

use super::super::context::Context;
use super::super::count::{Join, parse_count};
use super::super::model::{Arm, BranchKind};
use super::super::unpack::Unpacked;
use super::super::visit::{BranchFact, FunctionFact, Visitor};
use super::xml::{Handler, drive, number};
use crate::xml::Tag;

/// How many lines a point may span: a hostile one would span four billion.
const MAX_SPAN: u32 = 10_000;

pub(super) fn parse<R: Read, V: Visitor + ?Sized>(
    text: &mut Unpacked<R>,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    drive(text, cx, OpenCover::default())
}

#[derive(Debug, Default)]
struct OpenCover {
    /// The files of the module, by their number.
    files: HashMap<String, String>,
    method: Option<Method>,
    in_name: bool,
}

#[derive(Debug, Default)]
struct Method {
    name: String,
    file: Option<String>,
    lines: Vec<Point>,
    branches: Vec<Point>,
}

#[derive(Debug)]
struct Point {
    file: Option<String>,
    start: u32,
    end: u32,
    hits: Option<u64>,
    /// Of a branch: where its condition stands in the code, and which way it is.
    block: u32,
    arm: u32,
}

impl<V: Visitor + ?Sized> Handler<V> for OpenCover {
    fn start(&mut self, tag: &Tag<'_>, _: &mut Context<'_, V>) {
        match (tag.name(), &mut self.method) {
            ("Module", _) => self.files.clear(),
            ("File", _) => {
                if let (Some(id), Some(path)) = (tag.get("uid"), tag.get("fullPath")) {
                    self.files.insert(id.to_owned(), path.to_owned());
                }
            }
            ("Method", _) => self.method = Some(Method::default()),
            ("Name", Some(_)) => self.in_name = true,
            ("FileRef", Some(method)) => method.file = tag.get("uid").map(str::to_owned),
            ("SequencePoint", Some(method)) => method.lines.extend(point(tag)),
            ("BranchPoint", Some(method)) => method.branches.extend(point(tag)),
            _ => {}
        }
    }

    fn end(&mut self, name: &str, cx: &mut Context<'_, V>) {
        match name {
            "Name" => self.in_name = false,
            "Method" => {
                if let Some(method) = self.method.take() {
                    self.emit(&method, cx);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(method) = self.method.as_mut().filter(|_| self.in_name) {
            method.name.push_str(text);
        }
    }

    fn finish(&mut self, _: &mut Context<'_, V>) {}
}

fn point(tag: &Tag<'_>) -> Option<Point> {
    let get = |name| tag.get(name).and_then(number);
    let start = get("sl").filter(|line| *line > 0)?;
    let end = get("el").filter(|end| *end >= start && *end - start <= MAX_SPAN);
    Some(Point {
        file: tag.get("fileid").map(str::to_owned),
        start,
        end: end.unwrap_or(start),
        hits: tag.get("vc").and_then(|hits| parse_count(hits.as_bytes())),
        block: get("offset").unwrap_or(0),
        arm: get("path").unwrap_or(0),
    })
}

impl OpenCover {
    fn emit<V: Visitor + ?Sized>(&self, method: &Method, cx: &mut Context<'_, V>) {
        let file_of = |point: &Point| {
            let id = point.file.as_ref().or(method.file.as_ref())?;
            self.files.get(id)
        };
        let first = method.lines.first();
        let home = method.file.as_ref().and_then(|id| self.files.get(id));
        if let (Some(first), Some(path)) = (first, home.or(first.and_then(file_of))) {
            cx.visitor.begin_file(path, Join::Max);
            cx.visitor.function(FunctionFact {
                name: &method.name,
                start: method.lines.iter().map(|point| point.start).min(),
                end: method.lines.iter().map(|point| point.end).max(),
                hits: first.hits,
            });
            cx.visitor.end_file();
        }
        for point in &method.lines {
            let Some(path) = file_of(point) else { continue };
            cx.visitor.begin_file(path, Join::Max);
            let is_more = point.end > point.start;
            let fits = !is_more || cx.take_span(point.end - point.start);
            let end = if fits { point.end } else { point.start };
            for line in point.start..=end {
                cx.visitor.line(line, point.hits);
            }
            cx.visitor.end_file();
        }
        for point in &method.branches {
            let Some(path) = file_of(point) else { continue };
            cx.visitor.begin_file(path, Join::Max);
            cx.visitor.branch(BranchFact {
                line: point.start,
                block: point.block,
                arm: Arm::Number(point.arm),
                taken: point.hits,
                kind: BranchKind::Plain,
            });
            cx.visitor.end_file();
        }
    }
}
