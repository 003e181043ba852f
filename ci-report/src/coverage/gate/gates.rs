//! The thresholds, and the judgement by them.

use super::super::model::{Coverage, FileCoverage};
use super::super::totals::Ratio;
use super::diff::ChangedLines;
use super::verdict::{Gate, GateResult, Verdict};

/// How much of the code must be covered, in percent. A threshold that is not set asks nothing.
///
/// A threshold is reached when the covered share is at least as large, without any rounding. Where
/// there is nothing to cover, every threshold is reached.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Gates {
    lines: Option<f64>,
    branches: Option<f64>,
    functions: Option<f64>,
    file_lines: Option<f64>,
    file_branches: Option<f64>,
    changed_lines: Option<f64>,
}

impl Gates {
    /// Asks nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// At least `percent` of all lines.
    #[must_use]
    pub fn lines(mut self, percent: f64) -> Self {
        self.lines = Some(percent);
        self
    }

    /// At least `percent` of all branches.
    #[must_use]
    pub fn branches(mut self, percent: f64) -> Self {
        self.branches = Some(percent);
        self
    }

    /// At least `percent` of all functions.
    #[must_use]
    pub fn functions(mut self, percent: f64) -> Self {
        self.functions = Some(percent);
        self
    }

    /// At least `percent` of the lines of each file.
    #[must_use]
    pub fn file_lines(mut self, percent: f64) -> Self {
        self.file_lines = Some(percent);
        self
    }

    /// At least `percent` of the branches of each file.
    #[must_use]
    pub fn file_branches(mut self, percent: f64) -> Self {
        self.file_branches = Some(percent);
        self
    }

    /// At least `percent` of the changed lines that can run.
    #[must_use]
    pub fn changed_lines(mut self, percent: f64) -> Self {
        self.changed_lines = Some(percent);
        self
    }

    /// Whether anything is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Judges `coverage`. `changed` says which lines have changed, with the paths of `coverage`; a
    /// gate on changed lines is not reached without it, because nobody could say that it is.
    pub fn check(&self, coverage: &Coverage, changed: Option<&ChangedLines>) -> Verdict {
        let totals = coverage.totals();
        let mut results = Vec::new();
        for (gate, threshold, ratio) in [
            (Gate::Lines, self.lines, totals.lines),
            (Gate::Branches, self.branches, totals.branches),
            (Gate::Functions, self.functions, totals.functions),
        ] {
            let judged = threshold.map(|threshold| GateResult::new(gate, threshold, ratio));
            results.extend(judged);
        }
        for (path, file) in coverage.files() {
            results.extend(self.check_file(path, file));
        }
        if let Some(threshold) = self.changed_lines {
            results.push(match changed {
                Some(changed) => changed_result(threshold, coverage, changed),
                None => GateResult::unknown(Gate::ChangedLines, threshold),
            });
        }
        Verdict::new(results)
    }

    /// The gates that a file does not reach; those that it does are too many to list.
    fn check_file(&self, path: &str, file: &FileCoverage) -> Vec<GateResult> {
        if self.file_lines.is_none() && self.file_branches.is_none() {
            return Vec::new();
        }
        let totals = file.totals();
        let both = [
            (Gate::FileLines, self.file_lines, totals.lines),
            (Gate::FileBranches, self.file_branches, totals.branches),
        ];
        let judged = both.into_iter().filter_map(|(gate, threshold, ratio)| {
            Some(GateResult::new(gate, threshold?, ratio).at(path))
        });
        judged.filter(|result| !result.passed()).collect()
    }
}

fn changed_result(threshold: f64, coverage: &Coverage, changed: &ChangedLines) -> GateResult {
    let mut sum = Ratio::default();
    let mut missed = Vec::new();
    for (path, ranges) in changed {
        let Some(file) = coverage.file(path) else {
            continue;
        };
        let mut ranges: Vec<_> = ranges.iter().collect();
        ranges.sort_by_key(|range| *range.start());
        let mut lines = file.lines().peekable();
        for range in ranges {
            while lines
                .next_if(|line| line.number() < *range.start())
                .is_some()
            {}
            while let Some(line) = lines.next_if(|line| line.number() <= *range.end()) {
                let Some(hits) = line.hits() else { continue };
                sum = sum.with(hits > 0);
                if hits == 0 {
                    missed.push((path.clone(), line.number()));
                }
            }
        }
    }
    GateResult::new(Gate::ChangedLines, threshold, sum).missing(missed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::{parse_diff, read};

    fn coverage() -> Coverage {
        let text = "SF:a.rs\nDA:1,1\nDA:2,1\nDA:3,0\nBRDA:1,0,0,1\nBRDA:1,0,1,-\nend_of_record\n\
                    SF:b.rs\nFN:1,f\nFNDA:1,f\nDA:1,4\nend_of_record\n";
        read(text.as_bytes()).unwrap().coverage
    }

    #[test]
    fn a_threshold_is_reached_exactly_or_not_at_all() {
        let coverage = coverage();
        assert!(Gates::new().lines(75.0).check(&coverage, None).passed());
        assert!(
            !Gates::new()
                .lines(75.000_001)
                .check(&coverage, None)
                .passed()
        );
        assert!(
            Gates::new()
                .functions(100.0)
                .check(&coverage, None)
                .passed()
        );
        assert!(!Gates::new().branches(50.1).check(&coverage, None).passed());
        assert!(
            Gates::new()
                .lines(100.0)
                .check(&Coverage::new(), None)
                .passed()
        );
        assert!(!Gates::new().lines(f64::NAN).check(&coverage, None).passed());
    }

    #[test]
    fn every_file_that_falls_short_is_named() {
        let verdict = Gates::new().file_lines(70.0).check(&coverage(), None);
        let names: Vec<_> = verdict.results().iter().map(|it| it.path()).collect();
        assert_eq!(names, [Some("a.rs")]);
        let text = "`a.rs`: 66.66 % of the lines are covered (2 of 3), less than 70 %\n";
        assert_eq!(verdict.to_string(), text);
    }

    #[test]
    fn changed_lines_are_judged_alone() {
        let diff = "+++ b/a.rs\n@@ -1,0 +2,2 @@\n+x\n+y\n+++ b/README\n@@ -1 +1 @@\n+z\n";
        let changed = parse_diff(diff);
        let verdict = Gates::new()
            .changed_lines(60.0)
            .check(&coverage(), Some(&changed));
        assert!(!verdict.passed());
        assert_eq!(verdict.results()[0].ratio(), Some(Ratio::new(1, 2)));
        assert_eq!(verdict.results()[0].missed(), [("a.rs".to_owned(), 3)]);
        assert!(
            Gates::new()
                .changed_lines(50.0)
                .check(&coverage(), Some(&changed))
                .passed()
        );
        assert!(
            !Gates::new()
                .changed_lines(0.0)
                .check(&coverage(), None)
                .passed()
        );
    }
}
