//! What cannot be the same here as on the vendor's machines: every key that is approximated or
//! ignored, with its place and the reason.

use std::fmt;

use serde::Serialize;
use serde::ser::SerializeStruct;

use super::yaml::Mark;

/// How much of a key's meaning is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Level {
    /// It means nearly the same.
    Approximated,
    /// It means nothing here.
    Ignored,
}

/// One key that does not mean here what it means at the vendor's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// Where it stands.
    pub mark: Mark,
    /// The key, such as `setup_remote_docker`.
    pub key: String,
    /// How much is left of it.
    pub level: Level,
    /// Why.
    pub why: String,
}

impl Serialize for Row {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Row", 6)?;
        row.serialize_field("file", &*self.mark.file)?;
        row.serialize_field("line", &self.mark.line)?;
        row.serialize_field("column", &self.mark.column)?;
        row.serialize_field("key", &self.key)?;
        row.serialize_field("level", &self.level)?;
        row.serialize_field("why", &self.why)?;
        row.end()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Approximated => "approximated",
            Level::Ignored => "ignored",
        };
        write!(f, "{}: `{}` is {level}: {}", self.mark, self.key, self.why)
    }
}

/// The rows of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Fidelity {
    rows: Vec<Row>,
}

impl Fidelity {
    /// The rows, in the order in which they were found.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// A key that means nearly the same.
    pub fn approximated(&mut self, mark: &Mark, key: &str, why: impl Into<String>) {
        self.add(mark, key, Level::Approximated, why.into());
    }

    /// A key that means nothing here.
    pub fn ignored(&mut self, mark: &Mark, key: &str, why: impl Into<String>) {
        self.add(mark, key, Level::Ignored, why.into());
    }

    /// Adds the rows of `other` that are not there yet.
    pub fn extend(&mut self, other: &Self) {
        for row in &other.rows {
            self.add(&row.mark, &row.key, row.level, row.why.clone());
        }
    }

    fn add(&mut self, mark: &Mark, key: &str, level: Level, why: String) {
        let row = Row {
            mark: mark.clone(),
            key: key.to_owned(),
            level,
            why,
        };
        // A command that ten jobs use is told once.
        if !self.rows.contains(&row) {
            self.rows.push(row);
        }
    }

    /// One line for the start of a run; `None` if everything is the same.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        let count = |level| self.rows.iter().filter(|row| row.level == level).count();
        let (approximated, ignored) = (count(Level::Approximated), count(Level::Ignored));
        let words = match (approximated, ignored) {
            (0, 0) => return None,
            (some, 0) => format!("{some} approximated"),
            (0, some) => format!("{some} ignored"),
            (some, other) => format!("{some} approximated, {other} ignored"),
        };
        Some(format!(
            "keys that differ from the vendor's machines: {words}"
        ))
    }
}
