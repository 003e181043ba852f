//! Which format a report is in.

mod detect;
mod keys;

pub use detect::Format;
pub(super) use detect::detect;
