//! Names to dense ids, and the edges between them.

mod cycle;
mod dag;
pub mod render;

pub use dag::{Cycle, Dag, Edge};

#[cfg(test)]
mod tests;
