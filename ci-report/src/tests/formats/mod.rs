//! The readers of the formats, each in a file of its own.

mod boost;
mod choose;
mod ctest;
mod elements;
mod format;
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

pub(super) use choose::{text, xml};
pub(super) use format::{TextFormat, XmlFormat};
pub(super) use junit::stated;
pub(super) use tap::is_tap;
