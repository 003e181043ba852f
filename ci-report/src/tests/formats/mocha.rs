//! The JSON reporter of mocha: `stats`, then the same tests as `tests` and by their outcome, of which
//! the latter are read.

use serde::Deserialize;

use crate::tests::output::Output;
use crate::tests::{Attempt, Case, Outcome, TestResult};

use super::elements::ElementFormat;

/// Reads mocha's JSON.
#[derive(Debug)]
pub(super) struct Mocha;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    #[serde(default)]
    title: String,
    #[serde(default)]
    full_title: String,
    file: Option<String>,
    duration: Option<f64>,
    #[serde(default)]
    current_retry: u32,
    #[serde(default)]
    err: Trouble,
}

#[derive(Debug, Default, Deserialize)]
struct Trouble {
    message: Option<String>,
    stack: Option<String>,
    name: Option<String>,
}

impl ElementFormat for Mocha {
    fn wants(&self, key: &str) -> bool {
        matches!(key, "pending" | "failures" | "passes")
    }

    fn element(
        &mut self,
        key: &str,
        json: &str,
        output: &mut Output<'_>,
    ) -> Result<(), serde_json::Error> {
        let test: Test = serde_json::from_str(json)?;
        let class = test
            .full_title
            .strip_suffix(&test.title)
            .unwrap_or_default()
            .trim_end();
        let mut case = Case::new(class, test.title.as_str());
        case.file = test.file;
        case.time = test.duration.map(|time| time / 1000.0);
        case.outcome = match key {
            "pending" => Outcome::Skipped,
            "failures" => Outcome::Failed,
            _ => Outcome::Passed,
        };
        if case.outcome != Outcome::Passed {
            case.results.push(TestResult {
                outcome: case.outcome,
                message: test.err.message.unwrap_or_default().into(),
                kind: test.err.name.unwrap_or_default(),
                body: test.err.stack.unwrap_or_default().into(),
            });
        }
        // It only says how many there were.
        for _ in 0..test.current_retry.min(100) {
            let result = TestResult {
                outcome: Outcome::Failed,
                ..TestResult::default()
            };
            case.attempts.push(Attempt {
                result,
                ..Attempt::default()
            });
        }
        output.case(&mut case);
        Ok(())
    }
}
