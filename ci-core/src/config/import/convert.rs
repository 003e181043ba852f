//! Converts the files of a vendor: reads each, and writes one for all of them.

use super::imported::{Imported, Target};
use super::pipeline::{self, Pipeline};
use super::{circleci, gitlab};
use crate::yaml::problem::ConfigError;

/// Converts GitHub Actions workflows into one file: pairs of a name for people and the text.
///
/// # Errors
/// For text that is no workflow.
pub fn github(files: &[(&str, &str)], target: Target) -> Result<Imported, ConfigError> {
    all(files, target, super::github::read)
}

/// Converts declarative Jenkins files into one file: pairs of a name for people and the text.
///
/// # Errors
/// For text that is no declarative pipeline.
pub fn jenkins(files: &[(&str, &str)], target: Target) -> Result<Imported, ConfigError> {
    all(files, target, super::jenkins::read)
}

type Read = fn(&str, &str) -> Result<Pipeline, ConfigError>;

fn all(files: &[(&str, &str)], target: Target, read: Read) -> Result<Imported, ConfigError> {
    let mut problems = Vec::new();
    let mut pipelines = Vec::new();
    for (file, text) in files {
        match read(text, file) {
            Ok(pipeline) => pipelines.push(pipeline),
            Err(error) => problems.extend_from_slice(error.problems()),
        }
    }
    if !problems.is_empty() || pipelines.is_empty() {
        return Err(ConfigError::new(problems));
    }
    pipeline::tell_apart(&mut pipelines);
    let config = match target {
        Target::CircleCi => circleci::write(&mut pipelines),
        Target::GitLab => gitlab::write(&mut pipelines),
    };
    Ok(Imported::new(config, target, &pipelines))
}
