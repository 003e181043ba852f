//! Text for terminals: filtered, painted, measured in columns, with times and sizes for people.

mod human;
mod paint;
mod sanitize;
mod width;

#[cfg(feature = "console")]
pub(super) use human::clock;
pub(super) use human::{bytes, precise};
pub(super) use paint::{Paint, Tone, mark};
pub use sanitize::Sanitizer;
pub(super) use sanitize::one_line;
#[cfg(feature = "console")]
pub(super) use width::shorten;
pub(super) use width::{columns, fit};
