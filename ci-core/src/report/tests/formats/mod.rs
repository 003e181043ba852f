//! The readers of the formats, each in a file of its own.

mod junit;

pub(super) use junit::Junit;

use super::output::Output;
use crate::report::xml::{Mark, Tag};

/// A reader of a format that is XML. A tag that closes itself is an end as well.
pub(super) trait XmlFormat: std::fmt::Debug {
    fn start(&mut self, tag: &Tag<'_>, output: &mut Output<'_>);
    fn text(&mut self, text: &str);
    fn end(&mut self, name: &str, at: Mark<'_>, output: &mut Output<'_>);
    /// The text has ended; says whether that was in the middle of something.
    fn finish(&mut self, output: &mut Output<'_>) -> bool;
}
