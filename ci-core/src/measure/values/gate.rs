//! Whether a value is good enough: against a limit, and against what earlier runs measured.

use serde::Serialize;

use super::{Measured, Spread};

/// With fewer earlier values nobody can say how far they usually lie apart.
const FEWEST: usize = 3;
/// How many deviations from the median a value has to be, to be no accident.
const DEVIATIONS: f64 = 3.0;

/// Which values are the better ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// The lower ones: times and sizes.
    #[default]
    Lower,
    /// The higher ones: throughput and coverage.
    Higher,
}

/// What is asked of a value.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Gate {
    /// Which values are the better ones.
    pub better: Better,
    /// The worst value that passes.
    pub limit: Option<f64>,
    /// By how many percent a value may be worse than the median of earlier runs.
    pub regression: Option<f64>,
}

/// What a gate says of a value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Judged {
    /// The value's name.
    pub name: String,
    /// The value.
    pub value: f64,
    /// The earlier values, if there are some.
    pub earlier: Option<Spread>,
    /// How many percent it is above the median of the earlier ones; negative below it.
    pub change: Option<f64>,
    /// Whether it is good enough.
    pub passed: bool,
    /// The same in words.
    pub message: String,
}

impl Gate {
    /// Asks nothing yet.
    #[must_use]
    pub fn new(better: Better) -> Self {
        Self {
            better,
            ..Self::default()
        }
    }

    /// Asks for a value no worse than `limit`.
    #[must_use]
    pub fn limit(mut self, limit: f64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Asks for a value no more than `percent` percent worse than the median of earlier runs. What is
    /// within three deviations of it passes: then earlier runs were as far off by accident.
    #[must_use]
    pub fn regression(mut self, percent: f64) -> Self {
        self.regression = Some(percent);
        self
    }

    /// Judges a value, given those of earlier runs.
    #[must_use]
    pub fn judge(&self, measured: &Measured, earlier: &[f64]) -> Judged {
        let value = measured.value;
        let earlier = Spread::of(earlier);
        let change = earlier.and_then(|it| {
            let change = (value - it.median) * 100.0 / it.median.abs();
            change.is_finite().then_some(change)
        });
        let (passed, message) = self.verdict(value, earlier);
        Judged {
            name: measured.name.clone(),
            value,
            earlier,
            change,
            passed,
            message,
        }
    }

    fn verdict(&self, value: f64, earlier: Option<Spread>) -> (bool, String) {
        // How much worse one value is than another: positive is worse.
        let worse = |value: f64, than: f64| match self.better {
            Better::Lower => value - than,
            Better::Higher => than - value,
        };
        if let Some(limit) = self.limit
            && worse(value, limit) > 0.0
        {
            return (false, format!("{value} is worse than the limit {limit}"));
        }
        let Some(percent) = self.regression else {
            return (true, "good enough".to_owned());
        };
        let Some(spread) = earlier.filter(|it| it.count >= FEWEST) else {
            let count = earlier.map_or(0, |it| it.count);
            let message = format!("{count} earlier runs have it, too few to compare with");
            return (true, message);
        };
        let allowed = (spread.median.abs() * percent / 100.0).max(DEVIATIONS * spread.deviation);
        let (median, count) = (spread.median, spread.count);
        if worse(value, median) > allowed {
            let words = format!(
                "{value} is worse than {median}, the median of {count} runs, by more than {allowed:.4}"
            );
            (false, words)
        } else {
            (
                true,
                format!("within {allowed:.4} of {median}, the median of {count} runs"),
            )
        }
    }
}
