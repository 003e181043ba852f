//! YAML: files read with the place of every value, values of Rust read from it, and values written.
//!
//! [`from_str`] reads a value of a type, [`to_string`] writes one. [`load`] gives the values of a file
//! with their places: anchors (also redefined ones), merge keys, tags, several documents, the scalars of
//! YAML 1.1 or 1.2, and limits against files made to exhaust memory.

mod de;
mod error;
mod load;
mod mark;
mod node;
pub mod problem;
mod read;
mod scalar;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use error::{YamlError, YamlErrorKind};
pub use load::{Limits, Loader, load};
pub use mark::Mark;
pub use node::{Entry, Map, Node, Value};
pub use read::from_str;
pub(crate) use read::{SPEC_LIMITS, document, from_node};
pub use scalar::{Schema, float_text};
pub(crate) use write::of_json;
pub use write::to_string;
