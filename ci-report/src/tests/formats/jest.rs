//! The JSON reporter of jest and vitest: `testResults`, one for each file.

use serde::Deserialize;

use crate::tests::output::Output;
use crate::tests::{Attempt, Case, Outcome, Suite, TestResult};

use super::elements::ElementFormat;

/// Reads the JSON of jest and vitest.
#[derive(Debug)]
pub(super) struct Jest;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    message: Option<String>,
    start_time: Option<f64>,
    end_time: Option<f64>,
    #[serde(default)]
    assertion_results: Vec<Assertion>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assertion {
    #[serde(default)]
    ancestor_titles: Vec<String>,
    #[serde(default)]
    title: String,
    #[serde(default)]
    status: String,
    duration: Option<f64>,
    failure_messages: Option<Vec<String>>,
    #[serde(default)]
    retry_reasons: Vec<String>,
    location: Option<Location>,
}

#[derive(Debug, Deserialize)]
struct Location {
    line: Option<u64>,
}

impl ElementFormat for Jest {
    fn wants(&self, key: &str) -> bool {
        key == "testResults"
    }

    fn element(
        &mut self,
        _key: &str,
        json: &str,
        output: &mut Output<'_>,
    ) -> Result<(), serde_json::Error> {
        let file: File = serde_json::from_str(json)?;
        let mut suite = Suite::new(file.name.as_str());
        suite.file = Some(file.name.clone()).filter(|name| !name.is_empty());
        if let (Some(start), Some(end)) = (file.start_time, file.end_time) {
            suite.time = Some((end - start) / 1000.0).filter(|time| *time >= 0.0);
        }
        if file.status == "failed" && file.assertion_results.is_empty() {
            suite.problems.push(TestResult {
                outcome: Outcome::Error,
                message: file.message.unwrap_or_default().into(),
                ..TestResult::default()
            });
        }
        let told = output.quiet_suite_start(suite);
        for assertion in file.assertion_results {
            output.case(&mut case(assertion, &file.name));
        }
        if told {
            output.suite_end(|_| {});
        }
        Ok(())
    }
}

fn case(assertion: Assertion, file: &str) -> Case {
    let mut case = Case::new(assertion.ancestor_titles.join(" > "), assertion.title);
    case.file = Some(file.to_owned()).filter(|file| !file.is_empty());
    case.line = assertion.location.and_then(|location| location.line);
    case.time = assertion.duration.map(|time| time / 1000.0);
    case.outcome = match assertion.status.as_str() {
        "failed" => Outcome::Failed,
        "pending" | "skipped" | "todo" | "disabled" | "focused" => Outcome::Skipped,
        _ => Outcome::Passed,
    };
    let result = |outcome, text: String| {
        let message = text.lines().next().unwrap_or_default().into();
        TestResult {
            outcome,
            message,
            kind: String::new(),
            body: text.into(),
        }
    };
    let messages = assertion.failure_messages.unwrap_or_default();
    case.results = messages
        .into_iter()
        .map(|text| result(Outcome::Failed, text))
        .collect();
    if case.results.is_empty() && case.outcome != Outcome::Passed {
        case.results.push(result(case.outcome, String::new()));
    }
    let attempt = |text| Attempt {
        result: result(Outcome::Failed, text),
        ..Attempt::default()
    };
    case.attempts = assertion.retry_reasons.into_iter().map(attempt).collect();
    case
}
