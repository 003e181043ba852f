//! Sums of coverage: how many of how many, and in percent.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

/// How many of a number of lines, branches or functions are covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ratio {
    /// How many ran; never more than `total`.
    pub covered: u64,
    /// How many there are.
    pub total: u64,
}

impl Ratio {
    /// `covered` of `total`; what is covered beyond `total` is left away.
    pub fn new(covered: u64, total: u64) -> Self {
        let covered = covered.min(total);
        Self { covered, total }
    }

    /// How many did not run.
    pub fn missed(self) -> u64 {
        self.total - self.covered.min(self.total)
    }

    /// The share that is covered, from 0 to 100; 100 when there is nothing to cover.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a percentage needs no more than 53 bits"
    )]
    pub fn percent(self) -> f64 {
        if self.total == 0 {
            return 100.0;
        }
        self.covered as f64 * 100.0 / self.total as f64
    }

    /// The [percentage](Self::percent) with two decimals, rounded down, so that only what is wholly
    /// covered reads as 100.
    pub fn percent_text(self) -> String {
        if self.total == 0 {
            return "100.00".to_owned();
        }
        let hundredths = u128::from(self.covered) * 10_000 / u128::from(self.total);
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    }

    pub(super) fn with(self, covered: bool) -> Self {
        self.plus(Self::new(u64::from(covered), 1))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            covered: self.covered.saturating_add(other.covered),
            total: self.total.saturating_add(other.total),
        }
    }

    /// This one, or `other` when there is nothing in it.
    pub(super) fn or(self, other: Self) -> Self {
        if self.total == 0 { other } else { self }
    }

    /// The one that says more: of more, and more covered.
    pub(super) fn larger(self, other: Self) -> Self {
        let key = |it: Self| (it.total, it.covered);
        if key(self) >= key(other) { self } else { other }
    }
}

/// Writes `covered`, `total` and `percent`.
impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Ratio", 3)?;
        object.serialize_field("covered", &self.covered)?;
        object.serialize_field("total", &self.total)?;
        object.serialize_field("percent", &self.percent())?;
        object.end()
    }
}

/// Sums of lines, branches and functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub struct Totals {
    /// Lines that can run.
    pub lines: Ratio,
    /// Ways that the code can go.
    pub branches: Ratio,
    /// Functions.
    pub functions: Ratio,
}

impl Totals {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            lines: self.lines.plus(other.lines),
            branches: self.branches.plus(other.branches),
            functions: self.functions.plus(other.functions),
        }
    }

    pub(super) fn larger(self, other: Self) -> Self {
        Self {
            lines: self.lines.larger(other.lines),
            branches: self.branches.larger(other.branches),
            functions: self.functions.larger(other.functions),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wholly_covered_reads_as_100() {
        assert_eq!(Ratio::new(99_999, 100_000).percent_text(), "99.99");
        assert_eq!(Ratio::new(3, 3).percent_text(), "100.00");
        assert_eq!(Ratio::new(0, 0).percent_text(), "100.00");
        assert_eq!(Ratio::new(2, 3).percent_text(), "66.66");
    }

    #[test]
    fn a_ratio_never_covers_more_than_there_is() {
        assert_eq!(Ratio::new(5, 3), Ratio::new(3, 3));
        assert_eq!(Ratio::new(5, 3).missed(), 0);
    }
}
