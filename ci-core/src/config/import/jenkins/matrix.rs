//! `matrix` of a stage: its cells, without those that are excluded.

use super::parser::{Argumented, Statement};
use crate::config::import::pipeline::Pipeline;

/// How many cells are made.
const MOST: usize = 256;

/// The name and the value of each axis.
pub(super) type Cell = Vec<(String, String)>;

/// The cells of a matrix, in the order of its axes.
pub(super) fn cells(matrix: &Statement, pipeline: &mut Pipeline) -> Vec<Cell> {
    let mut all: Vec<Cell> = vec![Vec::new()];
    for axis in axes(matrix.child("axes"), pipeline) {
        if all.len() * axis.values.len() > MOST {
            let what = format!("the axis `{}`", axis.name);
            let hint = "more cells than 256 are not made: split the matrix";
            pipeline.note(&matrix.mark, what, hint);
            continue;
        }
        all = all
            .iter()
            .flat_map(|cell| {
                axis.values.iter().map(|value| {
                    let more = (axis.name.clone(), value.clone());
                    cell.iter().cloned().chain([more]).collect()
                })
            })
            .collect();
    }
    let excludes = matrix.child("excludes").into_iter();
    for exclude in excludes.flat_map(Statement::children) {
        let axes = axes(Some(exclude), pipeline);
        let is_out = |cell: &Cell| {
            !axes.is_empty()
                && axes.iter().all(|axis| {
                    let value = cell.iter().find(|(name, _)| *name == axis.name);
                    value.is_some_and(|(_, value)| axis.values.contains(value) != axis.others)
                })
        };
        all.retain(|cell| !is_out(cell));
    }
    if all.is_empty() || all.iter().all(Vec::is_empty) {
        let hint = "write an `axis` with `name` and `values`, of which not all are excluded";
        pipeline.note(&matrix.mark, "`matrix` without a cell", hint);
        all.retain(|cell| !cell.is_empty());
    }
    all
}

/// What a cell does: a stage of the name of the one around, with what stands in the matrix.
pub(super) fn stage(around: &Statement, matrix: &Statement) -> Statement {
    let mut stage = matrix.clone();
    "stage".clone_into(&mut stage.name);
    stage.arguments.clone_from(&around.arguments);
    if let Some(block) = &mut stage.block {
        block.retain(|part| !matches!(&*part.name, "axes" | "excludes"));
    }
    stage
}

struct Axis {
    name: String,
    values: Vec<String>,
    /// Whether all values but these are meant.
    others: bool,
}

fn axes(block: Option<&Statement>, pipeline: &mut Pipeline) -> Vec<Axis> {
    let mut axes = Vec::new();
    for axis in block.into_iter().flat_map(Statement::children) {
        let name = axis.child("name").and_then(|it| it.argument("name"));
        let plain = axis.child("values");
        let listed = plain.or_else(|| axis.child("notValues"));
        let (Some(name), Some(listed)) = (name, listed) else {
            let hint = "an `axis` has `name` and `values`";
            pipeline.note(&axis.mark, format!("`{}`", axis.words), hint);
            continue;
        };
        let values = listed.arguments.iter().map(|it| &it.value);
        axes.push(Axis {
            name: name.as_str().to_owned(),
            values: values.map(Argumented::as_str).map(str::to_owned).collect(),
            others: plain.is_none(),
        });
    }
    axes
}
