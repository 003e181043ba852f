//! JUnit XML written so that this module, and the tools that read the common dialect, read it back.

#[cfg(test)]
mod tests;
mod writer;

pub use writer::{JunitWriter, write_junit};
