//! How the reports of a job are judged.

use serde::{Deserialize, Serialize};

use crate::event::FindingSeverity;

/// How the reports of a job are judged: which tests may fail, how much has to be covered, how good
/// values are, and which findings block. What is not set asks nothing.
///
/// Jobs are judged after their steps. A job that failed already stays as it is, but for one exception:
/// its command only ended with an exit code, nothing else of it was left out, and all tests that
/// failed are in [quarantine](Self::quarantine).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ReportRules {
    /// Whether tests that failed or broke fail the job, also where its commands hide it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_on_failed_tests: Option<bool>,
    /// The least coverage, of all shards of the job together.
    #[serde(skip_serializing_if = "CoverageRules::is_empty")]
    pub coverage: CoverageRules,
    /// How good the values are that the job measures.
    #[serde(skip_serializing_if = "MetricRules::is_empty")]
    pub metrics: MetricRules,
    /// Which findings of scanners and linters fail the job.
    #[serde(skip_serializing_if = "FindingRules::is_empty")]
    pub findings: FindingRules,
    /// Known flaky tests, whose failure does not fail the job: `class::name`, where `*` stands for any
    /// characters and `?` for one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quarantine: Vec<String>,
    /// A regular expression between slashes that finds the covered percentage in the job's output. The
    /// last line that matches counts, and in it the last group, or the first number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_pattern: Option<String>,
}

/// The least coverage of a job, in percent from 0 to 100.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CoverageRules {
    /// Of all lines.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "percent")]
    #[schemars(range(min = 0.0, max = 100.0))]
    pub lines: Option<f64>,
    /// Of all branches.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "percent")]
    #[schemars(range(min = 0.0, max = 100.0))]
    pub branches: Option<f64>,
    /// Of all functions.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "percent")]
    #[schemars(range(min = 0.0, max = 100.0))]
    pub functions: Option<f64>,
    /// Of the lines of each file.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "percent")]
    #[schemars(range(min = 0.0, max = 100.0))]
    pub file_lines: Option<f64>,
    /// Of the branches of each file.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "percent")]
    #[schemars(range(min = 0.0, max = 100.0))]
    pub file_branches: Option<f64>,
    /// Of the lines that differ from [`base`](Self::base).
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "percent")]
    #[schemars(range(min = 0.0, max = 100.0))]
    pub changed_lines: Option<f64>,
    /// The revision of git that changed lines are found by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// How good the values of a job are: against limits, and against what earlier runs measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MetricRules {
    /// What is asked of which values. Of all entries that fit a value, what a later one sets wins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<MetricRule>,
    /// The branch whose successful runs of the same workflow are compared with; `main` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// How many of these runs are compared with, the newest; 20 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub runs: Option<std::num::NonZeroU32>,
}

/// What is asked of a value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MetricRule {
    /// The value's name, where `*` stands for any characters and `?` for one. A name without these
    /// has to be measured.
    pub name: String,
    /// Which values are the better ones: `lower` (the default) or `higher`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub better: Option<BetterValues>,
    /// The worst value that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// By how many percent the value may be worse than the median of earlier runs. What is within three
    /// deviations of it passes: then earlier runs were as far off by accident.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "not_negative"
    )]
    #[schemars(range(min = 0.0))]
    pub regression: Option<f64>,
}

/// Which values are the better ones.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BetterValues {
    /// The lower ones: times and sizes.
    #[default]
    Lower,
    /// The higher ones: throughput.
    Higher,
}

/// Which findings of scanners and linters fail a job. Those of the baseline never do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct FindingRules {
    /// New findings this bad, or worse, fail the job: `info`, `low`, `medium`, `high` or `critical`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_at: Option<FindingSeverity>,
    /// Whether new findings that are less bad are let through; they are by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Warnings>,
    /// The file with the findings that are known, relative to the project, as
    /// `ci report findings --update-baseline` writes it. One that is not there has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
}

/// Whether findings that do not fail a job by themselves are let through.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Warnings {
    /// They are.
    #[default]
    Allowed,
    /// Every new finding fails the job.
    Denied,
}

fn not_negative<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<f64>, D::Error> {
    let number = Option::<f64>::deserialize(deserializer)?;
    match number {
        Some(number) if !(number >= 0.0 && number.is_finite()) => Err(serde::de::Error::custom(
            format_args!("`{number}` is no number from 0 on"),
        )),
        number => Ok(number),
    }
}

fn percent<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let percent = Option::<f64>::deserialize(deserializer)?;
    match percent {
        Some(percent) if !(0.0..=100.0).contains(&percent) => Err(serde::de::Error::custom(
            format_args!("`{percent}` is no percentage from 0 to 100"),
        )),
        percent => Ok(percent),
    }
}

impl ReportRules {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // Asked of every job that ran: no comparison with rules that are made for it.
        let Self {
            fail_on_failed_tests,
            coverage,
            metrics,
            findings,
            quarantine,
            coverage_pattern,
        } = self;
        fail_on_failed_tests.is_none()
            && quarantine.is_empty()
            && coverage_pattern.is_none()
            && coverage.is_empty()
            && metrics.is_empty()
            && findings.is_empty()
    }

    /// Takes what `other` sets over what is set here; their quarantines add up.
    pub fn merge(&mut self, other: &Self) {
        set(
            &mut self.fail_on_failed_tests,
            other.fail_on_failed_tests.as_ref(),
        );
        set(&mut self.coverage_pattern, other.coverage_pattern.as_ref());
        for test in &other.quarantine {
            if !self.quarantine.contains(test) {
                self.quarantine.push(test.clone());
            }
        }
        let (mine, theirs) = (&mut self.coverage, &other.coverage);
        set(&mut mine.lines, theirs.lines.as_ref());
        set(&mut mine.branches, theirs.branches.as_ref());
        set(&mut mine.functions, theirs.functions.as_ref());
        set(&mut mine.file_lines, theirs.file_lines.as_ref());
        set(&mut mine.file_branches, theirs.file_branches.as_ref());
        set(&mut mine.changed_lines, theirs.changed_lines.as_ref());
        set(&mut mine.base, theirs.base.as_ref());
        let (mine, theirs) = (&mut self.metrics, &other.metrics);
        mine.values.extend(theirs.values.iter().cloned());
        set(&mut mine.base, theirs.base.as_ref());
        set(&mut mine.runs, theirs.runs.as_ref());
        let (mine, theirs) = (&mut self.findings, &other.findings);
        set(&mut mine.fail_at, theirs.fail_at.as_ref());
        set(&mut mine.warnings, theirs.warnings.as_ref());
        set(&mut mine.baseline, theirs.baseline.as_ref());
    }

    /// Whether the test with this id (`class::name`) is in quarantine.
    #[must_use]
    pub fn is_quarantined(&self, test: &str) -> bool {
        let mut patterns = self.quarantine.iter();
        patterns.any(|pattern| crate::wildcard::fits(pattern, test))
    }
}

impl CoverageRules {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(
            self,
            Self {
                lines: None,
                branches: None,
                functions: None,
                file_lines: None,
                file_branches: None,
                changed_lines: None,
                base: None,
            }
        )
    }
}

impl MetricRules {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { values, base, runs } = self;
        values.is_empty() && base.is_none() && runs.is_none()
    }

    /// What all entries that fit a value ask of it together; `None` where none fits.
    #[must_use]
    pub fn of(&self, value: &str) -> Option<MetricRule> {
        let mut fitting = self.values.iter();
        let first = fitting.find(|rule| crate::wildcard::fits(&rule.name, value))?;
        let mut all = MetricRule {
            name: value.to_owned(),
            ..first.clone()
        };
        for rule in fitting.filter(|rule| crate::wildcard::fits(&rule.name, value)) {
            set(&mut all.better, rule.better.as_ref());
            set(&mut all.limit, rule.limit.as_ref());
            set(&mut all.regression, rule.regression.as_ref());
        }
        Some(all)
    }
}

impl FindingRules {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(
            self,
            Self {
                fail_at: None,
                warnings: None,
                baseline: None,
            }
        )
    }

    /// Whether there are findings that fail the job.
    #[must_use]
    pub fn may_fail(&self) -> bool {
        self.fail_at.is_some() || self.warnings == Some(Warnings::Denied)
    }
}

fn set<T: Clone>(mine: &mut Option<T>, theirs: Option<&T>) {
    if let Some(theirs) = theirs {
        *mine = Some(theirs.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_later_wins_and_quarantines_add_up() {
        let rules = |text: &str| serde_json::from_str::<ReportRules>(text).unwrap();
        let mut all = rules(
            r#"{"fail_on_failed_tests": true, "coverage": {"lines": 80, "branches": 60},
                "quarantine": ["a::*"]}"#,
        );
        all.merge(&rules(
            r#"{"coverage": {"lines": 90.5}, "quarantine": ["a::*", "b::c"]}"#,
        ));
        let expected = rules(
            r#"{"fail_on_failed_tests": true, "coverage": {"lines": 90.5, "branches": 60},
                "quarantine": ["a::*", "b::c"]}"#,
        );
        assert_eq!(all, expected);
        assert!(all.is_quarantined("a::x[1]") && all.is_quarantined("b::c"));
        assert!(!all.is_quarantined("b::cd"));
        assert!(rules("{}").is_empty() && !all.is_empty());
    }

    #[test]
    fn rules_for_values_add_up_and_later_ones_win() {
        let rules = |text: &str| serde_json::from_str::<ReportRules>(text).unwrap();
        let mut all = rules(
            r#"{"metrics": {"values": [{"name": "*", "regression": 10, "limit": 5}]},
                "findings": {"fail_at": "high", "baseline": "known.txt"}}"#,
        );
        all.merge(&rules(
            r#"{"metrics": {"values": [{"name": "rate*", "better": "higher", "limit": 7}], "base": "dev"},
                "findings": {"fail_at": "low"}}"#,
        ));
        let rate = all.metrics.of("rate_per_second").unwrap();
        assert_eq!((rate.limit, rate.regression), (Some(7.0), Some(10.0)));
        assert_eq!(rate.better, Some(BetterValues::Higher));
        assert_eq!(all.metrics.of("size").unwrap().limit, Some(5.0));
        assert_eq!(all.metrics.base.as_deref(), Some("dev"));
        assert_eq!(all.findings.fail_at, Some(FindingSeverity::Low));
        assert_eq!(all.findings.baseline.as_deref(), Some("known.txt"));
        assert!(all.findings.may_fail() && !rules("{}").findings.may_fail());
        assert_eq!(MetricRules::default().of("size"), None);
        let read = serde_json::from_str::<MetricRule>;
        assert!(read(r#"{"name": "a", "regression": -1}"#).is_err());
        assert!(read(r#"{"limit": 1}"#).is_err());
    }

    #[test]
    fn a_percentage_is_one() {
        let read = serde_json::from_str::<CoverageRules>;
        let error = read(r#"{"lines": 101}"#).unwrap_err().to_string();
        assert!(error.contains("`101` is no percentage"), "{error}");
        assert!(read(r#"{"line": 10}"#).is_err());
    }
}
