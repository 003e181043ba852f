//! What gates say, as data and in words.

use std::fmt;

use serde::Serialize;

use super::super::totals::Ratio;

/// What a gate is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Gate {
    /// All lines.
    Lines,
    /// All branches.
    Branches,
    /// All functions.
    Functions,
    /// The lines of one file.
    FileLines,
    /// The branches of one file.
    FileBranches,
    /// The lines that changed.
    ChangedLines,
}

impl Gate {
    /// What it counts, in words.
    fn noun(self) -> &'static str {
        match self {
            Self::Lines | Self::FileLines => "lines",
            Self::Branches | Self::FileBranches => "branches",
            Self::Functions => "functions",
            Self::ChangedLines => "changed lines",
        }
    }
}

/// What one gate says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateResult {
    gate: Gate,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// In percent.
    threshold: f64,
    actual: Option<Ratio>,
    passed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missed: Vec<(String, u32)>,
}

impl GateResult {
    pub(super) fn new(gate: Gate, threshold: f64, actual: Ratio) -> Self {
        Self {
            gate,
            path: None,
            threshold,
            actual: Some(actual),
            passed: actual.percent() >= threshold,
            missed: Vec::new(),
        }
    }

    pub(super) fn unknown(gate: Gate, threshold: f64) -> Self {
        Self {
            gate,
            path: None,
            threshold,
            actual: None,
            passed: false,
            missed: Vec::new(),
        }
    }

    pub(super) fn at(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    pub(super) fn missing(mut self, missed: Vec<(String, u32)>) -> Self {
        self.missed = missed;
        self
    }

    /// What it is about.
    pub fn gate(&self) -> Gate {
        self.gate
    }

    /// The file that it is about, if it is about one.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// What it asks, in percent.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// What there is; `None` when it could not be said.
    pub fn ratio(&self) -> Option<Ratio> {
        self.actual
    }

    /// Whether there is as much as it asks.
    pub fn passed(&self) -> bool {
        self.passed
    }

    /// Of a gate on changed lines: those that did not run, with their files.
    pub fn missed(&self) -> &[(String, u32)] {
        &self.missed
    }
}

impl fmt::Display for GateResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "`{path}`: ")?;
        }
        let (noun, threshold) = (self.gate.noun(), self.threshold);
        let Some(ratio) = self.actual else {
            return write!(
                f,
                "which are the {noun} is not known, {threshold} % are asked for"
            );
        };
        if ratio.total == 0 {
            return write!(
                f,
                "there are no {noun} to cover, {threshold} % are asked for"
            );
        }
        let verdict = if self.passed { "at least" } else { "less than" };
        let Ratio { covered, total } = ratio;
        let percent = ratio.percent_text();
        write!(
            f,
            "{percent} % of the {noun} are covered ({covered} of {total}), {verdict} {threshold} %"
        )
    }
}

/// What all gates say together. As text, a line each.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    passed: bool,
    results: Vec<GateResult>,
}

impl Verdict {
    pub(super) fn new(results: Vec<GateResult>) -> Self {
        let passed = results.iter().all(GateResult::passed);
        Self { passed, results }
    }

    /// Whether every gate is passed; also when there is none.
    pub fn passed(&self) -> bool {
        self.passed
    }

    /// What each gate says. Of the gates on files only those that are not passed are listed.
    pub fn results(&self) -> &[GateResult] {
        &self.results
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.results
            .iter()
            .try_for_each(|result| writeln!(f, "{result}"))
    }
}
