//! From the text of a Jenkins file to its pipeline.

use super::{convert, lexer, parser};
use crate::config::import::pipeline::Pipeline;
use crate::yaml::problem::ConfigError;

/// Reads a declarative pipeline.
pub(in crate::config::import) fn read(text: &str, file: &str) -> Result<Pipeline, ConfigError> {
    let tokens = lexer::tokens(text, file)?;
    let block = parser::parse(&tokens, file)?;
    convert::pipeline(&block, file)
}
