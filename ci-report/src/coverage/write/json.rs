//! Coverage as JSON: sums of all files and of each.

use std::io::{self, Write};

use serde::Serialize;

use super::super::model::Coverage;
use super::super::totals::Ratio;

#[derive(Serialize)]
struct Summary<'a> {
    lines: Ratio,
    branches: Ratio,
    functions: Ratio,
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    path: &'a str,
    lines: Ratio,
    branches: Ratio,
}

/// Writes the sums of `coverage` as one line of JSON:
/// `{"lines":{"covered":1,"total":2,"percent":50.0},"branches":{…},"functions":{…},"files":[{"path":"a.rs","lines":{…},"branches":{…}}]}`.
///
/// # Errors
/// When `out` fails.
pub fn write_json(coverage: &Coverage, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &summary(coverage))?;
    writeln!(out)
}

fn summary(coverage: &Coverage) -> Summary<'_> {
    let totals = coverage.totals();
    let files = coverage.files().map(|(path, file)| {
        let totals = file.totals();
        File {
            path,
            lines: totals.lines,
            branches: totals.branches,
        }
    });
    Summary {
        lines: totals.lines,
        branches: totals.branches,
        functions: totals.functions,
        files: files.collect(),
    }
}
