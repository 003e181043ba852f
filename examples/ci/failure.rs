//! Why a command could not do what it was asked, and the exit code that says so.

use ci_core::config::problem::ConfigError;
use ci_core::run::{RunError, RunErrorKind};
use ci_core::store::{StoreError, StoreErrorKind};

use crate::typed::typed;

/// The workflow failed.
pub(crate) const WORKFLOW: u8 = 1;
/// The input was wrong.
pub(crate) const INPUT: u8 = 2;
/// The engine or an executor broke.
pub(crate) const ENGINE: u8 = 3;
/// Interrupted by a signal.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    pub(crate) message: String,
    pub(crate) hints: Vec<String>,
    /// Whether each line of the message begins with its place, as tools that read them expect.
    pub(crate) has_places: bool,
}

impl Failure {
    /// The input was wrong.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self {
            code: INPUT,
            message: message.into(),
            hints: Vec::new(),
            has_places: false,
        }
    }

    /// A file of a vendor has mistakes, each at its place.
    pub(crate) fn config(error: &ConfigError) -> Self {
        Self {
            has_places: true,
            ..Self::input(error.to_string())
        }
    }

    /// What was run failed.
    pub(crate) fn workflow(message: impl Into<String>) -> Self {
        Self {
            code: WORKFLOW,
            message: message.into(),
            hints: Vec::new(),
            has_places: false,
        }
    }

    /// The engine or something below it broke.
    pub(crate) fn engine(message: impl Into<String>) -> Self {
        Self {
            code: ENGINE,
            message: message.into(),
            hints: Vec::new(),
            has_places: false,
        }
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Puts `program` in the place of the program's name in the commands that hints name.
    pub(crate) fn typed(mut self, program: &str) -> Self {
        for hint in &mut self.hints {
            *hint = typed(hint, program);
        }
        self
    }

    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words = format!("{words}: {cause_words}");
        }
        source = cause.source();
    }
    words
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let code = match error.kind() {
            RunErrorKind::Invalid | RunErrorKind::NotFound | RunErrorKind::NotResumable => INPUT,
            _ => ENGINE,
        };
        Self {
            code,
            message: chain(&error),
            hints: error.hints().to_vec(),
            has_places: false,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = if error.kind() == StoreErrorKind::NotFound {
            INPUT
        } else {
            ENGINE
        };
        Self {
            code,
            message: chain(&error),
            hints: error.hints().to_vec(),
            has_places: false,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::engine(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::engine(error.to_string())
    }
}
