//! What a stage spent of its time budget.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{one_line, seconds};

/// What a stage spent of its time budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct BudgetReport {
    /// The stage.
    pub stage: Arc<str>,
    /// The budget, in seconds.
    #[serde(with = "seconds")]
    #[schemars(with = "f64", range(min = 0))]
    pub limit: Duration,
    /// From the first start of a job of the stage to the last end, in seconds.
    #[serde(with = "seconds")]
    #[schemars(with = "f64", range(min = 0))]
    pub spent: Duration,
}

impl BudgetReport {
    pub(crate) fn new(stage: Arc<str>, limit: Duration, spent: Duration) -> Self {
        Self {
            stage,
            limit,
            spent,
        }
    }

    /// The share of the budget that was spent; above 1 is over it.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.spent.as_secs_f64() / self.limit.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Whether the budget was used up. Where that fails, jobs are stopped the moment it is.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.spent >= self.limit
    }

    /// `0:42 of 5:00 (14%)`, with a word where it is over.
    pub(crate) fn amounts(&self) -> String {
        // Rounded down: 100% is over.
        let percent = self.spent.as_millis() * 100 / self.limit.as_millis().max(1);
        let (spent, limit) = (minutes(self.spent), minutes(self.limit));
        let over = if self.is_over() { ", over" } else { "" };
        format!("{spent} of {limit} ({percent}%){over}")
    }
}

/// `budget of stage fast: 0:42 of 5:00 (14%)`.
impl fmt::Display for BudgetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = one_line(&self.stage);
        write!(f, "budget of stage {stage}: {}", self.amounts())
    }
}

/// A duration as clocks show it: `0:42`, `5:00`, `1:02:03`.
fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(limit: u64, spent: u64) -> String {
        let millis = Duration::from_millis;
        BudgetReport::new("fa\nst".into(), millis(limit), millis(spent)).to_string()
    }

    #[test]
    fn a_budget_in_words() {
        for (limit, spent, expected) in [
            (300_000, 42_900, "0:42 of 5:00 (14%)"),
            (300_000, 299_999, "4:59 of 5:00 (99%)"),
            (300_000, 300_000, "5:00 of 5:00 (100%), over"),
            (300_000, 370_000, "6:10 of 5:00 (123%), over"),
            (7_200_000, 3_723_000, "1:02:03 of 2:00:00 (51%)"),
            (0, 10, "0:00 of 0:00 (1000%), over"),
        ] {
            let words = words(limit, spent);
            let rest = words.strip_prefix("budget of stage ").unwrap();
            let (stage, amounts) = rest.split_once(": ").unwrap();
            assert_eq!(amounts, expected);
            assert!(!stage.contains('\n'), "{stage:?}");
        }
    }
}
