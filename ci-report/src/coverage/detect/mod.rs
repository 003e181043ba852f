//! Which format a report is in.

mod format;
mod keys;

pub use format::Format;
pub(super) use format::detect;
