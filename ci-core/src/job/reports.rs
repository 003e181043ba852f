//! How the test and coverage reports of a job are judged.

use serde::{Deserialize, Serialize};

/// How the reports of a job are judged: which tests may fail, and how much has to be covered. What is
/// not set asks nothing.
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
        *self == Self::default()
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
        *self == Self::default()
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
    fn a_percentage_is_one() {
        let read = serde_json::from_str::<CoverageRules>;
        let error = read(r#"{"lines": 101}"#).unwrap_err().to_string();
        assert!(error.contains("`101` is no percentage"), "{error}");
        assert!(read(r#"{"line": 10}"#).is_err());
    }
}
