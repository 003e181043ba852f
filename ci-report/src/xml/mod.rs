//! XML as reports have it: a tokenizer in constant memory that goes on after damage.
//!
//! The [`Tokenizer`] is pushed text and calls a [`Sink`] with start tags, text and end tags, all
//! borrowed. It keeps no tree and no stack, never waits for the end of a long text, and expands no
//! entity that the document defines: a document type is skipped. Where the text is cut into pieces
//! makes no difference but to where long texts are cut.
//!
//! ```
//! use ci_report::xml::{Event, tokenize};
//!
//! let mut names = Vec::new();
//! let diagnostics = tokenize(b"<suite name='a &amp; b'><case/></suite>", |event| {
//!     if let Event::Start(tag) = event {
//!         names.push((tag.name().to_owned(), tag.get("name").map(str::to_owned)));
//!     }
//! });
//! assert_eq!(names[0], ("suite".to_owned(), Some("a & b".to_owned())));
//! assert_eq!(names[1], ("case".to_owned(), None));
//! assert!(diagnostics.is_empty());
//! ```
//!
//! What other parsers refuse and this one reads, with a [diagnostic](super::Diagnostic) where it is
//! damage: several documents in one text, blanks before the first, `<` in values and in text where
//! no tag begins, bare `&`, values without quotes, attributes twice (the first is it), control
//! characters, references to characters that XML forbids, references that HTML knows.
//!
//! Two rules of XML are not followed on purpose: line breaks in values stay what they are, because a
//! producer that wrote them meant them, and names are given without their prefix, because producers
//! choose any.

mod emit;
mod limits;
mod mark;
mod markup;
mod piece;
mod reference;
mod scan;
mod sink;
mod skipped;
mod tag;
mod tokenizer;
mod usual;

#[cfg(test)]
mod tests;

pub use limits::Limits;
pub use mark::Mark;
pub use sink::{Event, Sink, tokenize};
pub use tag::{Attribute, Attributes, Tag};
pub use tokenizer::Tokenizer;
