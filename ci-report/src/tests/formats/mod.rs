//! The readers of the formats, each in a file of its own.

mod boost;
mod ctest;
mod elements;
mod gotest;
mod jest;
mod junit;
mod lines;
mod mocha;
mod nunit;
mod tap;
mod testng;
mod tree;
mod trx;
mod xunit;

#[cfg(test)]
mod tests;

use super::Format;
use super::output::Output;
use crate::xml::{Mark, Tag};
use elements::Elements;
use junit::Junit;
pub(super) use junit::stated;
use lines::Lines;
pub(super) use tap::is_tap;
use tree::Tree;

/// A reader of a format that is XML. A tag that closes itself is an end as well.
pub(super) trait XmlFormat: std::fmt::Debug + Send {
    fn start(&mut self, tag: &Tag<'_>, output: &mut Output<'_>);
    fn text(&mut self, text: &str);
    fn end(&mut self, name: &str, at: Mark<'_>, output: &mut Output<'_>);
    /// The text has ended; says whether that was in the middle of something.
    fn finish(&mut self, output: &mut Output<'_>) -> bool;
}

/// The reader of a format that is XML.
pub(super) fn xml(format: Format, limit: usize) -> Box<dyn XmlFormat> {
    let dialect = match format {
        Format::Trx => trx::node,
        Format::Xunit => xunit::node,
        Format::Nunit2 | Format::Nunit3 => nunit::node,
        Format::TestNg => testng::node,
        Format::Ctest => ctest::node,
        Format::Boost => boost::node,
        _ => return Box::new(Junit::new(limit)),
    };
    Box::new(Tree::new(dialect, limit))
}

/// A reader of a format that is no XML.
pub(super) trait TextFormat: std::fmt::Debug + Send {
    fn text(&mut self, text: &str, output: &mut Output<'_>);
    /// The text has ended; says whether that was in the middle of something.
    fn finish(&mut self, output: &mut Output<'_>) -> bool;
}

/// The reader of a format that is no XML.
pub(super) fn text(format: Format, limit: usize) -> Box<dyn TextFormat> {
    match format {
        Format::GoTest => Box::new(Lines::new(gotest::GoTest::new(limit))),
        Format::Mocha => Box::new(Elements::new(mocha::Mocha)),
        Format::Jest => Box::new(Elements::new(jest::Jest)),
        _ => Box::new(Lines::new(tap::Tap::new(limit))),
    }
}
