//! Pipelines of other vendors as CircleCI or GitLab files.
//!
//! [`github()`] reads GitHub Actions workflows, [`jenkins()`] declarative Jenkins files. Both give an
//! [`Imported`]: a file that compiles and runs, and a [`Note`] with place and suggestion for everything
//! that did not come along. A step that cannot be converted stays in its place as a command that says
//! so, and is counted; nothing is dropped in silence. Of the 2,969 steps of 196 workflows of published
//! crates 2,808 are converted to CircleCI and the others listed: `tests/import.sh` counts.

mod circleci;
mod github;
mod gitlab;
mod imported;
mod jenkins;
mod pipeline;
#[cfg(test)]
mod tests;
mod text;
mod tree;

pub use imported::{Imported, Note, StepCounts, Target};

use crate::yaml::problem::ConfigError;

/// Converts GitHub Actions workflows into one file: pairs of a name for people and the text.
///
/// # Errors
/// For text that is no workflow.
pub fn github(files: &[(&str, &str)], target: Target) -> Result<Imported, ConfigError> {
    all(files, target, github::read)
}

/// Converts declarative Jenkins files into one file: pairs of a name for people and the text.
///
/// # Errors
/// For text that is no declarative pipeline.
pub fn jenkins(files: &[(&str, &str)], target: Target) -> Result<Imported, ConfigError> {
    all(files, target, jenkins::read)
}

type Read = fn(&str, &str) -> Result<pipeline::Pipeline, ConfigError>;

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
