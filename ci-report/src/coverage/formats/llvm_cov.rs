//! The JSON of `llvm-cov export`, versions 2 and 3.
//!
//! Lines are made of segments as LLVM itself makes them (`LineCoverageStats` in
//! `CoverageMapping.cpp`): a line ran as often as the region that reaches into it, or the one that
//! begins on it and ran most.

use std::io::{self, Read};

use serde::Deserialize;
use serde::de::MapAccess;

use super::super::context::Context;
use super::super::count::Join;

use super::super::model::{Arm, BranchKind};
use super::super::totals::{Ratio, Totals};
use super::super::visit::{BranchFact, FunctionFact, Visitor};
use super::json::{Fields, Num, Object, list_of, skip, walk};

/// How many lines a region may span: a hostile one would span four billion.
const MAX_SPAN: u32 = 100_000;

pub(super) fn parse<R: Read, V: Visitor + ?Sized>(
    reader: R,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    let mut root = Root { cx: &mut *cx };
    let damage = walk(reader, Object(&mut root))?;
    if let Some(damage) = damage {
        damage.report(cx);
    }
    Ok(())
}

struct Root<'a, 'v, V: ?Sized> {
    cx: &'a mut Context<'v, V>,
}

impl<V: Visitor + ?Sized> Fields for Root<'_, '_, V> {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "data" => map.next_value_seed(Exports(self.cx)),
            _ => skip(map),
        }
    }
}

/// The array of exports.
struct Exports<'a, 'v, V: ?Sized>(&'a mut Context<'v, V>);

impl<'de, V: Visitor + ?Sized> serde::de::DeserializeSeed<'de> for Exports<'_, '_, V> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, V: Visitor + ?Sized> serde::de::Visitor<'de> for Exports<'_, '_, V> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of exports")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut export = Export(self.0);
        while seq.next_element_seed(Object(&mut export))?.is_some() {}
        Ok(())
    }
}

struct Export<'a, 'v, V: ?Sized>(&'a mut Context<'v, V>);

impl<V: Visitor + ?Sized> Fields for Export<'_, '_, V> {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "files" => map.next_value_seed(list_of(|file| emit(&file, self.0))),
            "functions" => map.next_value_seed(list_of(|it| function(&it, self.0))),
            _ => skip(map),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct File {
    filename: String,
    segments: Vec<Segment>,
    branches: Vec<Vec<Num>>,
    summary: Summary,
}

/// Line, column, count, whether it has a count, whether a region begins, and, in later versions,
/// whether it is a gap between regions.
#[derive(Deserialize)]
#[serde(from = "Vec<Num>")]
struct Segment {
    line: u32,
    count: u64,
    has_count: bool,
    is_entry: bool,
    is_gap: bool,
}

impl From<Vec<Num>> for Segment {
    fn from(fields: Vec<Num>) -> Self {
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        Self {
            line: field(0).line().unwrap_or(0),
            count: field(2).or_zero(),
            has_count: field(3).or_zero() > 0,
            is_entry: field(4).or_zero() > 0,
            is_gap: field(5).or_zero() > 0,
        }
    }
}

impl Segment {
    fn begins_region(&self) -> bool {
        !self.is_gap && self.has_count && self.is_entry
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Summary {
    lines: Sum,
    branches: Sum,
    functions: Sum,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Sum {
    count: Num,
    covered: Num,
}

impl From<&Sum> for Ratio {
    fn from(sum: &Sum) -> Self {
        Self::new(sum.covered.or_zero(), sum.count.or_zero())
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FunctionRecord {
    name: String,
    count: Num,
    filenames: Vec<String>,
    regions: Vec<Vec<Num>>,
}

fn emit<V: Visitor + ?Sized>(file: &File, cx: &mut Context<'_, V>) {
    cx.visitor.begin_file(&file.filename, Join::Max);
    cx.visitor.stated(Totals {
        lines: (&file.summary.lines).into(),
        branches: (&file.summary.branches).into(),
        functions: (&file.summary.functions).into(),
    });
    lines(&file.segments, cx);
    for branch in &file.branches {
        let field = |at: usize| branch.get(at).copied().unwrap_or_default();
        let column = u32::try_from(field(1).or_zero()).unwrap_or(u32::MAX);
        let Some(line) = field(0).line() else {
            continue;
        };
        for (arm, count) in [(0, field(4)), (1, field(5))] {
            cx.visitor.branch(BranchFact {
                line,
                block: column,
                arm: Arm::Number(arm),
                taken: count.0,
                kind: BranchKind::Plain,
            });
        }
    }
    cx.visitor.end_file();
}

fn lines<V: Visitor + ?Sized>(segments: &[Segment], cx: &mut Context<'_, V>) {
    let mut wrapped: Option<&Segment> = None;
    let mut previous = 0;
    for group in segments.chunk_by(|a, b| a.line == b.line) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        if first.line == 0 {
            continue;
        }
        if let Some(outer) = wrapped.filter(|outer| outer.has_count)
            && first.line.saturating_sub(previous) <= MAX_SPAN
            && cx.take_span(first.line.saturating_sub(previous))
        {
            for line in previous + 1..first.line {
                cx.visitor.line(line, Some(outer.count));
            }
        }
        let is_skipped = !first.has_count && first.is_entry;
        let outer = wrapped.filter(|outer| outer.has_count);
        let begun = group.iter().filter(|segment| segment.begins_region());
        let begun = begun.map(|segment| segment.count).max();
        let count = outer.map(|outer| outer.count).max(begun);
        if let Some(count) = count.filter(|_| !is_skipped) {
            cx.visitor.line(first.line, Some(count));
        }
        wrapped = Some(last);
        previous = first.line;
    }
}

fn function<V: Visitor + ?Sized>(function: &FunctionRecord, cx: &mut Context<'_, V>) {
    let Some(path) = function.filenames.first() else {
        return;
    };
    let region = function.regions.first();
    let line = |at: usize| {
        region
            .and_then(|region| region.get(at))
            .and_then(|line| line.line())
    };
    cx.visitor.begin_file(path, Join::Max);
    cx.visitor.function(FunctionFact {
        name: &function.name,
        start: line(0),
        end: line(2),
        hits: function.count.0,
    });
    cx.visitor.end_file();
}
