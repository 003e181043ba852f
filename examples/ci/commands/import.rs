//! `ci import`: pipelines of other vendors as CircleCI or GitLab files.

use std::path::{Path, PathBuf};

use ci_core::config::import::{Imported, Target, github, jenkins};
use ci_core::config::problem::ConfigError;
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use crate::args::{Format, Global};
use crate::failure::Failure;
use crate::output;

/// Whose files are converted.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// GitHub Actions workflows
    Github(ImportArgs),
    /// Declarative Jenkins files
    Jenkins(ImportArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// The files; several become one
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Whose file is written
    #[arg(long, value_enum, default_value_t = TargetChoice::Circleci)]
    to: TargetChoice,
    /// The file to write, or `-` for standard output [default: where the vendor looks for it]
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

/// Whose file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TargetChoice {
    /// `.circleci/config.yml`.
    Circleci,
    /// `.gitlab-ci.yml`.
    Gitlab,
}

/// What reads the files of one vendor.
type Convert = fn(&[(&str, &str)], Target) -> Result<Imported, ConfigError>;

/// Converts files, and says what did not come along.
pub(crate) fn import(global: &Global, command: &ImportCommand) -> Result<u8, Failure> {
    let (args, convert): (_, Convert) = match command {
        ImportCommand::Github(args) => (args, github),
        ImportCommand::Jenkins(args) => (args, jenkins),
    };
    let mut files = Vec::new();
    for path in &args.files {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::input(format!("`{name}`: {error}")))?;
        files.push((name, text));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    let target = match args.to {
        TargetChoice::Circleci => Target::CircleCi,
        TargetChoice::Gitlab => Target::GitLab,
    };
    let imported = convert(&files, target).map_err(|error| Failure::input(error.to_string()))?;
    let yaml = imported.to_yaml();
    let path = args.output.clone().unwrap_or_else(|| target.path().into());
    let on_stdout = path == Path::new("-");
    if on_stdout {
        output::print(&yaml)?;
    } else {
        write(&path, &yaml, args.force)?;
    }
    tell(global, &imported, (!on_stdout).then_some(&path))?;
    Ok(0)
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let name = path.display();
    if path.exists() && !force {
        return Err(Failure::input(format!("`{name}` is there already")).hint(
            "`--force` writes over it, `-o FILE` writes another, `-o -` to standard output",
        ));
    }
    let failed = |error: std::io::Error| Failure::input(format!("`{name}`: {error}"));
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}

fn tell(global: &Global, imported: &Imported, path: Option<&PathBuf>) -> Result<(), Failure> {
    let steps = imported.steps;
    if global.format == Format::Json && path.is_some() {
        let notes = imported.notes.iter().map(|note| {
            json!({
                "file": note.mark.file,
                "line": note.mark.line,
                "column": note.mark.column,
                "message": note.message,
                "suggestion": note.suggestion,
            })
        });
        return output::json(&json!({
            "output": path,
            "steps": {"total": steps.total, "converted": steps.converted, "listed": steps.listed},
            "notes": notes.collect::<Vec<_>>(),
        }));
    }
    for note in &imported.notes {
        output::say(note.to_string());
    }
    let written = path
        .map(|path| format!("{}: ", path.display()))
        .unwrap_or_default();
    output::say(format!(
        "{written}{} of {} steps converted, {} listed above; {} notes",
        steps.converted,
        steps.total,
        steps.listed,
        imported.notes.len()
    ));
    Ok(())
}
