//! Which findings block.

use std::fmt;

use serde::Serialize;

use super::{Baseline, Finding, Severity};

/// Which findings block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// New findings this bad, or worse, block.
    pub fail_at: Severity,
    /// Whether less bad new findings are let through. They are by default.
    pub warnings_allowed: bool,
}

/// What a policy says of findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Verdict<'a> {
    /// New ones that block by themselves.
    pub blocking: Vec<&'a Finding>,
    /// New ones that are less bad.
    pub warnings: Vec<&'a Finding>,
    /// Those of the baseline.
    pub known: Vec<&'a Finding>,
    /// Whether warnings are let through.
    pub warnings_allowed: bool,
}

impl Policy {
    /// New findings as bad as `fail_at` block, others are allowed.
    #[must_use]
    pub const fn new(fail_at: Severity) -> Self {
        Self {
            fail_at,
            warnings_allowed: true,
        }
    }

    /// Makes every new finding block.
    #[must_use]
    pub const fn deny_warnings(mut self) -> Self {
        self.warnings_allowed = false;
        self
    }

    /// Judges findings against those that are known.
    #[must_use]
    pub fn judge<'a>(&self, findings: &'a [Finding], known: &Baseline) -> Verdict<'a> {
        let (new, known) = known.split(findings);
        let is_blocking = |finding: &&Finding| finding.severity >= self.fail_at;
        let (mut blocking, mut warnings): (Vec<_>, Vec<_>) = new.into_iter().partition(is_blocking);
        for list in [&mut blocking, &mut warnings] {
            list.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        }
        Verdict {
            blocking,
            warnings,
            known,
            warnings_allowed: self.warnings_allowed,
        }
    }
}

impl Verdict<'_> {
    /// Whether nothing blocks.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.blocking.is_empty() && (self.warnings_allowed || self.warnings.is_empty())
    }
}

impl fmt::Display for Verdict<'_> {
    /// `2 new findings block, 1 warning, 3 known`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (blocking, warnings) = (self.blocking.len(), self.warnings.len());
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let verb = if blocking == 1 { "blocks" } else { "block" };
        write!(f, "{blocking} new finding{} {verb}, ", plural(blocking))?;
        let note = if self.warnings_allowed || warnings == 0 {
            ""
        } else {
            ", which are not allowed"
        };
        write!(
            f,
            "{warnings} warning{}{note}, {} known",
            plural(warnings),
            self.known.len()
        )
    }
}
