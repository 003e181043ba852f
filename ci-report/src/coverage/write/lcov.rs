//! Writes LCOV tracefiles, as `geninfo(1)` describes them.

use std::io::{self, Write};

use super::super::model::{Branch, BranchKind, Coverage, FileCoverage};
use super::super::totals::Ratio;

/// Writes `coverage` as an LCOV tracefile.
///
/// Lines whose hits are unknown are left out, as the format cannot say it. Branches that are only
/// counted become as many branches, the first of them taken.
///
/// # Errors
/// When `out` fails.
pub fn write_lcov(coverage: &Coverage, out: &mut dyn Write) -> io::Result<()> {
    for (path, file) in coverage.files() {
        writeln!(out, "TN:\nSF:{}", one_line(path))?;
        functions(file, out)?;
        branches(file, out)?;
        for line in file.lines() {
            if let Some(hits) = line.hits() {
                writeln!(out, "DA:{},{hits}", line.number())?;
            }
        }
        let totals = file.totals();
        if file.lines().any(|line| line.hits().is_some()) {
            writeln!(
                out,
                "LF:{}\nLH:{}",
                totals.lines.total, totals.lines.covered
            )?;
        }
        writeln!(out, "end_of_record")?;
    }
    Ok(())
}

fn functions(file: &FileCoverage, out: &mut dyn Write) -> io::Result<()> {
    let (mut found, mut hit) = (0_usize, 0_usize);
    for function in file.functions() {
        let Some(hits) = function.hits() else {
            continue;
        };
        let name = one_line(function.name());
        // A record needs a line, even where the report gave none.
        let start = function.start().unwrap_or(1);
        match function.end() {
            Some(end) => writeln!(out, "FN:{start},{end},{name}")?,
            None => writeln!(out, "FN:{start},{name}")?,
        }
        writeln!(out, "FNDA:{hits},{name}")?;
        found += 1;
        hit += usize::from(hits > 0);
    }
    if found > 0 {
        writeln!(out, "FNF:{found}\nFNH:{hit}")?;
    }
    Ok(())
}

fn branches(file: &FileCoverage, out: &mut dyn Write) -> io::Result<()> {
    let mut named = file.branches().peekable();
    let (mut found, mut hit) = (0, 0);
    let mut mine = Vec::new();
    for (line, ratio) in file.branch_ratios() {
        mine.clear();
        mine.extend(std::iter::from_fn(|| {
            named.next_if(|branch| branch.line() == line)
        }));
        let listed = mine
            .iter()
            .filter(|it| it.kind() != BranchKind::Unreachable);
        let listed = listed.fold(Ratio::default(), |sum, it| sum.with(it.is_taken()));
        if listed == ratio {
            mine.iter()
                .try_for_each(|branch| write_branch(*branch, out))?;
        } else {
            // Only counted, or counted higher than by the names: the count is what is said.
            for arm in 0..ratio.total {
                writeln!(out, "BRDA:{line},0,{arm},{}", u8::from(arm < ratio.covered))?;
            }
        }
        found += ratio.total;
        hit += ratio.covered;
    }
    if found > 0 {
        writeln!(out, "BRF:{found}\nBRH:{hit}")?;
    }
    Ok(())
}

fn write_branch(branch: Branch<'_>, out: &mut dyn Write) -> io::Result<()> {
    let letter = match branch.kind() {
        BranchKind::Exception => "e",
        BranchKind::Fallthrough => "f",
        BranchKind::Unreachable => "U",
        BranchKind::Plain => "",
    };
    let arm = branch.arm().to_string();
    let (line, block, arm) = (branch.line(), branch.block(), one_line(&arm));
    write!(out, "BRDA:{line},{letter}{block},{arm},")?;
    match branch.taken() {
        Some(taken) => writeln!(out, "{taken}"),
        None => writeln!(out, "-"),
    }
}

/// A name without line breaks, which would begin another record.
fn one_line(name: &str) -> std::borrow::Cow<'_, str> {
    if name.contains(['\n', '\r']) {
        name.replace(['\n', '\r'], " ").into()
    } else {
        name.into()
    }
}
