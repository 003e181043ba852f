//! The language of `rules:if` and `only:variables`: comparisons of variables, with patterns.
//!
//! Written after the behaviour that GitLab documents at
//! <https://docs.gitlab.com/ci/jobs/job_rules/#cicd-variable-expressions> and its public test tables.
//! Nothing in it recurses: an expression becomes a list in reverse Polish notation.

mod eval;
mod lexer;
mod parser;
mod pattern;
#[cfg(test)]
mod tests;

pub use eval::Value;
pub use parser::{Expression, ExpressionError};
pub(super) use pattern::compile as compile_pattern;
