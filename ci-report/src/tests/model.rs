//! What a report of tests says, in one shape for every format.

use std::fmt;

use serde::Serialize;

use super::{Counts, Outcome, Text};

/// One thing that a report says about a case: why it failed, broke or was skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TestResult {
    /// What it makes of the case.
    pub outcome: Outcome,
    /// The message.
    pub message: Text,
    /// The type of the exception or assertion.
    pub kind: String,
    /// The text, usually a stack trace.
    pub body: Text,
}

/// A run of a case before the one that counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Attempt {
    /// How it ended and why.
    pub result: TestResult,
    /// What it wrote to standard output.
    pub stdout: Text,
    /// What it wrote to standard error.
    pub stderr: Text,
}

/// A name and a value that a report gives to a case or a suite.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Property {
    /// The name; a name may stand several times.
    pub name: String,
    /// The value.
    pub value: String,
}

impl Property {
    /// A property.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// One test.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Case {
    /// The name of the suite around it that has one.
    pub suite: String,
    /// Its class, module or group.
    pub class: String,
    /// Its name.
    pub name: String,
    /// The file that it stands in.
    pub file: Option<String>,
    /// The line that it stands at.
    pub line: Option<u64>,
    /// How long it took, in seconds.
    pub time: Option<f64>,
    /// How it ended: the worst of its results.
    pub outcome: Outcome,
    /// Whether it passed after it had failed.
    pub flaky: bool,
    /// Which run of this case it is, counted from 1, when a report has the case several times. Only
    /// a collected report knows; otherwise it is 1.
    pub attempt: u32,
    /// Everything that the report says about it.
    pub results: Vec<TestResult>,
    /// Runs before this one that stand within the case.
    pub attempts: Vec<Attempt>,
    /// The status that the producer gave in words of its own.
    pub status: Option<String>,
    /// What it wrote to standard output.
    pub stdout: Text,
    /// What it wrote to standard error.
    pub stderr: Text,
    /// Its properties.
    pub properties: Vec<Property>,
    /// Paths of files that belong to it, as they are written.
    pub attachments: Vec<String>,
}

impl Case {
    /// A case that passed.
    pub fn new(class: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            class: class.into(),
            name: name.into(),
            attempt: 1,
            ..Self::default()
        }
    }

    /// The result that made the outcome, if any did.
    pub fn worst(&self) -> Option<&TestResult> {
        self.results
            .iter()
            .rev()
            .max_by_key(|result| result.outcome)
    }

    /// Makes it a case of which nothing is known, keeping memory.
    pub(super) fn clear(&mut self) {
        self.suite.clear();
        self.class.clear();
        self.name.clear();
        self.file = None;
        self.line = None;
        self.time = None;
        self.outcome = Outcome::Passed;
        self.flaky = false;
        self.attempt = 1;
        self.results.clear();
        self.attempts.clear();
        self.status = None;
        self.stdout = Text::default();
        self.stderr = Text::default();
        self.properties.clear();
        self.attachments.clear();
    }

    /// Makes the outcome at least as bad as this.
    pub(super) fn worsen(&mut self, outcome: Outcome) {
        self.outcome = self.outcome.max(outcome);
    }
}

/// A group of cases.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// How many suites are around it.
    pub depth: u32,
    /// The file that it stands in.
    pub file: Option<String>,
    /// How long the report says it took, in seconds.
    pub time: Option<f64>,
    /// When it began, as it is written.
    pub timestamp: Option<String>,
    /// Where it ran.
    pub hostname: Option<String>,
    /// What went wrong outside of its cases. Known when the suite ends.
    pub problems: Vec<TestResult>,
    /// Its properties. Known when the suite ends.
    pub properties: Vec<Property>,
    /// What it wrote to standard output. Known when the suite ends.
    pub stdout: Text,
    /// What it wrote to standard error. Known when the suite ends.
    pub stderr: Text,
    /// Its cases counted, those of suites within it too. Known when the suite ends.
    pub counts: Counts,
}

impl Suite {
    /// A suite with a name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }
}

/// The formats of test reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Format {
    /// JUnit XML in any dialect.
    Junit,
    /// The Test Anything Protocol, versions 12 to 14.
    Tap,
    /// What `go test -json` writes.
    GoTest,
    /// Visual Studio test results.
    Trx,
    /// `xUnit.net` XML, versions 1 to 3.
    Xunit,
    /// NUnit 2 XML.
    Nunit2,
    /// NUnit 3 XML.
    Nunit3,
    /// `TestNG` XML.
    TestNg,
    /// `CTest`'s `Test.xml`.
    Ctest,
    /// Boost.Test logs and reports in XML.
    Boost,
    /// The JSON reporter of mocha.
    Mocha,
    /// The JSON reporter of jest and vitest.
    Jest,
}

impl Format {
    /// The name as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Junit => "junit",
            Self::Tap => "tap",
            Self::GoTest => "go_test",
            Self::Trx => "trx",
            Self::Xunit => "xunit",
            Self::Nunit2 => "nunit2",
            Self::Nunit3 => "nunit3",
            Self::TestNg => "test_ng",
            Self::Ctest => "ctest",
            Self::Boost => "boost",
            Self::Mocha => "mocha",
            Self::Jest => "jest",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
