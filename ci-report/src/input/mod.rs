//! The bytes of a report to its text: unpacked, decoded, in pieces of bounded size.
//!
//! Every reader of reports begins here: it is a [`TextSink`], and an [`Input`] gives it text whatever
//! the bytes are in.

mod encoding;
mod gzip;
mod reader;
#[cfg(test)]
mod tests;

pub use reader::{Input, TextSink};
