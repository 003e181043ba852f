//! How tests ended and how many, as both reports and events say it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Tests counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TestCounts {
    /// All of them; a test that a report has several times counts as often.
    pub tests: u64,
    /// Those that passed.
    pub passed: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that broke before they could tell.
    pub errors: u64,
    /// Those that were skipped.
    pub skipped: u64,
    /// Those that passed after they had failed; they are among the passed ones.
    pub flaky: u64,
    /// Seconds that they took together.
    pub time: f64,
}

impl TestCounts {
    /// Counts a test that ended so, after so many seconds.
    pub fn add(&mut self, outcome: TestOutcome, flaky: bool, time: Option<f64>) {
        self.tests += 1;
        match outcome {
            TestOutcome::Passed => self.passed += 1,
            TestOutcome::Skipped => self.skipped += 1,
            TestOutcome::Failed => self.failed += 1,
            TestOutcome::Error => self.errors += 1,
        }
        self.flaky += u64::from(flaky);
        self.time += time.unwrap_or_default();
    }

    /// Adds counts of other tests.
    pub fn merge(&mut self, other: &Self) {
        self.tests += other.tests;
        self.passed += other.passed;
        self.failed += other.failed;
        self.errors += other.errors;
        self.skipped += other.skipped;
        self.flaky += other.flaky;
        self.time += other.time;
    }

    /// How many failed or broke.
    #[must_use]
    pub const fn bad(&self) -> u64 {
        self.failed + self.errors
    }
}

impl fmt::Display for TestCounts {
    /// `12 tests: 9 passed (1 flaky), 2 failed, 1 skipped`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.tests == 1 { "" } else { "s" };
        write!(f, "{} test{plural}: {} passed", self.tests, self.passed)?;
        if self.flaky > 0 {
            write!(f, " ({} flaky)", self.flaky)?;
        }
        for (count, word) in [
            (self.failed, "failed"),
            (self.errors, "broke"),
            (self.skipped, "skipped"),
        ] {
            if count > 0 {
                write!(f, ", {count} {word}")?;
            }
        }
        Ok(())
    }
}

/// How a test ended.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TestOutcome {
    /// It did what it should.
    #[default]
    Passed,
    /// It was not run, or not to its end, on purpose.
    Skipped,
    /// An expectation was not met.
    Failed,
    /// It broke before it could tell.
    Error,
}

impl TestOutcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Passed, Self::Skipped, Self::Failed, Self::Error];

    /// The name as JSON has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Error => "error",
        }
    }

    /// Whether it is one to worry about.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Error)
    }
}

impl fmt::Display for TestOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
