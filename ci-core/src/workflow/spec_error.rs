//! A workflow that could not be read, with the place in the file.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::WorkflowSpec;
use crate::similar::meant_in;
#[cfg(feature = "yaml")]
use crate::yaml::{YamlError, YamlErrorKind};

/// A workflow could not be read. Shown as `FILE:LINE:COLUMN: what is wrong`, as far as that is known.
#[derive(Debug)]
pub struct SpecError {
    kind: SpecErrorKind,
    message: String,
    path: Option<PathBuf>,
    line: Option<u64>,
    column: Option<u64>,
    hints: Vec<String>,
    source: Option<std::io::Error>,
}

/// What kept a workflow from being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpecErrorKind {
    /// The file could not be read.
    Unreadable,
    /// The text is no JSON or YAML.
    Syntax,
    /// The text is fine and is no workflow.
    Form,
    /// This build does not read YAML.
    Unsupported,
}

impl SpecError {
    fn new(kind: SpecErrorKind, message: String) -> Self {
        let hints = hints(&message);
        Self {
            kind,
            message,
            path: None,
            line: None,
            column: None,
            hints,
            source: None,
        }
    }

    pub(super) fn unreadable(error: std::io::Error) -> Self {
        let mut this = Self::new(SpecErrorKind::Unreadable, "cannot be read".to_owned());
        let hint = match error.kind() {
            ErrorKind::NotFound => Some("check the path, from the directory that this runs in"),
            ErrorKind::InvalidData => Some("save the file as UTF-8"),
            ErrorKind::IsADirectory => Some("name the file in it that has the workflow"),
            _ => None,
        };
        this.hints.extend(hint.map(str::to_owned));
        this.source = Some(error);
        this
    }

    /// A file that asks for nothing; `place` is that of its jobs.
    pub(super) fn no_job(place: Option<(u32, u32)>) -> Self {
        let message = "the workflow has no job".to_owned();
        let mut this = Self::new(SpecErrorKind::Form, message);
        this.line = place.map(|(line, _)| line.into());
        this.column = place.map(|(_, column)| column.into());
        this.hints
            .push("write one: `jobs: {test: {steps: [{run: cargo test}]}}`".to_owned());
        this
    }

    #[cfg(not(feature = "yaml"))]
    pub(super) fn no_yaml() -> Self {
        let message = "this build reads no YAML".to_owned();
        let mut this = Self::new(SpecErrorKind::Unsupported, message);
        this.hints
            .push("build with the feature `yaml`, or write the workflow as JSON".to_owned());
        this
    }

    pub(super) fn json(error: &serde_json::Error) -> Self {
        let kind = if error.is_data() {
            SpecErrorKind::Form
        } else {
            SpecErrorKind::Syntax
        };
        let mut message = error.to_string();
        if error.line() == 0 {
            return Self::new(kind, message);
        }
        let place = format!(" at line {} column {}", error.line(), error.column());
        if let Some(bare) = message.strip_suffix(&place) {
            message.truncate(bare.len());
        }
        let mut this = Self::new(kind, message);
        this.line = u64::try_from(error.line()).ok();
        this.column = u64::try_from(error.column().max(1)).ok();
        this
    }

    #[cfg(feature = "yaml")]
    pub(super) fn yaml(error: &YamlError) -> Self {
        let kind = match error.kind() {
            YamlErrorKind::Syntax => SpecErrorKind::Syntax,
            YamlErrorKind::Value => SpecErrorKind::Form,
        };
        let mut this = Self::new(kind, error.message().to_owned());
        this.line = Some(error.line());
        this.column = Some(error.column());
        this
    }

    pub(super) fn in_file(mut self, path: &Path) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// What kind of trouble it was.
    #[must_use]
    pub fn kind(&self) -> SpecErrorKind {
        self.kind
    }

    /// The file, where the workflow came from one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        self.line
    }

    /// The column, from 1.
    #[must_use]
    pub fn column(&self) -> Option<u64> {
        self.column
    }

    /// What to do next.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

/// What may help with serde's messages.
fn hints(message: &str) -> Vec<String> {
    let mut hints = Vec::new();
    if message.contains("missing field `version`") {
        hints.push(format!("begin with `version: {}`", WorkflowSpec::VERSION));
    }
    if let Some(name) = meant_in(message) {
        hints.push(format!("did you mean `{name}`?"));
    }
    hints
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.path, self.line, self.column) {
            (Some(path), Some(line), Some(column)) => {
                write!(f, "{}:{line}:{column}: ", path.display())?;
            }
            (Some(path), _, _) => write!(f, "{}: ", path.display())?,
            (None, Some(line), Some(column)) => write!(f, "line {line}, column {column}: ")?,
            (None, _, _) => {}
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for SpecError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_ref()
            .map(|error| error as &(dyn std::error::Error + 'static))
    }
}
