//! Why text could not be read as a value of a type, with the place.

use std::fmt;

use super::Mark;
use super::problem::Problem;
use crate::similar::{did_you_mean, meant_in};

/// Text that is no YAML, or stands for no value of the type that was asked for. Shown as
/// `line 3, column 7: what is wrong`.
#[derive(Debug)]
pub struct YamlError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: YamlErrorKind,
    message: String,
    /// Line and column, as soon as they are known.
    place: Option<(u32, u32)>,
}

/// What is wrong with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum YamlErrorKind {
    /// It is no YAML, more or less than one document, or goes over a limit.
    Syntax,
    /// It is YAML, and no value of the type.
    Value,
}

impl YamlError {
    /// Something wrong with a value whose place is not known yet.
    pub(super) fn value(message: String) -> Self {
        Self(Box::new(Inner {
            kind: YamlErrorKind::Value,
            message,
            place: None,
        }))
    }

    /// Something wrong with the text.
    pub(super) fn syntax(message: &str) -> Self {
        let mut this = Self::value(message.to_owned());
        this.0.kind = YamlErrorKind::Syntax;
        this
    }

    pub(super) fn of_problem(problem: &Problem, kind: YamlErrorKind) -> Self {
        let mut this = Self::value(problem.message.clone());
        this.0.kind = kind;
        if let Some(hint) = &problem.hint {
            this.0.message.push_str(": ");
            this.0.message.push_str(hint);
        }
        match &problem.mark {
            Some(mark) => this.at(mark),
            None => this,
        }
    }

    /// With the place, unless it has one: the innermost is the most exact.
    pub(super) fn at(mut self, mark: &Mark) -> Self {
        self.0.place.get_or_insert((mark.line, mark.column));
        self
    }

    /// What is wrong with the text.
    #[must_use]
    pub fn kind(&self) -> YamlErrorKind {
        self.0.kind
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.0.place.map_or(1, |(line, _)| line.into())
    }

    /// The column, from 1, in characters.
    #[must_use]
    pub fn column(&self) -> u64 {
        self.0.place.map_or(1, |(_, column)| column.into())
    }
}

impl serde::de::Error for YamlError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::value(message.to_string())
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column, message) = (self.line(), self.column(), self.message());
        let meant = did_you_mean(meant_in(message));
        write!(f, "line {line}, column {column}: {message}{meant}")
    }
}

impl std::error::Error for YamlError {}
