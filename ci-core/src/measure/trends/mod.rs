//! How runs of each branch change over time: how long they take and wait, how many pass, what they
//! cover and measure.

mod plot;
mod series;
#[cfg(test)]
mod tests;

pub use plot::svg;
pub use series::{BranchTrend, Point, Series, trends};
