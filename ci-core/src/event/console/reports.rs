//! The lines for test results, coverage, values and findings.

use std::sync::Arc;

use crate::event::terminal::{Paint, Tone, one_line};
use crate::event::{
    CoverageTotals, FindingRecord, GateOutcome, MetricGate, TestCounts, TestRecord,
};

/// More bad tests of one step than this are only counted.
const MOST_TESTS: usize = 10;
/// More gates that are not passed than this are only counted.
const MOST_GATES: usize = 10;
/// More findings that block than this are only counted.
const MOST_FINDINGS: usize = 10;

/// The tests of a step: counted, and the bad ones. Warnings tell of files that could not be read.
pub(super) fn tests(paint: Paint, counts: &TestCounts, failed: &[TestRecord]) -> Vec<String> {
    let (sign, tone) = if failed.iter().any(|test| !test.quarantined) {
        ("✗", Tone::Bad)
    } else {
        ("✓", Tone::Good)
    };
    let mut lines = vec![format!("{} {counts}", paint.tone(tone, sign))];
    for test in failed.iter().take(MOST_TESTS) {
        let why = test.message.as_deref().map(one_line).unwrap_or_default();
        let gap = if why.is_empty() { "" } else { ": " };
        let note = if test.quarantined {
            " (in quarantine)"
        } else {
            ""
        };
        let name = one_line(&test.id());
        lines.push(format!("  {name}{note}{gap}{why}"));
    }
    if let Some(rest) = failed.len().checked_sub(MOST_TESTS + 1) {
        lines.push(format!("  and {} more", rest + 1));
    }
    lines
}

/// The coverage of a step.
pub(super) fn coverage(totals: &CoverageTotals) -> String {
    format!("coverage: {totals}")
}

/// What the gates say, each in a line.
pub(super) fn judged(paint: Paint, shards: &[Arc<str>], gates: &[GateOutcome]) -> Vec<String> {
    let mut lines = Vec::new();
    if shards.len() > 1 {
        lines.push(format!("coverage of {} shards together:", shards.len()));
    }
    let gates = gates
        .iter()
        .map(|gate| (gate.passed, one_line(&gate.message)));
    lines.extend(verdicts(paint, gates));
    lines
}

/// The values of a step.
pub(super) fn metrics(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} value{plural} measured")
}

/// What is said of values, each in a line.
pub(super) fn metrics_judged(paint: Paint, gates: &[MetricGate]) -> Vec<String> {
    let words = |gate: &MetricGate| {
        let name = one_line(&gate.name);
        (gate.passed, format!("{name}: {}", one_line(&gate.message)))
    };
    verdicts(paint, gates.iter().map(words))
}

/// What is said of findings, and those that block.
pub(super) fn findings_judged(
    paint: Paint,
    passed: bool,
    message: &str,
    blocking: &[FindingRecord],
) -> Vec<String> {
    let mut lines = verdicts(paint, std::iter::once((passed, one_line(message))));
    let named = blocking.iter().take(MOST_FINDINGS);
    lines.extend(named.map(|it| format!("  {}", one_line(&it.to_string()))));
    if let Some(rest) = blocking.len().checked_sub(MOST_FINDINGS + 1) {
        lines.push(format!("  and {} more", rest + 1));
    }
    lines
}

/// A line for each gate, those that are passed first.
fn verdicts(paint: Paint, gates: impl Iterator<Item = (bool, String)>) -> Vec<String> {
    let (passed, missed): (Vec<_>, Vec<_>) = gates.partition(|(passed, _)| *passed);
    let mut lines = Vec::new();
    for (passed, message) in passed.iter().chain(missed.iter().take(MOST_GATES)) {
        let (sign, tone) = if *passed {
            ("✓", Tone::Good)
        } else {
            ("✗", Tone::Bad)
        };
        lines.push(format!("{} {message}", paint.tone(tone, sign)));
    }
    if let Some(rest) = missed.len().checked_sub(MOST_GATES + 1) {
        lines.push(format!("and {} gates more that are not passed", rest + 1));
    }
    lines
}
