//! The words of JUnit XML: what elements there are, and what attributes say of an outcome.

use crate::tests::Outcome;

/// An element whose text is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf {
    Message,
    Stack,
    Stdout,
    Stderr,
    Property,
    Time,
}

/// An element of JUnit XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Suites,
    Suite,
    Case,
    /// What came of a case.
    Result(Outcome),
    /// What came of a run before the one that counts.
    Attempt(Outcome),
    Leaf(Leaf),
    Properties,
    Other,
}

impl Element {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "testcase" => Self::Case,
            "testsuite" => Self::Suite,
            "testsuites" => Self::Suites,
            "failure" => Self::Result(Outcome::Failed),
            "error" => Self::Result(Outcome::Error),
            "skipped" | "disabled" | "ignored" => Self::Result(Outcome::Skipped),
            "rerunFailure" | "flakyFailure" => Self::Attempt(Outcome::Failed),
            "rerunError" | "flakyError" => Self::Attempt(Outcome::Error),
            "system-out" => Self::Leaf(Leaf::Stdout),
            "system-err" => Self::Leaf(Leaf::Stderr),
            "properties" => Self::Properties,
            "property" => Self::Leaf(Leaf::Property),
            "message" => Self::Leaf(Leaf::Message),
            "stackTrace" | "stacktrace" | "stack-trace" => Self::Leaf(Leaf::Stack),
            "time" => Self::Leaf(Leaf::Time),
            _ => Self::Other,
        }
    }
}

/// What attributes say of a case that has no element for it. That a test was `notrun` is no skip by
/// itself: only with a result that says so.
pub(in crate::tests) fn stated(status: Option<&str>, result: Option<&str>) -> Option<Outcome> {
    for word in [status, result].into_iter().flatten() {
        let word = word.trim().to_ascii_lowercase();
        match word.as_str() {
            "failed" | "failure" | "fail" => return Some(Outcome::Failed),
            "error" | "errored" | "broken" => return Some(Outcome::Error),
            "skipped" | "skip" | "ignored" | "disabled" | "pending" | "todo" | "suppressed" => {
                return Some(Outcome::Skipped);
            }
            _ => {}
        }
    }
    None
}
