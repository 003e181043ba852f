//! Tests that read and write whole reports.

mod formats;
mod hostile;
mod merge;
mod write;

use std::fmt::Write as _;

use super::*;

/// Reads `text` as a report without damage.
fn parse(text: &str) -> Report {
    let report = read(text.as_bytes()).unwrap();
    assert!(!report.is_damaged(), "{:?}", report.diagnostics);
    report
}

/// What `coverage` says, a file a line: `path 1:3 2:0 | 1=1/2 | name@1=3`.
fn view(coverage: &Coverage) -> String {
    let mut view = String::new();
    for (path, file) in coverage.files() {
        write!(view, "{path}").unwrap();
        for line in file.lines() {
            let hits = line.hits().map_or("?".to_owned(), |hits| hits.to_string());
            write!(view, " {}:{hits}", line.number()).unwrap();
        }
        view.push_str(" |");
        for (line, ratio) in file.branch_ratios() {
            write!(view, " {line}={}/{}", ratio.covered, ratio.total).unwrap();
        }
        view.push_str(" |");
        for function in file.functions() {
            let start = function
                .start()
                .map_or("?".to_owned(), |line| line.to_string());
            let hits = function
                .hits()
                .map_or("?".to_owned(), |hits| hits.to_string());
            write!(view, " {}@{start}={hits}", function.name()).unwrap();
        }
        view.push('\n');
    }
    view
}
