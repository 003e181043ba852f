//! What was measured and what scanners found, as events, reports and stores tell it.

use std::fmt;

use serde::{Deserialize, Serialize};

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

/// How bad a finding is.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FindingSeverity {
    /// Worth knowing.
    Info,
    /// Hardly matters.
    Low,
    /// Matters; also what a tool does not rate.
    #[default]
    Medium,
    /// Matters much.
    High,
    /// Nothing is worse.
    Critical,
}

impl FindingSeverity {
    /// The name as JSON has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for FindingSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a scanner or a linter found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FindingRecord {
    /// How bad it is.
    pub severity: FindingSeverity,
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
    pub fn add(&mut self, severity: FindingSeverity) {
        *match severity {
            FindingSeverity::Critical => &mut self.critical,
            FindingSeverity::High => &mut self.high,
            FindingSeverity::Medium => &mut self.medium,
            FindingSeverity::Low => &mut self.low,
            FindingSeverity::Info => &mut self.info,
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
        counts.add(FindingSeverity::Low);
        assert_eq!(counts.to_string(), "1 finding: 1 low");
        counts.add(FindingSeverity::Critical);
        let mut twice = counts;
        twice.merge(&counts);
        assert_eq!(twice.to_string(), "4 findings: 2 critical, 2 low");
    }

    #[test]
    fn a_finding_is_one_line() {
        let mut finding = FindingRecord {
            severity: FindingSeverity::High,
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
