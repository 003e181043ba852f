//! The middle of several values, and how far they lie from it.

use serde::Serialize;

/// Makes the median absolute deviation comparable with a standard deviation, for values that are
/// normally distributed (1 / Φ⁻¹(3/4)).
const NORMAL: f64 = 1.4826;

/// The middle of several values, and how far they usually lie from it. One outlier moves neither.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The median absolute deviation, as a standard deviation.
    pub deviation: f64,
    /// How many values there are.
    pub count: usize,
}

impl Spread {
    /// Of these values; those that are no numbers are passed over. `None` where there is none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let values: Vec<f64> = values.iter().copied().filter(|it| it.is_finite()).collect();
        let middle = median(&values)?;
        let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
        Some(Self {
            median: middle,
            deviation: median(&distances).unwrap_or_default() * NORMAL,
            count: values.len(),
        })
    }
}

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The value below which a share of all values lies, between neighbours in a straight line.
pub(crate) fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place among values in memory, between 0 and the last"
    )]
    let (below, rest) = {
        let place = share.clamp(0.0, 1.0) * last as f64;
        (place as usize, place.fract())
    };
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    Some(low * (1.0 - rest) + high * rest)
}
