//! Names to dense ids, and the edges between them.

mod cycle;
mod dag;

pub use dag::{Cycle, Dag, Edge};
