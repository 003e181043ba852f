//! What the readers of formats tell the visitor: suites within each other, cases, diagnostics.

use crate::{Diagnostic, DiagnosticKind};

use super::marker::MOST;
use super::{Case, Property, Suite, TestResult, Visitor};

/// Suites within each other that are told.
const DEEPEST: usize = 256;

/// The suites that are open.
#[derive(Debug, Default)]
pub(super) struct Open {
    suites: Vec<Suite>,
    /// Open suites beyond the deepest that are told.
    beyond: u64,
    /// It has been said that there are some.
    told: bool,
    /// Cases told so far.
    pub(super) cases: u64,
}

/// What a reader of a format writes to.
pub(super) struct Output<'a> {
    pub(super) open: &'a mut Open,
    pub(super) visitor: &'a mut dyn Visitor,
}

impl Output<'_> {
    pub(super) fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.visitor.diagnostic(diagnostic);
    }

    /// Begins a suite within the open ones. `at` makes the diagnostic if there are too many.
    pub(super) fn suite_start(
        &mut self,
        mut suite: Suite,
        at: impl FnOnce(DiagnosticKind, &'static str) -> Diagnostic,
    ) {
        if self.open.suites.len() >= DEEPEST {
            self.open.beyond += 1;
            if !std::mem::replace(&mut self.open.told, true) {
                let message =
                    "suites stand too deep in each other; their cases go to the last kept";
                self.visitor.diagnostic(at(DiagnosticKind::Limit, message));
            }
            return;
        }
        suite.depth = u32::try_from(self.open.suites.len()).unwrap_or(u32::MAX);
        self.visitor.suite_start(&suite);
        self.open.suites.push(suite);
    }

    /// Begins a suite where none is open; says whether it has been told.
    pub(super) fn quiet_suite_start(&mut self, suite: Suite) -> bool {
        let before = self.open_suites();
        self.suite_start(suite, |kind, message| Diagnostic::new(0, 1, kind, message));
        self.open_suites() > before
    }

    /// Tells a suite that has no cases of its own.
    pub(super) fn lone_suite(&mut self, suite: Suite) {
        if self.quiet_suite_start(suite) {
            self.suite_end(|_| {});
        }
    }

    /// The innermost suite that is told, unless one beyond it is open.
    pub(super) fn suite(&mut self) -> Option<&mut Suite> {
        if self.open.beyond > 0 {
            None
        } else {
            self.open.suites.last_mut()
        }
    }

    /// Ends the innermost suite; says whether there was one. `change` sees it before the visitor.
    pub(super) fn suite_end(&mut self, change: impl FnOnce(&mut Suite)) -> Option<Suite> {
        if self.open.beyond > 0 {
            self.open.beyond -= 1;
            return None;
        }
        let mut suite = self.open.suites.pop()?;
        change(&mut suite);
        self.visitor.suite_end(&suite);
        if let Some(parent) = self.open.suites.last_mut() {
            parent.counts.merge(&suite.counts);
        }
        Some(suite)
    }

    /// How many suites are open that have been told.
    pub(super) fn open_suites(&self) -> usize {
        self.open.suites.len()
    }

    /// How many suites are open.
    pub(super) fn depth(&self) -> u64 {
        self.open.suites.len() as u64 + self.open.beyond
    }

    /// Tells a case, with the suite that it is in.
    pub(super) fn case(&mut self, case: &mut Case) {
        if case.suite.is_empty()
            && let Some(suite) = self
                .open
                .suites
                .iter()
                .rev()
                .find(|suite| !suite.name.is_empty())
        {
            case.suite.push_str(&suite.name);
        }
        case.flaky = case.flaky
            || (!case.outcome.is_bad()
                && case.outcome != super::Outcome::Skipped
                && case
                    .attempts
                    .iter()
                    .any(|attempt| attempt.result.outcome.is_bad()));
        if let Some(suite) = self.open.suites.last_mut() {
            suite.counts.add(case.outcome, case.flaky, case.time);
        }
        self.open.cases += 1;
        self.visitor.case(case);
    }

    /// Ends all suites, as after the end of the text.
    pub(super) fn close(&mut self) {
        self.open.beyond = 0;
        while self.suite_end(|_| {}).is_some() {}
    }
}

/// Keeps a result, unless there are far too many.
pub(super) fn keep_result(results: &mut Vec<TestResult>, result: TestResult) {
    if results.len() < MOST {
        results.push(result);
    }
}

/// Keeps a property, unless there are far too many.
pub(super) fn keep_property(properties: &mut Vec<Property>, property: Property) {
    if properties.len() < MOST {
        properties.push(property);
    }
}
