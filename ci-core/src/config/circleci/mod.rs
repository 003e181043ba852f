//! CircleCI 2.x files (<https://circleci.com/docs/reference/configuration-reference/>).
//!
//! [`compile()`] does what the vendor's `config process` does: parameters, commands, executors, orbs,
//! matrices and conditions are spelled out.

mod compile;
mod compiler;
mod continuation;
mod expression;
mod filters;
mod jobs;
mod logic;
mod lower;
mod lower_jobs;
mod lower_steps;
mod matrix;
mod namespace;
mod numbers;
mod orbs;
mod parameters;
mod pattern;
mod pipeline;
mod scope;
mod steps;
mod template;
mod value;
mod variables;
mod workflows;

pub use compile::{CompileOptions, Compiled, Dropped, compile};
pub use continuation::Continuation;
pub use lower::{Lowered, Skipped};
pub use orbs::{NoOrbs, OrbDirectory, OrbSource};
pub use pipeline::Pipeline;
