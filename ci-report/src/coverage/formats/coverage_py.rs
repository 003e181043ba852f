//! The JSON of coverage.py, formats 2 and 3: lines and arcs that ran, and those that did not.

use std::io::{self, Read};

use serde::Deserialize;

use super::super::context::Context;
use super::super::count::Join;

use super::super::model::{Arm, BranchKind};
use super::super::visit::{BranchFact, FunctionFact, Visitor};
use super::json::{Num, map_under};

pub(super) fn parse<R: Read, V: Visitor + ?Sized>(
    reader: R,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    map_under(reader, cx, "files", emit)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct File {
    executed_lines: Vec<Num>,
    missing_lines: Vec<Num>,
    executed_branches: Vec<(i64, i64)>,
    missing_branches: Vec<(i64, i64)>,
    functions: std::collections::BTreeMap<String, FunctionRecord>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FunctionRecord {
    executed_lines: Vec<Num>,
    missing_lines: Vec<Num>,
    start_line: Num,
}

fn emit<V: Visitor + ?Sized>(path: &str, file: &File, cx: &mut Context<'_, V>) {
    cx.visitor.begin_file(path, Join::Max);
    for (lines, hits) in [(&file.executed_lines, 1), (&file.missing_lines, 0)] {
        for line in lines.iter().filter_map(|line| line.line()) {
            cx.visitor.line(line, Some(hits));
        }
    }
    for (arcs, taken) in [(&file.executed_branches, 1), (&file.missing_branches, 0)] {
        for (from, to) in arcs {
            arc(*from, *to, taken, cx);
        }
    }
    for (name, function) in &file.functions {
        let (ran, missed) = (&function.executed_lines, &function.missing_lines);
        // What stands in no function has an empty name, a function without code no lines.
        if name.is_empty() || (ran.is_empty() && missed.is_empty()) {
            continue;
        }
        let end = ran
            .iter()
            .chain(missed)
            .filter_map(|line| line.line())
            .max();
        cx.visitor.function(FunctionFact {
            name,
            start: function.start_line.line(),
            end,
            hits: Some(u64::from(!ran.is_empty())),
        });
    }
    cx.visitor.end_file();
}

/// A way from a line to another; a negative one leads out of the code that begins there.
fn arc<V: Visitor + ?Sized>(from: i64, to: i64, taken: u64, cx: &mut Context<'_, V>) {
    let Some(line) = u32::try_from(from).ok().filter(|line| *line > 0) else {
        return;
    };
    let arm = if to > 0 {
        format!("jump to line {to}")
    } else {
        format!("exit of line {}", to.unsigned_abs())
    };
    cx.visitor.branch(BranchFact {
        line,
        block: 0,
        arm: Arm::Text(&arm),
        taken: Some(taken),
        kind: BranchKind::Plain,
    });
}
