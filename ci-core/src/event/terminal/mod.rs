//! Text for terminals: filtered, painted, measured in columns, with times and sizes for people.

mod human;
mod paint;
mod sanitize;
mod width;

pub(super) use human::{bytes, clock, precise};
pub(super) use paint::{Paint, Tone, mark};
pub use sanitize::Sanitizer;
pub(super) use sanitize::one_line;
pub(super) use width::{columns, fit, shorten};
