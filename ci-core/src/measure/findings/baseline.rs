//! The findings that were there before: a file of lines, so that a review shows what comes and goes.

use std::collections::BTreeMap;

use super::Finding;

/// The findings that are known and do not block, by their [key](Finding::key), each as often as it may
/// occur.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baseline {
    counts: BTreeMap<String, usize>,
}

impl Baseline {
    /// The baseline that has these findings.
    #[must_use]
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut counts = BTreeMap::new();
        for finding in findings {
            *counts.entry(finding.key()).or_default() += 1;
        }
        Self { counts }
    }

    /// Reads a file: a finding a line; empty lines and those that begin with `# ` say nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut counts = BTreeMap::new();
        let lines = text.lines().map(str::trim_end);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with("# ")) {
            *counts.entry(line.to_owned()).or_default() += 1;
        }
        Self { counts }
    }

    /// The file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from(
            "# Findings that are known and do not block. Written by `ci report findings`.\n",
        );
        for (key, count) in &self.counts {
            for _ in 0..*count {
                text.push_str(key);
                text.push('\n');
            }
        }
        text
    }

    /// Tells new findings from known ones: of findings that look alike as many are known as the
    /// baseline has.
    pub(super) fn split<'a>(
        &self,
        findings: &'a [Finding],
    ) -> (Vec<&'a Finding>, Vec<&'a Finding>) {
        let mut left = self.counts.clone();
        findings.iter().partition(|finding| {
            let count = left.get_mut(&finding.key());
            match count.filter(|count| **count > 0) {
                Some(count) => {
                    *count -= 1;
                    false
                }
                None => true,
            }
        })
    }
}
