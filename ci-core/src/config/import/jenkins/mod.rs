//! Reads declarative Jenkins pipelines (<https://www.jenkins.io/doc/book/pipeline/syntax/>).

mod convert;
mod lexer;
mod matrix;
mod parser;
mod stages;
mod steps;

use super::pipeline::Pipeline;
use crate::yaml::problem::ConfigError;

/// Reads a declarative pipeline.
pub(super) fn read(text: &str, file: &str) -> Result<Pipeline, ConfigError> {
    let tokens = lexer::tokens(text, file)?;
    let block = parser::parse(&tokens, file)?;
    convert::pipeline(&block, file)
}
