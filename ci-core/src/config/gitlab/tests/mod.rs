//! What configurations come to.

mod errors;
mod includes;
mod jobs;
mod merged;
mod workflow;

use super::{Compiled, Facts, MemoryFiles, Options, Project};
use crate::yaml::problem::ConfigError;

/// Compiles a file for a push to `main`.
fn load(text: &str) -> Result<Compiled, ConfigError> {
    load_for(text, Facts::default())
}

fn load_for(text: &str, facts: Facts) -> Result<Compiled, ConfigError> {
    let files = MemoryFiles::from_iter([(".gitlab-ci.yml", text)]);
    Project::load(&files, &Options::new().facts(facts))
}

#[track_caller]
fn good(text: &str) -> Compiled {
    load(text).unwrap_or_else(|error| panic!("{error}"))
}

/// What is wrong with a file, without its name.
#[track_caller]
fn bad(text: &str) -> String {
    load(text)
        .unwrap_err()
        .to_string()
        .replace(".gitlab-ci.yml:", "")
}

/// The names of the jobs in the pipeline.
fn names(compiled: &Compiled) -> Vec<&str> {
    compiled.jobs().iter().map(|job| &*job.name).collect()
}

/// What a job waits for.
#[track_caller]
fn needs<'a>(compiled: &'a Compiled, name: &str) -> Vec<&'a str> {
    let job = compiled
        .jobs()
        .iter()
        .find(|job| &*job.name == name)
        .unwrap();
    job.needs.iter().map(AsRef::as_ref).collect()
}
