//! A report of tests as a whole.

use std::io;

use hashbrown::HashMap;
use serde::Serialize;

use super::{Case, Counts, Format, Options, Outcome, Parser, Suite, Visitor};
use crate::{Diagnostic, DiagnosticKind};

/// Diagnostics that are kept.
const DIAGNOSTICS: usize = 1000;

/// A report of tests.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TestReport {
    /// The format it was in, unless it was none.
    pub format: Option<Format>,
    /// All cases counted.
    pub counts: Counts,
    /// The suites in the order in which they begin, each with its own cases. Cases outside of any
    /// suite stand in one without a name.
    pub suites: Vec<SuiteReport>,
    /// Whether the report ends in the middle.
    pub truncated: bool,
    /// What is wrong with it, the first thousand.
    pub diagnostics: Vec<Diagnostic>,
}

/// A suite with the cases that stand directly in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SuiteReport {
    /// The suite.
    pub suite: Suite,
    /// Its cases.
    pub cases: Vec<Case>,
}

impl SuiteReport {
    /// A suite with its cases.
    pub fn new(suite: Suite, cases: Vec<Case>) -> Self {
        Self { suite, cases }
    }
}

impl TestReport {
    /// All cases, suite by suite.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.suites.iter().flat_map(|suite| &suite.cases)
    }

    /// Whether nothing failed or broke, in a case or outside of one, and the report is one and is
    /// complete.
    pub fn is_success(&self) -> bool {
        let problems = self.suites.iter().flat_map(|suite| &suite.suite.problems);
        let unreadable = self.format.is_none() && self.suites.is_empty();
        !self.truncated
            && !unreadable
            && self.counts.failed + self.counts.errors == 0
            && !problems.into_iter().any(|problem| problem.outcome.is_bad())
    }
}

/// Reads a report and collects it. Damage is no error but a diagnostic; an error is the reader's.
pub fn read(reader: impl io::Read) -> io::Result<TestReport> {
    read_with(reader, Options::default())
}

/// Like [`read`], as the options say: fewer bytes of each text take less memory.
pub fn read_with(mut reader: impl io::Read, options: Options) -> io::Result<TestReport> {
    let mut collector = Collector::default();
    let mut parser = Parser::new(options);
    parser.read_from(&mut reader, &mut collector)?;
    let format = parser.finish(&mut collector);
    Ok(collector.report(format))
}

/// Collects the report that the bytes are.
pub fn read_slice(bytes: &[u8]) -> TestReport {
    let mut collector = Collector::default();
    let mut parser = Parser::new(Options::default());
    parser.feed(bytes, &mut collector);
    let format = parser.finish(&mut collector);
    collector.report(format)
}

/// Collects a report.
#[derive(Debug, Default)]
struct Collector {
    report: TestReport,
    /// Where the open suites stand.
    open: Vec<usize>,
    /// Where the suite without a name stands, for cases outside of any.
    outside: Option<usize>,
}

impl Collector {
    fn report(self, format: Option<Format>) -> TestReport {
        let mut report = self.report;
        report.format = format;
        report
            .diagnostics
            .sort_by_key(|diagnostic| diagnostic.offset);
        number_attempts(&mut report);
        let mut counts = Counts::default();
        for case in report.cases() {
            counts.add(case.outcome, case.flaky, case.time);
        }
        report.counts = counts;
        report
    }
}

impl Visitor for Collector {
    fn suite_start(&mut self, suite: &Suite) {
        self.open.push(self.report.suites.len());
        self.report
            .suites
            .push(SuiteReport::new(suite.clone(), Vec::new()));
    }

    fn case(&mut self, case: &Case) {
        let suites = &mut self.report.suites;
        let at = self
            .open
            .last()
            .copied()
            .or(self.outside)
            .unwrap_or_else(|| {
                suites.push(SuiteReport::default());
                suites.len() - 1
            });
        if self.open.is_empty() {
            self.outside = Some(at);
        }
        if let Some(suite) = suites.get_mut(at) {
            suite.cases.push(case.clone());
        }
    }

    fn suite_end(&mut self, suite: &Suite) {
        if let Some(slot) = self
            .open
            .pop()
            .and_then(|at| self.report.suites.get_mut(at))
        {
            slot.suite = suite.clone();
        }
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.report.truncated |= diagnostic.kind == DiagnosticKind::Truncated;
        if self.report.diagnostics.len() < DIAGNOSTICS {
            self.report.diagnostics.push(diagnostic);
        }
    }
}

/// Numbers cases that stand several times in a suite; one that passed after it failed is flaky.
fn number_attempts(report: &mut TestReport) {
    for SuiteReport { suite, cases } in &mut report.suites {
        for (index, attempt, flaky) in repeated(cases) {
            if let Some(case) = cases.get_mut(index) {
                case.attempt = attempt;
                case.flaky |= flaky;
                suite.counts.flaky += u64::from(flaky);
            }
        }
    }
}

/// The cases that are not the first of their name: where, which attempt, whether newly flaky.
fn repeated(cases: &[Case]) -> Vec<(usize, u32, bool)> {
    let mut seen: HashMap<(&str, &str), (u32, bool)> = HashMap::new();
    let mut found = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let (count, failed) = seen.entry((&case.class, &case.name)).or_default();
        *count += 1;
        let flaky = *failed && case.outcome == Outcome::Passed && !case.flaky;
        *failed |= case.outcome.is_bad();
        if *count > 1 {
            found.push((index, *count, flaky));
        }
    }
    found
}
