//! What is wrong with a configuration file: where, what, and what to do about it.

use std::fmt;

use super::Mark;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// The file can be used, but hardly means what it says.
    Warning,
    /// The file cannot be used.
    Error,
}

/// Something wrong in a file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub mark: Option<Mark>,
    /// The keys that lead there, such as `jobs.build.steps[2]`; empty where that says nothing.
    pub path: String,
    /// What is wrong, in lower case with values in back-ticks.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// An error at a place.
    #[must_use]
    pub fn error(mark: &Mark, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            mark: Some(mark.clone()),
            path: String::new(),
            message: message.into(),
            hint: None,
        }
    }

    /// A warning at a place.
    #[must_use]
    pub fn warning(mark: &Mark, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(mark, message)
        }
    }

    /// An error of a file as a whole.
    #[must_use]
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self::error(&Mark::new(file, 1, 1), message)
    }

    /// Adds the keys that lead to the place.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the name that somebody may have meant, if there is one.
    #[must_use]
    pub fn did_you_mean(self, name: Option<&str>) -> Self {
        match name {
            Some(name) => self.hint(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

impl fmt::Display for Problem {
    /// `FILE:LINE:COLUMN: [warning: ][PATH: ]MESSAGE`, and the hint on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mark) = &self.mark {
            write!(f, "{mark}: ")?;
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// A file that cannot be used, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// From problems of which one is an error at least.
    #[must_use]
    pub fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// What is wrong, errors and warnings, in the order of their places.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self::new(vec![problem])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Collects problems, so that a file is told all of them at once.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    list: Vec<Problem>,
}

/// More problems than this help nobody.
const MOST: usize = 1_000;

impl Problems {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        if self.list.len() < MOST && !self.list.contains(&problem) {
            self.list.push(problem);
        }
    }

    /// Whether one of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }

    /// Adds what is wrong with something that is not used, which only warns.
    #[cfg(feature = "circleci")]
    pub(crate) fn extend_as_warnings(&mut self, others: Self) {
        self.extend(others.list.into_iter().map(|problem| Problem {
            severity: Severity::Warning,
            ..problem
        }));
    }

    /// The warnings, or everything as an error if one of them is.
    pub fn finish(mut self) -> Result<Vec<Problem>, ConfigError> {
        let place = |problem: &Problem| problem.mark.as_ref().map(Mark::place);
        self.list.sort_by_key(place);
        if self.has_errors() {
            Err(ConfigError::new(self.list))
        } else {
            Ok(self.list)
        }
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        for problem in problems {
            self.push(problem);
        }
    }
}
