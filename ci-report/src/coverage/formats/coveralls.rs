//! The JSON that Coveralls takes, which `excoveralls` and Code Climate write too.
//!
//! `branches` is flat: line, block, branch and hits of each.

use std::io::{self, Read};

use serde::Deserialize;

use super::super::context::Context;
use super::super::count::Join;

use super::super::model::{Arm, BranchKind};
use super::super::visit::{BranchFact, Visitor};
use super::json::{Hits, list_under};

pub(super) fn parse<R: Read, V: Visitor + ?Sized>(
    reader: R,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    list_under(reader, cx, "source_files", emit)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct File {
    name: String,
    coverage: Hits,
    branches: Hits,
}

fn emit<V: Visitor + ?Sized>(file: &File, cx: &mut Context<'_, V>) {
    cx.visitor.begin_file(&file.name, Join::Sum);
    for (number, hits) in (1..).zip(&file.coverage.0) {
        if let Some(hits) = hits.0 {
            cx.visitor.line(number, Some(hits));
        }
    }
    for branch in file.branches.0.chunks_exact(4) {
        let small = |at: usize| u32::try_from(branch[at].or_zero()).ok();
        if let (Some(line), Some(block), Some(arm)) = (branch[0].line(), small(1), small(2)) {
            cx.visitor.branch(BranchFact {
                line,
                block,
                arm: Arm::Number(arm),
                taken: branch[3].0,
                kind: BranchKind::Plain,
            });
        }
    }
    cx.visitor.end_file();
}
