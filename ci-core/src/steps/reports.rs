//! Reads the reports that a step kept.

use std::sync::Arc;

use super::measured;
use super::transfer::{blocking, warn};
use crate::event::{
    CoverageRatio, CoverageTotals, ReportDiagnostic, ReportFile, TestCounts, TestRecord,
};
use crate::report::coverage::{self, Coverage, Ratio};
use crate::report::tests::{self, Case, TestReport};
use crate::report::{Diagnostic, DiagnosticKind};
use crate::step::{StepContext, StepError, StepRecord};
use crate::storage::{Artifact, ArtifactKind, Storage};

/// How many diagnostics of a file are told.
pub(super) const MOST_DIAGNOSTICS: usize = 20;
/// Messages are cut here, in characters.
const LONGEST_MESSAGE: usize = 1000;
/// The bytes of a text that are held while a file is read: the half that is its beginning holds a
/// message of that length.
const HELD: usize = 8 * LONGEST_MESSAGE;

/// Reads the kept files, says what is in them and reports it. A file that is no report is told and
/// changes nothing.
pub(super) async fn read_kept(
    cx: &StepContext,
    storage: Arc<Storage>,
    kind: ArtifactKind,
    kept: Vec<Artifact>,
) -> Result<(), StepError> {
    if kept.is_empty() || kind == ArtifactKind::Artifact {
        return Ok(());
    }
    let read = blocking("read the reports", move || {
        Ok(match kind {
            ArtifactKind::Coverage => read_coverage(&storage, &kept),
            ArtifactKind::Metrics => measured::read_metrics(&storage, &kept),
            ArtifactKind::Findings => measured::read_findings(&storage, &kept),
            _ => read_tests(&storage, &kept),
        })
    });
    let record = read.await?;
    let (files, said) = match &record {
        StepRecord::Tests { files, tests, .. } => {
            let mut counts = TestCounts::default();
            for test in tests {
                counts.add(test.outcome, test.flaky, test.time);
            }
            (files, counts.to_string())
        }
        StepRecord::Coverage { files, totals } => (files, format!("coverage: {totals}")),
        StepRecord::Metrics { files, values } => {
            let count = values.len();
            let plural = if count == 1 { "" } else { "s" };
            (files, format!("{count} value{plural} measured"))
        }
        StepRecord::Findings { files, counts, .. } => (files, counts.to_string()),
        _ => return Ok(()),
    };
    for file in files {
        if let Some(first) = file.diagnostics.first() {
            let rest = file.diagnostics.len() - 1;
            let more = if rest > 0 {
                format!(" and {rest} things more")
            } else {
                String::new()
            };
            warn(cx, format!("`{}`: {}{more}", file.path, first.message)).await;
        }
    }
    cx.say(said).await;
    cx.record(record);
    Ok(())
}

fn read_tests(storage: &Storage, kept: &[Artifact]) -> StepRecord {
    let (mut files, mut all, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for artifact in kept {
        let mut file = ReportFile {
            path: artifact.path.clone(),
            ..ReportFile::default()
        };
        let report = storage
            .open_artifact(&artifact.digest)
            .map_err(|error| crate::error::chain(&error))
            .and_then(|content| {
                let options = tests::Options::default().with_text(HELD);
                tests::read_with(content, options).map_err(|error| error.to_string())
            });
        match report {
            Ok(report) => {
                file.format = report.format.map(|format| format.name().to_owned());
                file.truncated = report.truncated;
                tell(&mut file, &report.diagnostics);
                if file.format.is_none() && file.diagnostics.is_empty() {
                    file.diagnostics.push(no_report("it is no test report"));
                }
                problems.extend(problems_of(&report));
                all.extend(report.cases().map(record_of));
            }
            Err(words) => file.diagnostics.push(no_report(words)),
        }
        files.push(file);
    }
    StepRecord::Tests {
        files,
        tests: all,
        problems,
    }
}

/// What went wrong outside of any test.
fn problems_of(report: &TestReport) -> impl Iterator<Item = String> {
    report.suites.iter().flat_map(|suite| {
        let problems = suite.suite.problems.iter();
        problems
            .filter(|problem| problem.outcome.is_bad())
            .map(|problem| {
                let words = cut(problem.message.as_str());
                format!("{}: {words}", suite.suite.name)
            })
    })
}

fn record_of(case: &Case) -> TestRecord {
    let told = case.worst().map(|result| result.message.as_str());
    TestRecord {
        suite: case.suite.clone(),
        class: case.class.clone(),
        name: case.name.clone(),
        file: case.file.clone(),
        outcome: case.outcome,
        flaky: case.flaky,
        time: case.time.filter(|time| time.is_finite() && *time >= 0.0),
        message: told.filter(|words| !words.is_empty()).map(cut),
        quarantined: false,
    }
}

pub(super) fn cut(words: &str) -> String {
    match words.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words.to_owned(),
    }
}

fn read_coverage(storage: &Storage, kept: &[Artifact]) -> StepRecord {
    let (mut files, mut all) = (Vec::new(), Coverage::new());
    for artifact in kept {
        let mut file = ReportFile {
            path: artifact.path.clone(),
            ..ReportFile::default()
        };
        let report = storage
            .open_artifact(&artifact.digest)
            .map_err(|error| crate::error::chain(&error))
            .and_then(|content| {
                coverage::read(content).map_err(|error| crate::error::chain(&error))
            });
        match report {
            Ok(report) => {
                file.format = Some(format_name(report.format));
                file.truncated = report.is_damaged();
                tell(&mut file, &report.diagnostics);
                all.merge(report.coverage);
            }
            Err(words) => file.diagnostics.push(no_report(words)),
        }
        files.push(file);
    }
    StepRecord::Coverage {
        files,
        totals: totals_of(&all),
    }
}

/// The name of a format as JSON has it.
pub(super) fn format_name(format: impl serde::Serialize) -> String {
    let name = serde_json::to_value(format).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}

/// What coverage comes to.
pub(crate) fn totals_of(coverage: &Coverage) -> CoverageTotals {
    let totals = coverage.totals();
    CoverageTotals {
        lines: ratio_of(totals.lines),
        branches: ratio_of(totals.branches),
        functions: ratio_of(totals.functions),
        stated: None,
    }
}

pub(crate) fn ratio_of(ratio: Ratio) -> CoverageRatio {
    CoverageRatio {
        covered: ratio.covered,
        total: ratio.total,
    }
}

fn tell(file: &mut ReportFile, diagnostics: &[Diagnostic]) {
    let told = diagnostics.iter().take(MOST_DIAGNOSTICS);
    file.diagnostics = told
        .map(|diagnostic| ReportDiagnostic {
            offset: diagnostic.offset,
            line: diagnostic.line,
            kind: diagnostic.kind.name().to_owned(),
            message: diagnostic.to_string(),
        })
        .collect();
}

pub(super) fn no_report(words: impl Into<String>) -> ReportDiagnostic {
    ReportDiagnostic {
        offset: 0,
        line: 0,
        kind: DiagnosticKind::UnknownFormat.name().to_owned(),
        message: words.into(),
    }
}
