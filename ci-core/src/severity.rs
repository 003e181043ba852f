//! How bad a finding is, as both reports and events say it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(
    feature = "engine",
    derive(schemars::JsonSchema),
    schemars(rename = "FindingSeverity")
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
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

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Self; 5] = [
        Self::Info,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

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

    /// What a tool calls it; `None` for words that no tool uses.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "info" | "none" | "note" | "style" | "convention" => Self::Info,
            "low" | "minor" | "refactor" => Self::Low,
            "medium" | "moderate" | "warning" | "major" | "undefined" | "unknown" => Self::Medium,
            "high" | "error" => Self::High,
            "critical" | "blocker" | "fatal" => Self::Critical,
            _ => return None,
        })
    }

    /// What a CVSS score comes to, by the bands of CVSS 3.1 (section 5).
    #[must_use]
    pub fn from_score(score: f64) -> Self {
        match score {
            score if score >= 9.0 => Self::Critical,
            score if score >= 7.0 => Self::High,
            score if score >= 4.0 => Self::Medium,
            score if score > 0.0 => Self::Low,
            _ => Self::Info,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|it| it.as_str() == text);
        found.ok_or_else(|| {
            format!("`{text}` is no severity; there are info, low, medium, high and critical")
        })
    }
}
