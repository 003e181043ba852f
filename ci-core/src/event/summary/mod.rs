//! What a run came to, in a few lines for people.

mod render;
#[cfg(test)]
mod tests;

pub(super) use render::typed;
pub use render::{FailedOutput, Summary};
