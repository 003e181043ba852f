//! What a run came to, in a few lines for people.

mod render;
#[cfg(test)]
mod tests;

pub(super) use render::quoted;
pub use render::{FailedOutput, Summary};
