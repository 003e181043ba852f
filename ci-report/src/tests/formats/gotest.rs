//! What `go test -json` writes: one event in JSON a line, those of several packages mixed.
//!
//! A case is told when its test ends. A package that fails without a failed test, as when it does not
//! build, is a suite with a problem. Lines that are no events are left out.

use hashbrown::HashMap;
use serde::Deserialize;

use crate::DiagnosticKind;
use crate::tests::clip::Clip;
use crate::tests::output::Output;
use crate::tests::{Case, Outcome, Suite, TestResult};

use super::lines::{Line, LineFormat};

/// Tests whose output is gathered at the same time; of those beyond the first few, less is kept.
const RUNNING: usize = 4096;
const FIRST: usize = 64;

/// Reads `go test -json`.
#[derive(Debug)]
pub(super) struct GoTest {
    limit: usize,
    /// The tests that run, by package and name; a package's own output has no name.
    running: HashMap<(String, String), Clip>,
    /// Failed tests of the packages that run.
    failed: HashMap<String, u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    #[serde(default)]
    package: String,
    #[serde(default)]
    import_path: String,
    #[serde(default)]
    test: String,
    elapsed: Option<f64>,
    #[serde(default)]
    output: String,
    #[serde(default)]
    failed_build: String,
}

impl GoTest {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            running: HashMap::new(),
            failed: HashMap::new(),
        }
    }

    fn said(&mut self, package: String, test: String, words: &str) {
        let trimmed = words.trim_start();
        if trimmed.starts_with("=== ") || trimmed.starts_with("--- ") {
            return;
        }
        self.clip(package, test).push(words);
    }

    /// What is gathered of a test; of the package, if too many run.
    fn clip(&mut self, package: String, test: String) -> &mut Clip {
        let known = self.running.len() < RUNNING;
        let key = (package, test);
        let key = if known || self.running.contains_key(&key) {
            key
        } else {
            Default::default()
        };
        let few = self.running.len() < FIRST;
        let limit = if few { self.limit } else { self.limit / 16 };
        self.running.entry(key).or_insert_with(|| Clip::new(limit))
    }

    fn ended(&mut self, event: Event, outcome: Outcome, output: &mut Output<'_>) {
        let Event {
            package,
            test,
            elapsed,
            ..
        } = event;
        let text = self.running.remove(&(package.clone(), test.clone()));
        let text = text.map(|mut clip| clip.take()).unwrap_or_default();
        if outcome.is_bad() {
            *self.failed.entry(package.clone()).or_default() += 1;
        }
        let mut case = Case {
            suite: package.clone(),
            ..Case::new(package, test)
        };
        case.time = elapsed.filter(|time| time.is_finite() && *time >= 0.0);
        case.outcome = outcome;
        if outcome == Outcome::Passed {
            case.stdout = text;
        } else {
            case.results.push(TestResult {
                outcome,
                body: text,
                ..TestResult::default()
            });
        }
        output.case(&mut case);
    }

    /// A package has ended: its tests that still ran never will.
    fn package_ended(&mut self, event: &Event, output: &mut Output<'_>) {
        let package = &event.package;
        let mut left: Vec<String> = self
            .running
            .keys()
            .filter(|(other, test)| other == package && !test.is_empty())
            .map(|(_, test)| test.clone())
            .collect();
        left.sort_unstable();
        for test in left {
            let event = Event {
                action: String::new(),
                package: package.clone(),
                import_path: String::new(),
                test,
                elapsed: None,
                output: String::new(),
                failed_build: String::new(),
            };
            self.ended(event, Outcome::Error, output);
        }
        let own = self.running.remove(&(package.clone(), String::new()));
        let failed = self.failed.remove(package).unwrap_or_default();
        if event.action == "fail" && failed == 0 {
            let build = self
                .running
                .remove(&(event.failed_build.clone(), String::new()));
            let body = build
                .or(own)
                .map(|mut clip| clip.take())
                .unwrap_or_default();
            let message = if event.failed_build.is_empty() {
                "the package failed"
            } else {
                "it does not build"
            };
            let mut suite = Suite::new(package.clone());
            suite.time = event.elapsed;
            suite.problems.push(TestResult {
                outcome: Outcome::Error,
                message: message.into(),
                kind: String::new(),
                body,
            });
            output.lone_suite(suite);
        }
    }
}

impl LineFormat for GoTest {
    fn line(&mut self, line: Line<'_>, output: &mut Output<'_>) {
        if !line.text.trim_start().starts_with('{') {
            return;
        }
        let event: Event = match serde_json::from_str(line.text) {
            Ok(event) => event,
            Err(error) => {
                let message = format!("the line is no event: {error}");
                output.diagnostic(line.diagnostic(DiagnosticKind::Malformed, message));
                return;
            }
        };
        let outcome = match event.action.as_str() {
            "pass" | "bench" => Outcome::Passed,
            "fail" => Outcome::Failed,
            "skip" => Outcome::Skipped,
            "run" => {
                self.clip(event.package, event.test);
                return;
            }
            "output" => return self.said(event.package, event.test, &event.output),
            "build-output" => {
                return self.said(event.import_path, String::new(), &event.output);
            }
            _ => return,
        };
        if event.test.is_empty() {
            self.package_ended(&event, output);
        } else {
            self.ended(event, outcome, output);
        }
    }

    fn finish(&mut self, output: &mut Output<'_>) -> bool {
        let mut left: Vec<_> = self
            .running
            .keys()
            .filter(|(_, test)| !test.is_empty())
            .cloned()
            .collect();
        left.sort_unstable();
        let within = !left.is_empty();
        for (package, test) in left {
            let event = Event {
                action: String::new(),
                package,
                import_path: String::new(),
                test,
                elapsed: None,
                output: String::new(),
                failed_build: String::new(),
            };
            self.ended(event, Outcome::Error, output);
        }
        within
    }
}
