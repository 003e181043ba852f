//! A finding, whoever found it.

use std::fmt;

use serde::Serialize;

use crate::severity::Severity;

/// What a scanner or a linter found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Who found it; several tools after [`merge`](super::merge).
    pub tools: Vec<String>,
    /// The rule by the name that the tool gives it, such as `B602`, or the advisory's.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in the words of the tool.
    pub message: String,
    /// The file, as the report has it.
    pub path: Option<String>,
    /// The line, from 1.
    pub line: Option<u64>,
    /// The package with its version, of a finding about a dependency.
    pub package: Option<String>,
    /// Names that other tools know it by: CVE, GHSA, PYSEC and CWE numbers.
    pub aliases: Vec<String>,
}

impl Finding {
    /// The file with its line, or the package; empty where the report says neither.
    #[must_use]
    pub fn place(&self) -> String {
        match (&self.path, self.line, &self.package) {
            (Some(path), Some(line), _) => format!("{path}:{line}"),
            (Some(path), None, _) => path.clone(),
            (None, _, package) => package.clone().unwrap_or_default(),
        }
    }

    /// What stays the same when lines move: the rule, the place and the words without their numbers.
    #[must_use]
    pub fn key(&self) -> String {
        let place = self.path.as_ref().or(self.package.as_ref());
        let place = place.map_or("", |place| place.strip_prefix("./").unwrap_or(place));
        let known_by = format!("{} {place} ", self.rule);
        let exact = known_by.chars().map(|letter| (letter, false));
        let words = self.message.chars().map(|letter| (letter, true));
        let mut key = String::with_capacity(known_by.len() + self.message.len());
        let mut last = ' ';
        for (letter, masked) in exact.chain(words) {
            let plain = match letter {
                letter if masked && letter.is_ascii_digit() => '#',
                letter if letter.is_whitespace() || letter.is_control() => ' ',
                letter => letter,
            };
            // Runs of spaces, and of numbers among the words, count once.
            if !(plain == last && (plain == ' ' || masked && plain == '#')) {
                key.push(plain);
            }
            last = plain;
        }
        key.trim_end().to_owned()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.severity, self.rule)?;
        let place = self.place();
        if !place.is_empty() {
            write!(f, " {place}")?;
        }
        write!(f, ": {}", self.message.lines().next().unwrap_or_default())
    }
}

/// A form of report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Format {
    /// SARIF 2.1.0 (OASIS).
    Sarif,
    /// `bandit -f json`.
    Bandit,
    /// `safety check --json` and `safety scan --output json`.
    Safety,
    /// `pip-audit -f json`.
    PipAudit,
    /// GitLab's code quality report, a part of Code Climate's.
    CodeQuality,
    /// GitLab's security reports: SAST, secret detection, dependency scanning and alike.
    GitLabSecurity,
}

/// What a report has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The form it is in.
    pub format: Format,
    /// The findings, as they stand there.
    pub findings: Vec<Finding>,
    /// What could not be understood, the first twenty things, each with the place in the document.
    pub warnings: Vec<String>,
}
