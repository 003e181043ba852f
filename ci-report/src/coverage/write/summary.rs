//! Coverage for people: sums, and the files that are covered least.

use std::io::{self, Write};

use super::super::model::{Coverage, FileCoverage};
use super::super::totals::{Ratio, Totals};

/// What a summary holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SummaryOptions {
    /// How many of the files with the smallest share of covered lines are listed. 10 unless told.
    pub least_covered: usize,
}

impl Default for SummaryOptions {
    fn default() -> Self {
        Self { least_covered: 10 }
    }
}

impl SummaryOptions {
    /// Lists so many of the files that are covered least.
    #[must_use]
    pub fn least_covered(mut self, count: usize) -> Self {
        self.least_covered = count;
        self
    }
}

/// Writes a summary as plain text.
///
/// # Errors
/// When `out` fails.
pub fn write_text(
    coverage: &Coverage,
    options: SummaryOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (name, Ratio { covered, total }, percent) in rows(coverage.totals()) {
        writeln!(out, "{name:<9} {percent:>9}  {covered} of {total}")?;
    }
    let least = least_covered(coverage, options.least_covered);
    if least.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nleast covered:")?;
    for (path, file, ratio) in least {
        let percent = percent(ratio);
        writeln!(out, "{percent:>9}  {path}  {}", missed(file))?;
    }
    Ok(())
}

/// Writes a summary as Markdown, for pull requests and job summaries.
///
/// # Errors
/// When `out` fails.
pub fn write_markdown(
    coverage: &Coverage,
    options: SummaryOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(
        out,
        "| Coverage | | Covered | Total |\n|---|---:|---:|---:|"
    )?;
    for (name, Ratio { covered, total }, percent) in rows(coverage.totals()) {
        writeln!(out, "| {name} | {percent} | {covered} | {total} |")?;
    }
    let least = least_covered(coverage, options.least_covered);
    if least.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n| Least covered | Lines | Missed lines |\n|---|---:|---|"
    )?;
    for (path, file, ratio) in least {
        let (path, percent, missed) = (code(path), percent(ratio), missed(file));
        writeln!(out, "| {path} | {percent} | {missed} |")?;
    }
    Ok(())
}

fn rows(totals: Totals) -> [(&'static str, Ratio, String); 3] {
    let row = |name, ratio| (name, ratio, percent(ratio));
    [
        row("lines", totals.lines),
        row("branches", totals.branches),
        row("functions", totals.functions),
    ]
}

/// The share in percent, or a dash when there is nothing to cover.
fn percent(ratio: Ratio) -> String {
    if ratio.total == 0 {
        return "-".to_owned();
    }
    format!("{} %", ratio.percent_text())
}

/// The files with the smallest share of covered lines, then with the most missed ones, then by path.
/// Files that are wholly covered are not among them.
fn least_covered(coverage: &Coverage, count: usize) -> Vec<(&str, &FileCoverage, Ratio)> {
    let files = coverage
        .files()
        .map(|(path, file)| (path, file, file.totals().lines));
    let mut files: Vec<_> = files.filter(|(_, _, ratio)| ratio.missed() > 0).collect();
    files.sort_by(|(path, _, a), (other, _, b)| {
        // a/b < c/d without rounding.
        let left = u128::from(a.covered) * u128::from(b.total);
        let right = u128::from(b.covered) * u128::from(a.total);
        let by_share = left.cmp(&right);
        by_share
            .then(b.missed().cmp(&a.missed()))
            .then(path.cmp(other))
    });
    files.truncate(count);
    files
}

/// The missed lines as ranges, cut off after eight.
fn missed(file: &FileCoverage) -> String {
    const SHOWN: usize = 8;
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    let mut more = false;
    for line in file.missed_lines() {
        let is_full = ranges.len() == SHOWN;
        match ranges.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(line) => *end = line,
            _ if is_full => {
                more = true;
                break;
            }
            _ => ranges.push((line, line)),
        }
    }
    let ranges = ranges.into_iter().map(|(start, end)| {
        if start == end {
            start.to_string()
        } else {
            format!("{start}-{end}")
        }
    });
    let ranges: Vec<_> = ranges.chain(more.then(|| "…".to_owned())).collect();
    ranges.join(", ")
}

/// A path as code within a table.
fn code(path: &str) -> String {
    let path = path.replace(['\n', '\r'], " ").replace('|', "\\|");
    // Code that holds a backtick stands between two of them.
    if path.contains('`') {
        format!("`` {path} ``")
    } else {
        format!("`{path}`")
    }
}
