//! What was measured and what scanners found, as events, reports and stores tell it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::severity::Severity;

/// A value that a job measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MetricValue {
    /// Its name, with labels as the `OpenMetrics` form writes them.
    pub name: String,
    /// The value, a number.
    pub value: f64,
    /// Its unit, where that is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// What is said of a value that rules ask something of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MetricGate {
    /// The value's name.
    pub name: String,
    /// The value; nothing where a rule names one that was not measured.
    pub value: Option<f64>,
    /// The median of the earlier values; nothing where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median: Option<f64>,
    /// How far the earlier values usually lie from it: the median absolute deviation, as a standard
    /// deviation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
    /// How many earlier values there are.
    pub earlier: u64,
    /// How many percent the value is above their median; negative below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<f64>,
    /// Whether it is good enough.
    pub passed: bool,
    /// The same in words.
    pub message: String,
}

/// What a scanner or a linter found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FindingRecord {
    /// How bad it is.
    pub severity: Severity,
    /// The rule by the name that the tool gives it, or the advisory's.
    pub rule: String,
    /// The file with its line, or the package; empty where the report says neither.
    pub place: String,
    /// What it is, in the words of the tool.
    pub message: String,
    /// Who found it.
    pub tools: Vec<String>,
}

impl fmt::Display for FindingRecord {
    /// `high B602 src/run.py:12: subprocess call with shell=True`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.severity, self.rule)?;
        if !self.place.is_empty() {
            write!(f, " {}", self.place)?;
        }
        write!(f, ": {}", self.message.lines().next().unwrap_or_default())
    }
}

/// Findings counted by how bad they are.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct FindingCounts {
    /// Nothing is worse.
    pub critical: u64,
    /// They matter much.
    pub high: u64,
    /// They matter, or the tool does not rate them.
    pub medium: u64,
    /// They hardly matter.
    pub low: u64,
    /// Worth knowing.
    pub info: u64,
}

impl FindingCounts {
    /// Counts a finding.
    pub fn add(&mut self, severity: Severity) {
        *match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Info => &mut self.info,
        } += 1;
    }

    /// Adds counts of other findings.
    pub fn merge(&mut self, other: &Self) {
        self.critical += other.critical;
        self.high += other.high;
        self.medium += other.medium;
        self.low += other.low;
        self.info += other.info;
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.critical + self.high + self.medium + self.low + self.info
    }
}

impl fmt::Display for FindingCounts {
    /// `3 findings: 1 high, 2 low`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        let plural = if total == 1 { "" } else { "s" };
        write!(f, "{total} finding{plural}")?;
        let mut gap = ": ";
        for (count, word) in [
            (self.critical, "critical"),
            (self.high, "high"),
            (self.medium, "medium"),
            (self.low, "low"),
            (self.info, "info"),
        ] {
            if count > 0 {
                write!(f, "{gap}{count} {word}")?;
                gap = ", ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short_in_words() {
        let mut counts = FindingCounts::default();
        assert_eq!(counts.to_string(), "0 findings");
        counts.add(Severity::Low);
        assert_eq!(counts.to_string(), "1 finding: 1 low");
        counts.add(Severity::Critical);
        let mut twice = counts;
        twice.merge(&counts);
        assert_eq!(twice.to_string(), "4 findings: 2 critical, 2 low");
    }

    #[test]
    fn a_finding_is_one_line() {
        let mut finding = FindingRecord {
            severity: Severity::High,
            rule: "B602".into(),
            place: "run.py:12".into(),
            message: "shell=True\nmore".into(),
            tools: vec!["bandit".into()],
        };
        assert_eq!(finding.to_string(), "high B602 run.py:12: shell=True");
        finding.place.clear();
        assert_eq!(finding.to_string(), "high B602: shell=True");
    }
}
