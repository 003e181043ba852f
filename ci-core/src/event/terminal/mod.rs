//! Text for terminals: filtered, painted, measured in columns, with times and sizes for people.

mod human;
mod paint;
mod sanitize;
mod width;

pub(super) use human::bytes;
#[cfg(feature = "console")]
pub(super) use human::clock;
pub(crate) use human::precise;
pub(crate) use paint::mark_of;
pub(super) use paint::{Paint, Tone, mark};
pub use sanitize::Sanitizer;
pub(crate) use sanitize::one_line;
#[cfg(feature = "console")]
pub(super) use width::shorten;
pub(super) use width::{columns, fit};
