//! What runs measure beside passing and failing: findings of scanners, values, trends.
//!
//! Everything here is pure and works on bytes and numbers that the caller brings.
//!
//! | Module | What it is |
//! |---|---|
//! | [`findings`] | what scanners and linters found, in one form, judged against a baseline |
//! | [`values`] | numbers that tools write, judged against a limit and against earlier runs |
//! | [`trends`] | how the runs of each branch change over time |

pub mod findings;
pub mod trends;
pub mod values;
