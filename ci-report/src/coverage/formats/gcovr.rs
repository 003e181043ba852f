//! The JSON of `gcovr`: lines with their function and branches, one entry for each function that has
//! the line.

use std::io::{self, Read};

use serde::Deserialize;

use super::super::context::Context;
use super::super::count::Join;

use super::super::visit::{FunctionFact, Visitor};
use super::gcov_json::{BranchRecord, branches};
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
    #[serde(rename = "file", alias = "filename")]
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
    #[serde(rename = "gcovr/excluded")]
    excluded: bool,
    #[serde(rename = "gcovr/noncode")]
    noncode: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FunctionRecord {
    name: Option<String>,
    demangled_name: Option<String>,
    lineno: Num,
    execution_count: Num,
    #[serde(rename = "gcovr/excluded")]
    excluded: bool,
}

fn emit<V: Visitor + ?Sized>(file: &File, cx: &mut Context<'_, V>) {
    cx.visitor.begin_file(&file.path, Join::Sum);
    let mut last = (0, 0);
    for record in &file.lines {
        let Some(line) = record.line_number.line() else {
            continue;
        };
        // The same line again belongs to another function, with branches of its own.
        let block = if last.0 == line { last.1 + 1 } else { 0 };
        last = (line, block);
        if record.excluded || record.noncode {
            continue;
        }
        cx.visitor.line(line, record.count.0);
        branches(line, block, &record.branches, cx);
    }
    for function in file.functions.iter().filter(|it| !it.excluded) {
        if let Some(name) = function.demangled_name.as_ref().or(function.name.as_ref()) {
            cx.visitor.function(FunctionFact {
                name,
                start: function.lineno.line(),
                end: None,
                hits: function.execution_count.0,
            });
        }
    }
    cx.visitor.end_file();
}
