//! What is fuzzed: functions that take any bytes, and panic if something that must always hold does
//! not.
//!
//! cargo-fuzz drives them through the wrappers in `fuzz_targets/`; the test `fuzz` of ci-tests drives
//! the same functions on stable Rust for a bounded number of inputs. Work is bounded by counting what
//! comes out, never by time.

mod bytes;
pub mod config;
pub mod engine;
mod known;
pub mod measure;
pub mod report;

pub use known::{TARGETS, target};
