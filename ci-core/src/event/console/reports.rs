//! The lines for test results and coverage.

use std::sync::Arc;

use crate::event::terminal::{Paint, Tone, one_line};
use crate::event::{CoverageTotals, GateOutcome, TestCounts, TestRecord};

/// More bad tests of one step than this are only counted.
const MOST_TESTS: usize = 10;
/// More gates that are not passed than this are only counted.
const MOST_GATES: usize = 10;

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
    let passed = gates.iter().filter(|gate| gate.passed);
    let missed: Vec<_> = gates.iter().filter(|gate| !gate.passed).collect();
    for gate in passed.chain(missed.iter().copied().take(MOST_GATES)) {
        let (sign, tone) = if gate.passed {
            ("✓", Tone::Good)
        } else {
            ("✗", Tone::Bad)
        };
        let sign = paint.tone(tone, sign);
        lines.push(format!("{sign} {}", one_line(&gate.message)));
    }
    if let Some(rest) = missed.len().checked_sub(MOST_GATES + 1) {
        lines.push(format!("and {} gates more that are not passed", rest + 1));
    }
    lines
}
