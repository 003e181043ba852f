//! What test and coverage reports came to, as events, reports and stores tell it.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{FindingCounts, MetricValue, TestCounts, TestOutcome};

/// One run of a test, as a report has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TestRecord {
    /// The suite that it stands in.
    pub suite: String,
    /// Its class, module or group.
    pub class: String,
    /// Its name.
    pub name: String,
    /// The file that it stands in, where the report says so.
    pub file: Option<String>,
    /// How it ended.
    pub outcome: TestOutcome,
    /// Whether it passed after it had failed.
    pub flaky: bool,
    /// How long it took, in seconds.
    pub time: Option<f64>,
    /// Why it ended as it did, in the words of the report.
    pub message: Option<String>,
    /// Whether it is in quarantine: its failure does not fail the job.
    pub quarantined: bool,
}

impl TestRecord {
    /// The name by which people and lists know the test: `class::name`, with the suite where there is
    /// no class.
    #[must_use]
    pub fn id(&self) -> String {
        test_id(&self.suite, &self.class, &self.name)
    }

    /// The tests that are bad in the end: a later run of the same test in the same reports takes the
    /// place of an earlier one.
    #[must_use]
    pub fn bad_in_the_end(tests: &[Self]) -> Vec<&Self> {
        let mut last: HashMap<(&str, &str, &str), usize> = HashMap::new();
        for (index, test) in tests.iter().enumerate() {
            last.insert((&test.suite, &test.class, &test.name), index);
        }
        let is_last = |index: usize, test: &Self| {
            last.get(&(&*test.suite, &*test.class, &*test.name)) == Some(&index)
        };
        let tests = tests.iter().enumerate();
        tests
            .filter(|(index, test)| test.outcome.is_bad() && is_last(*index, test))
            .map(|(_, test)| test)
            .collect()
    }
}

/// `class::name`, with the suite where there is no class.
#[must_use]
pub fn test_id(suite: &str, class: &str, name: &str) -> String {
    match (class, suite) {
        ("", "") => name.to_owned(),
        ("", suite) => format!("{suite}::{name}"),
        (class, _) => format!("{class}::{name}"),
    }
}

/// A report file that was read, or that could not be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReportFile {
    /// Its path among the files that the job kept.
    pub path: String,
    /// The format that it is in, such as `junit` or `lcov`; nothing if it is none that is known.
    pub format: Option<String>,
    /// Whether a part of it was lost: it ends early, or is damaged.
    #[serde(default)]
    pub truncated: bool,
    /// What is wrong with it, the first twenty things.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<ReportDiagnostic>,
}

/// One thing that is wrong with a report file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReportDiagnostic {
    /// Bytes before the place.
    pub offset: u64,
    /// The line of the place, counted from 1; 0 where there is no place.
    pub line: u64,
    /// What sort of thing is wrong, such as `malformed` or `unknown_format`.
    pub kind: String,
    /// What is wrong, for people.
    pub message: String,
}

/// How many of a number of lines, branches or functions are covered.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct CoverageRatio {
    /// How many ran.
    pub covered: u64,
    /// How many there are.
    pub total: u64,
}

impl CoverageRatio {
    /// The share that is covered, from 0 to 100, with two decimals that are rounded down; nothing when
    /// there is nothing to cover.
    #[must_use]
    pub fn percent(&self) -> Option<String> {
        if self.total == 0 {
            return None;
        }
        let hundredths = u128::from(self.covered) * 10_000 / u128::from(self.total);
        Some(format!("{}.{:02}", hundredths / 100, hundredths % 100))
    }
}

/// What coverage reports came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CoverageTotals {
    /// Lines that can run.
    pub lines: CoverageRatio,
    /// Ways that the code can go.
    pub branches: CoverageRatio,
    /// Functions.
    pub functions: CoverageRatio,
    /// The percentage that the output of the job states, where that is all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated: Option<f64>,
}

impl fmt::Display for CoverageTotals {
    /// `81.25 % of lines, 70.00 % of branches`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        for (ratio, word) in [
            (self.lines, "lines"),
            (self.branches, "branches"),
            (self.functions, "functions"),
        ] {
            if let Some(percent) = ratio.percent() {
                write!(f, "{gap}{percent} % of {word}")?;
                gap = ", ";
            }
        }
        match self.stated {
            _ if !gap.is_empty() => Ok(()),
            Some(percent) => write!(f, "{percent} %"),
            None => f.write_str("nothing to cover"),
        }
    }
}

/// What the reports of a job came to: those of its last attempt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct JobReports {
    /// Its tests, if it kept test results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestCounts>,
    /// Its coverage, if it kept coverage reports or its output states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<CoverageTotals>,
    /// What it measured, if it kept values: the first five hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricValue>,
    /// What scanners and linters found, if it kept findings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<FindingCounts>,
}

/// What one gate on coverage says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GateOutcome {
    /// What it is about: `lines`, `branches`, `functions`, `file-lines`, `file-branches` or
    /// `changed-lines`.
    pub gate: String,
    /// The file, of a gate on files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What it asks, in percent.
    pub threshold: f64,
    /// What there is; nothing when it could not be said.
    pub actual: Option<CoverageRatio>,
    /// Whether there is as much as it asks.
    pub passed: bool,
    /// The same in words.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(name: &str, outcome: TestOutcome) -> TestRecord {
        TestRecord {
            class: "a.B".into(),
            name: name.into(),
            outcome,
            ..TestRecord::default()
        }
    }

    #[test]
    fn the_last_run_of_a_test_decides() {
        use TestOutcome::{Error, Failed, Passed};
        let tests = [
            test("x", Failed),
            test("y", Passed),
            test("z", Error),
            test("x", Passed),
            test("y", Failed),
        ];
        let bad = TestRecord::bad_in_the_end(&tests);
        let names: Vec<_> = bad.iter().map(|test| test.id()).collect();
        assert_eq!(names, ["a.B::z", "a.B::y"]);
    }

    #[test]
    fn totals_are_short_in_words() {
        let mut counts = TestCounts::default();
        counts.add(TestOutcome::Passed, false, None);
        assert_eq!(counts.to_string(), "1 test: 1 passed");
        counts.add(TestOutcome::Failed, false, None);
        counts.flaky = 1;
        assert_eq!(counts.to_string(), "2 tests: 1 passed (1 flaky), 1 failed");
        let mut totals = CoverageTotals::default();
        assert_eq!(totals.to_string(), "nothing to cover");
        totals.stated = Some(78.5);
        assert_eq!(totals.to_string(), "78.5 %");
        totals.lines = CoverageRatio {
            covered: 2,
            total: 3,
        };
        assert_eq!(totals.to_string(), "66.66 % of lines");
    }

    #[test]
    fn a_test_without_a_class_is_known_by_its_suite() {
        assert_eq!(test_id("s", "c", "n"), "c::n");
        assert_eq!(test_id("s", "", "n"), "s::n");
        assert_eq!(test_id("", "", "n"), "n");
    }
}
