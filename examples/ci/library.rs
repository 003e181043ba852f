//! What other programs take from the command line beside its commands: a project opened the same way.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use ci_core::config::fidelity::Fidelity;
use ci_core::executor::Executor;
use ci_core::settings::{ExecutorSettings, Settings};
use ci_core::workflow::{RunFacts, WorkflowSpec};
use clap::Parser;

use crate::args::WorkflowArgs;
use crate::failure::Failure;
use crate::{aws, executors, open};

/// A workflow with what a run of it is for, opened as the commands open it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Project {
    /// The workflow.
    pub workflow: WorkflowSpec,
    /// What a run of it is for.
    pub facts: RunFacts,
    /// The project's settings.
    pub settings: Settings,
    /// The project's directory.
    pub dir: PathBuf,
    /// The jobs of the file that do not run, and why.
    pub skipped: Vec<(Arc<str>, String)>,
    /// What is not the same here as on the vendor's machines.
    pub fidelity: Fidelity,
}

/// The words of a command line could not be used.
#[derive(Debug)]
pub struct UsageError {
    message: String,
    hints: Vec<String>,
}

impl UsageError {
    /// What to do next.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UsageError {}

impl From<Failure> for UsageError {
    fn from(failure: Failure) -> Self {
        Self {
            message: failure.message,
            hints: failure.hints,
        }
    }
}

/// The words that say which workflow is meant, and nothing else.
#[derive(Debug, Parser)]
#[command(name = "load", disable_help_flag = true)]
struct Words {
    #[command(flatten)]
    workflow: WorkflowArgs,
}

/// Opens the project that the words name, those of `ci explain`: a path and its options.
///
/// # Errors
/// When the words or what they name cannot be used.
pub fn load(words: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Project, UsageError> {
    let words = words.into_iter().map(Into::into);
    let words = Words::try_parse_from(std::iter::once(OsString::from("load")).chain(words))
        .map_err(|error| unusable(&error))?;
    let project = open::project(&words.workflow, &[])?;
    let skipped = project.origin.skipped.into_iter();
    Ok(Project {
        workflow: project.workflow,
        facts: project.facts,
        settings: project.settings,
        dir: project.dir,
        skipped: skipped.map(|job| (job.name, job.why)).collect(),
        fidelity: project.origin.fidelity,
    })
}

/// Why words could not be used.
pub(crate) fn unusable(error: &clap::Error) -> UsageError {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    Failure::input(first.trim_start_matches("error: ")).into()
}

/// The executors that the settings name, and those of this program; the first is the default.
///
/// # Errors
/// When the settings ask for one that there is not.
pub fn executors_of(settings: &Settings) -> Result<Vec<Arc<dyn Executor>>, UsageError> {
    Ok(executors::executors(settings)?)
}

/// One executor, made as the settings' one of this name would be.
///
/// # Errors
/// When there is no such type of executors, or its options cannot be used.
pub fn executor_of(
    name: &str,
    settings: &ExecutorSettings,
) -> Result<Arc<dyn Executor>, UsageError> {
    Ok(executors::make(name, settings)?)
}

/// Lets jobs whose machine may be taken away run once more, elsewhere.
#[must_use]
pub fn interruptible(settings: &Settings, workflow: WorkflowSpec) -> WorkflowSpec {
    aws::interruptible(settings, workflow)
}

/// Gives back what executors keep between jobs: there are none any more.
///
/// # Errors
/// When something could not be given back, and goes on costing money.
pub async fn close() -> Result<(), UsageError> {
    Ok(aws::close().await?)
}

/// What jobs call as the command line.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Says which program jobs call when they need the command line, where that is not this very program:
/// an interpreter that has it as a library. The first call counts.
pub fn set_program(program: impl Into<PathBuf>) {
    let _ = PROGRAM.set(program.into());
}

/// The program that jobs call when they need the command line.
pub(crate) fn program() -> Option<PathBuf> {
    PROGRAM
        .get()
        .cloned()
        .or_else(|| std::env::current_exe().ok())
}
