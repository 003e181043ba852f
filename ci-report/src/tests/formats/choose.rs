//! The reader of each format.

use crate::tests::Format;

use super::elements::Elements;
use super::junit::Junit;
use super::lines::Lines;
use super::tree::Tree;
use super::{TextFormat, XmlFormat};
use super::{boost, ctest, gotest, jest, mocha, nunit, tap, testng, trx, xunit};

/// The reader of a format that is XML.
pub(in crate::tests) fn xml(format: Format, limit: usize) -> Box<dyn XmlFormat> {
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

/// The reader of a format that is no XML.
pub(in crate::tests) fn text(format: Format, limit: usize) -> Box<dyn TextFormat> {
    match format {
        Format::GoTest => Box::new(Lines::new(gotest::GoTest::new(limit))),
        Format::Mocha => Box::new(Elements::new(mocha::Mocha)),
        Format::Jest => Box::new(Elements::new(jest::Jest)),
        _ => Box::new(Lines::new(tap::Tap::new(limit))),
    }
}
