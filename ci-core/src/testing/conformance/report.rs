//! What came of the checks.

use std::fmt;
use std::time::Duration;

/// What came of all checks, in the order in which they ran.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct ConformanceReport {
    /// The name of the executor.
    pub executor: String,
    /// One for every check there is, skipped ones included.
    pub checks: Vec<CheckReport>,
}

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub outcome: CheckOutcome,
    /// What was measured, what was wrong, or why it did not run.
    pub detail: String,
    /// How long it took.
    pub duration: Duration,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CheckOutcome {
    /// The executor keeps the contract.
    Passed,
    /// It does not.
    Failed,
    /// The check did not run.
    Skipped,
}

impl ConformanceReport {
    /// Whether no check failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.count(CheckOutcome::Failed) == 0
    }

    /// How many checks ended like this.
    #[must_use]
    pub fn count(&self, outcome: CheckOutcome) -> usize {
        let same = |check: &&CheckReport| check.outcome == outcome;
        self.checks.iter().filter(same).count()
    }

    /// Ends the test with the whole table if a check failed.
    ///
    /// # Panics
    /// If a check failed.
    pub fn assert(&self) {
        assert!(self.passed(), "{self}");
    }
}

impl fmt::Display for ConformanceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.checks.iter().map(|check| check.name.chars().count());
        let width = names.max().unwrap_or(0);
        writeln!(f, "conformance of the executor `{}`:", self.executor)?;
        for check in &self.checks {
            let mark = match check.outcome {
                CheckOutcome::Passed => "ok",
                CheckOutcome::Failed => "FAILED",
                CheckOutcome::Skipped => "skipped",
            };
            let seconds = check.duration.as_secs_f64();
            let detail = check.detail.replace('\n', "\n    ");
            let line = format!(
                "{mark:<7} {:<width$} {seconds:>7.2} s  {detail}",
                check.name
            );
            writeln!(f, "  {}", line.trim_end())?;
        }
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.count(CheckOutcome::Passed),
            self.count(CheckOutcome::Failed),
            self.count(CheckOutcome::Skipped),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: CheckOutcome) -> ConformanceReport {
        let check = |name: &str, outcome, detail: &str| CheckReport {
            name: name.to_owned(),
            outcome,
            detail: detail.to_owned(),
            duration: Duration::from_millis(1250),
        };
        ConformanceReport {
            executor: "mock".to_owned(),
            checks: vec![
                check("exec: short", CheckOutcome::Passed, ""),
                check("exec: longer", outcome, "the reason"),
            ],
        }
    }

    #[test]
    fn the_table_shows_every_check_and_the_sums() {
        let expected = "conformance of the executor `mock`:\n\
            \x20 ok      exec: short     1.25 s\n\
            \x20 skipped exec: longer    1.25 s  the reason\n\
            1 passed, 0 failed, 1 skipped";
        assert_eq!(report(CheckOutcome::Skipped).to_string(), expected);
        report(CheckOutcome::Skipped).assert();
    }

    #[test]
    #[should_panic(expected = "FAILED  exec: longer    1.25 s  the reason")]
    fn a_failed_check_ends_the_test_with_the_table() {
        report(CheckOutcome::Failed).assert();
    }
}
