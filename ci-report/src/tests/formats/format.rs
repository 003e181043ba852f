//! What a reader of a format is told.

use crate::tests::output::Output;
use crate::xml::{Mark, Tag};

/// A reader of a format that is XML. A tag that closes itself is an end as well.
pub(in crate::tests) trait XmlFormat: std::fmt::Debug + Send {
    fn start(&mut self, tag: &Tag<'_>, output: &mut Output<'_>);
    fn text(&mut self, text: &str);
    fn end(&mut self, name: &str, at: Mark<'_>, output: &mut Output<'_>);
    /// The text has ended; says whether that was in the middle of something.
    fn finish(&mut self, output: &mut Output<'_>) -> bool;
}

/// A reader of a format that is no XML.
pub(in crate::tests) trait TextFormat: std::fmt::Debug + Send {
    fn text(&mut self, text: &str, output: &mut Output<'_>);
    /// The text has ended; says whether that was in the middle of something.
    fn finish(&mut self, output: &mut Output<'_>) -> bool;
}
