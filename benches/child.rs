//! Runs a part of a benchmark in a fresh process, whose peak memory is its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Error;

const PART: &str = "CI_BENCH_PART";

/// The part that this process is asked to do; `None` in the process that was started first.
#[must_use]
pub fn part() -> Option<String> {
    std::env::var(PART).ok()
}

/// Starts this program again for one part, and gives the numbers it prints.
///
/// # Errors
/// When it cannot be started, fails, or prints something else.
pub fn run(part: &str) -> Result<Vec<f64>, Error> {
    run_with(part, &[])
}

/// The same with variables that tell it more.
///
/// # Errors
/// When it cannot be started, fails, or prints something else.
pub fn run_with(part: &str, told: &[(&str, PathBuf)]) -> Result<Vec<f64>, Error> {
    let output = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(PART, part)
        .envs(told.iter().map(|(name, value)| (name, value)))
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the part `{part}` ended with {}", output.status).into());
    }
    let printed = String::from_utf8(output.stdout)?;
    Ok(printed
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?)
}
