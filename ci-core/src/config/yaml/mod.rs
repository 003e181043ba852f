//! YAML with the place of every value: anchors (also redefined ones), merge keys, tags, several
//! documents, the scalars of YAML 1.1 or 1.2, and limits against files made to exhaust memory.

mod load;
mod mark;
mod node;
mod scalar;
#[cfg(test)]
mod tests;

pub use load::{Limits, Loader, load};
pub use mark::Mark;
pub use node::{Entry, Map, Node, Value};
pub use scalar::{Schema, float_text};
