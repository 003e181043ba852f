//! The Test Anything Protocol, versions 12 to 14.
//!
//! A test point after an indented subtest sums that up and is no test of its own, unless it fails
//! although nothing in the subtest did. A failing test that is to do counts as skipped.

use crate::DiagnosticKind;
use crate::tests::clip::Clip;
use crate::tests::output::Output;
use crate::tests::{Case, Outcome, Suite, TestResult, seconds};

use super::lines::{Line, LineFormat};

/// Subtests within each other that are told apart.
const DEEPEST: usize = 64;

/// Reads TAP.
#[derive(Debug)]
pub(super) struct Tap {
    /// The last test point, until it is known that no more is said of it.
    case: Option<Case>,
    /// What is said of it.
    said: Clip,
    /// The indent of the YAML block that is open.
    block: Option<usize>,
    /// The level of the test points being read, and those around it.
    levels: Vec<Level>,
}

/// One level of subtests.
#[derive(Debug, Default)]
struct Level {
    /// What the comment before it calls it.
    name: String,
    points: u64,
    failed: u64,
    plan: Option<u64>,
}

impl Tap {
    pub(super) fn new(limit: usize) -> Self {
        let said = Clip::new(limit);
        Self {
            case: None,
            said,
            block: None,
            levels: vec![Level::default()],
        }
    }

    /// Tells the last test point.
    fn flush(&mut self, output: &mut Output<'_>) {
        self.block = None;
        let said = self.said.take();
        let Some(mut case) = self.case.take() else {
            return;
        };
        if case.outcome.is_bad()
            && let Some(result) = case.results.first_mut()
        {
            result.body = said;
        }
        output.case(&mut case);
    }

    fn level(&mut self, indent: usize) -> usize {
        (indent / 4).min(self.levels.len()).min(DEEPEST)
    }

    fn point(&mut self, line: Line<'_>, indent: usize, output: &mut Output<'_>) {
        let Some((good, rest)) = test_point(line.text.trim()) else {
            return;
        };
        let level = self.level(indent);
        if level == self.levels.len() {
            self.levels.push(Level::default());
        }
        let inner = self
            .levels
            .get(level + 1)
            .map(|inner| (inner.points, inner.failed));
        self.levels.truncate(level + 1);
        let Some(here) = self.levels.last_mut() else {
            return;
        };
        here.points += 1;
        let case = case(good, rest);
        here.failed += u64::from(case.outcome.is_bad());
        if let Some((points, failed)) = inner
            && points > 0
            && (!case.outcome.is_bad() || failed > 0)
        {
            return;
        }
        let suite = here.name.clone();
        self.flush(output);
        self.case = Some(Case { suite, ..case });
    }

    fn plan(&mut self, text: &str, indent: usize) -> bool {
        let Some(plan) = text.strip_prefix("1..") else {
            return false;
        };
        let number = plan.split([' ', '#']).next().unwrap_or_default();
        let Ok(number) = number.parse() else {
            return false;
        };
        let level = self.level(indent);
        if level == self.levels.len() {
            self.levels.push(Level::default());
        }
        if let Some(level) = self.levels.get_mut(level) {
            level.plan = Some(number);
        }
        true
    }

    /// A line of a YAML block.
    fn yaml(&mut self, text: &str) {
        let trimmed = text.trim();
        let Some(case) = &mut self.case else { return };
        let (key, value) = trimmed.split_once(':').unwrap_or_default();
        let value = value.trim().trim_matches(['"', '\'']);
        match key {
            "duration_ms" => {
                case.time = seconds::parse(value).map(|time| time / 1000.0);
            }
            "message" | "error" if !value.is_empty() && !value.starts_with(['|', '>']) => {
                if let Some(result) = case.results.first_mut() {
                    result.message = value.into();
                }
            }
            _ => {}
        }
        self.said.push(text);
        self.said.push("\n");
    }

    fn bail_out(&mut self, reason: &str, output: &mut Output<'_>) {
        self.flush(output);
        let message = reason.trim().into();
        let problem = TestResult {
            outcome: Outcome::Error,
            message,
            ..TestResult::default()
        };
        let mut suite = Suite::new("");
        suite.problems.push(problem);
        output.lone_suite(suite);
    }
}

impl LineFormat for Tap {
    fn line(&mut self, line: Line<'_>, output: &mut Output<'_>) {
        let text = line.text.trim_end();
        let trimmed = text.trim_start();
        let indent = text.len() - trimmed.len();
        if let Some(block) = self.block {
            if trimmed == "..." && indent <= block {
                self.block = None;
            } else {
                self.yaml(text.get(block.min(indent)..).unwrap_or_default());
            }
        } else if trimmed == "---" && self.case.is_some() {
            self.block = Some(indent);
        } else if test_point(trimmed).is_some() {
            self.point(line, indent, output);
        } else if let Some(name) = trimmed.strip_prefix("# Subtest:") {
            // The comment stands before the subtest, as deep as that or as what is around it.
            let level = self.level(indent);
            let level = if indent == 0 || self.levels.len() > level {
                level + 1
            } else {
                level
            };
            self.levels.truncate(level.max(1));
            if self.levels.len() <= DEEPEST {
                let name = name.trim().to_owned();
                self.levels.push(Level {
                    name,
                    ..Level::default()
                });
            }
        } else if let Some(reason) = trimmed.strip_prefix("Bail out!") {
            self.bail_out(reason, output);
        } else if let Some(comment) = trimmed.strip_prefix('#') {
            if self.case.as_ref().is_some_and(|case| case.outcome.is_bad()) {
                self.said.push(comment.strip_prefix(' ').unwrap_or(comment));
                self.said.push("\n");
            }
        } else {
            self.plan(trimmed, indent);
        }
        if let Some(outer) = self.levels.first()
            && let Some(plan) = outer.plan
            && outer.points == plan + 1
            && indent == 0
            && test_point(trimmed).is_some()
        {
            let message = format!("there are more tests than the {plan} of the plan");
            output.diagnostic(line.diagnostic(DiagnosticKind::Totals, message));
        }
    }

    fn finish(&mut self, output: &mut Output<'_>) -> bool {
        let within = self.block.is_some();
        self.flush(output);
        let outer = self.levels.first();
        let missing = outer.is_some_and(|outer| outer.plan.is_some_and(|plan| outer.points < plan));
        within || missing
    }
}

/// Whether a line is a test point: whether it is good, and what follows.
fn test_point(text: &str) -> Option<(bool, &str)> {
    let (good, rest) = match text.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, text.strip_prefix("ok")?),
    };
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then_some((good, rest.trim_start()))
}

/// Whether a line is one that only TAP has.
pub(in crate::tests) fn is_tap(line: &str) -> bool {
    let plan = |plan: &str| plan.starts_with(|c: char| c.is_ascii_digit());
    line.starts_with("TAP version ")
        || line.strip_prefix("1..").is_some_and(plan)
        || test_point(line).is_some_and(|(_, rest)| {
            rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        })
}

fn case(good: bool, rest: &str) -> Case {
    let rest = rest
        .trim_start_matches(|c: char| c.is_ascii_digit())
        .trim_start();
    let rest = rest.strip_prefix("- ").unwrap_or(rest);
    let (name, directive) = match rest
        .rfind(" #")
        .or_else(|| rest.starts_with('#').then_some(0))
    {
        Some(at) => {
            let (name, directive) = rest.split_at(at);
            (
                name.trim(),
                directive.trim_start().trim_start_matches('#').trim(),
            )
        }
        None => (rest.trim(), ""),
    };
    let mut case = Case::new("", name.replace("\\#", "#"));
    let word = directive
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let todo = word.starts_with("todo");
    let skip = word.starts_with("skip");
    case.outcome = match (good, todo, skip) {
        (_, _, true) | (false, true, _) => Outcome::Skipped,
        (true, ..) => Outcome::Passed,
        (false, ..) => Outcome::Failed,
    };
    if let Some(time) = directive.strip_prefix("time=") {
        case.time = seconds::parse(time);
    } else if !todo && !skip && !directive.is_empty() {
        // A number sign that is no directive belongs to the name.
        rest.trim().clone_into(&mut case.name);
    }
    if case.outcome != Outcome::Passed {
        let reason = if todo || skip {
            directive.get(word.len()..)
        } else {
            None
        };
        let message = reason.unwrap_or_default().trim().into();
        case.results.push(TestResult {
            outcome: case.outcome,
            message,
            ..TestResult::default()
        });
    }
    case
}
