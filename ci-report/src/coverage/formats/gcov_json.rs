//! The JSON of `gcov --json-format`.
//!
//! Of a template each copy has its own lines, so the same line comes several times: counts add up.

use std::io::{self, Read};

use serde::Deserialize;

use super::super::context::Context;
use super::super::count::Join;

use super::super::model::{Arm, BranchKind};
use super::super::visit::{BranchFact, FunctionFact, Visitor};
use super::json::{Num, list_under};

pub(super) fn parse<R: Read, V: Visitor + ?Sized>(
    reader: R,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    list_under(reader, cx, "files", emit)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct File {
    #[serde(rename = "file")]
    path: String,
    lines: Vec<LineRecord>,
    functions: Vec<FunctionRecord>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct LineRecord {
    line_number: Num,
    count: Num,
    branches: Vec<BranchRecord>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct BranchRecord {
    count: Num,
    fallthrough: bool,
    throw: bool,
    #[serde(rename = "gcovr/excluded")]
    excluded: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FunctionRecord {
    name: String,
    demangled_name: Option<String>,
    start_line: Num,
    end_line: Num,
    execution_count: Num,
}

fn emit<V: Visitor + ?Sized>(file: &File, cx: &mut Context<'_, V>) {
    cx.visitor.begin_file(&file.path, Join::Sum);
    let mut seen = std::collections::HashMap::new();
    for record in &file.lines {
        let Some(line) = record.line_number.line() else {
            continue;
        };
        cx.visitor.line(line, record.count.0);
        let block = seen.entry(line).or_insert(0);
        branches(line, *block, &record.branches, cx);
        *block += 1;
    }
    for function in &file.functions {
        cx.visitor.function(FunctionFact {
            name: function.demangled_name.as_ref().unwrap_or(&function.name),
            start: function.start_line.line(),
            end: function.end_line.line(),
            hits: function.execution_count.0,
        });
    }
    cx.visitor.end_file();
}

/// The branches of one entry of a line, told apart by their order.
pub(super) fn branches<V: Visitor + ?Sized>(
    line: u32,
    entry: u32,
    branches: &[BranchRecord],
    cx: &mut Context<'_, V>,
) {
    for (arm, branch) in (0..).zip(branches) {
        let kind = match (branch.throw, branch.fallthrough) {
            (true, _) => BranchKind::Exception,
            (_, true) => BranchKind::Fallthrough,
            _ => BranchKind::Plain,
        };
        if !branch.excluded {
            cx.visitor.branch(BranchFact {
                line,
                block: entry,
                arm: Arm::Number(arm),
                taken: branch.count.0,
                kind,
            });
        }
    }
}
