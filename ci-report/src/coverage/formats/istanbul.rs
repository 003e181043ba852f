//! Istanbul's `coverage-final.json`: statements, functions and branches with their places.
//!
//! A line ran as often as the statement beginning on it that ran most. Branches are known by their
//! place, as their numbers change with the code and with the version of Istanbul.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};

use serde::Deserialize;

use super::super::context::Context;
use super::super::count::Join;
use super::super::model::{Arm, BranchKind};
use super::super::visit::{BranchFact, FunctionFact, Visitor};
use super::json::{Num, map_of, walk};

pub(super) fn parse<R: Read, V: Visitor + ?Sized>(
    reader: R,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    let each = |path: String, file: File| emit(&path, file.data.as_deref().unwrap_or(&file), cx);
    if let Some(damage) = walk(reader, map_of(each))? {
        damage.report(cx);
    }
    Ok(())
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct File {
    path: Option<String>,
    statement_map: BTreeMap<String, Span>,
    s: BTreeMap<String, Num>,
    fn_map: BTreeMap<String, FunctionRecord>,
    f: BTreeMap<String, Num>,
    branch_map: BTreeMap<String, BranchRecord>,
    b: BTreeMap<String, Vec<Num>>,
    /// Some tools wrap the record.
    data: Option<Box<File>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Span {
    start: Point,
    end: Point,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Point {
    line: Num,
    column: Num,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FunctionRecord {
    name: String,
    decl: Span,
    loc: Span,
    line: Num,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct BranchRecord {
    loc: Span,
    line: Num,
    #[serde(rename = "type")]
    kind: String,
}

fn emit<V: Visitor + ?Sized>(key: &str, file: &File, cx: &mut Context<'_, V>) {
    let path = file.path.as_deref().unwrap_or(key);
    cx.visitor.begin_file(path, Join::Max);
    for (id, span) in &file.statement_map {
        if let Some(line) = span.start.line.line() {
            let hits = file.s.get(id).map_or(0, |hits| hits.or_zero());
            cx.visitor.line(line, Some(hits));
        }
    }
    functions(file, cx);
    for (id, branch) in &file.branch_map {
        branches(branch, file.b.get(id).map_or(&[], Vec::as_slice), cx);
    }
    cx.visitor.end_file();
}

fn functions<V: Visitor + ?Sized>(file: &File, cx: &mut Context<'_, V>) {
    let mut names: HashMap<&str, u32> = HashMap::new();
    for function in file.fn_map.values() {
        *names.entry(&function.name).or_default() += 1;
    }
    for (id, function) in &file.fn_map {
        let at = &function.decl.start;
        let line = at.line.line().or(function.line.line());
        let start = line.or(function.loc.start.line.line());
        // Methods of several classes share a name: then the place belongs to it.
        let is_shared = names.get(&*function.name).is_some_and(|count| *count > 1);
        let name = if is_shared {
            let line = start.unwrap_or(0);
            &format!("{}:{line}:{}", function.name, at.column.or_zero())
        } else {
            &function.name
        };
        cx.visitor.function(FunctionFact {
            name,
            start,
            end: function.loc.end.line.line(),
            hits: Some(file.f.get(id).map_or(0, |hits| hits.or_zero())),
        });
    }
}

fn branches<V: Visitor + ?Sized>(branch: &BranchRecord, taken: &[Num], cx: &mut Context<'_, V>) {
    let (start, end) = (&branch.loc.start, &branch.loc.end);
    let Some(line) = start.line.line().or(branch.line.line()) else {
        return;
    };
    let block = u32::try_from(start.column.or_zero()).unwrap_or(u32::MAX);
    for (number, taken) in taken.iter().enumerate() {
        let (line_end, column_end) = (end.line.or_zero(), end.column.or_zero());
        let arm = format!("{} {number} to {line_end}:{column_end}", branch.kind);
        cx.visitor.branch(BranchFact {
            line,
            block,
            arm: Arm::Text(&arm),
            taken: Some(taken.or_zero()),
            kind: BranchKind::Plain,
        });
    }
}
