//! What cannot be the same here as on the vendor's machines: every key that is approximated or
//! ignored, with its place and the reason.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::SerializeStruct;

use crate::yaml::Mark;

/// How much of a key's meaning is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Level {
    /// It means nearly the same.
    Approximated,
    /// It means nothing here.
    Ignored,
    /// What it names is not at hand, and was left out as the caller asked.
    Missing,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Approximated => "approximated",
            Self::Ignored => "ignored",
            Self::Missing => "missing",
        })
    }
}

/// One key that does not mean here what it means at the vendor's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// Where it stands.
    pub mark: Mark,
    /// The job it belongs to, where that is told.
    pub job: Option<Arc<str>>,
    /// The key, such as `setup_remote_docker`.
    pub key: String,
    /// How much is left of it.
    pub level: Level,
    /// Why.
    pub why: String,
}

impl Row {
    pub(super) fn new(
        level: Level,
        mark: &Mark,
        key: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self {
            mark: mark.clone(),
            job: None,
            key: key.into(),
            level,
            why: why.into(),
        }
    }

    #[cfg(feature = "gitlab")]
    pub(super) fn of_job(mut self, job: &Arc<str>) -> Self {
        self.job = Some(Arc::clone(job));
        self
    }
}

impl Serialize for Row {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Row", 7)?;
        row.serialize_field("file", &*self.mark.file)?;
        row.serialize_field("line", &self.mark.line)?;
        row.serialize_field("column", &self.mark.column)?;
        row.serialize_field("job", &self.job.as_deref())?;
        row.serialize_field("key", &self.key)?;
        row.serialize_field("level", &self.level)?;
        row.serialize_field("why", &self.why)?;
        row.end()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mark,
            key,
            level,
            why,
            ..
        } = self;
        write!(f, "{mark}: `{key}` is {level}: {why}")
    }
}

/// The rows of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Fidelity {
    rows: Vec<Row>,
}

impl Fidelity {
    #[cfg(feature = "gitlab")]
    pub(super) fn of(rows: Vec<Row>) -> Self {
        Self { rows }
    }

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
        let row = Row::new(level, mark, key, why);
        // A command that ten jobs use is told once.
        if !self.rows.contains(&row) {
            self.rows.push(row);
        }
    }

    /// One line for the start of a run; `None` if everything is the same.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        let levels = [Level::Approximated, Level::Ignored, Level::Missing];
        let words = levels.into_iter().filter_map(|level| {
            let count = self.rows.iter().filter(|row| row.level == level).count();
            (count > 0).then(|| format!("{count} {level}"))
        });
        let words: Vec<String> = words.collect();
        let words = words.join(", ");
        let differ = "keys that differ from the vendor's machines";
        (!words.is_empty()).then(|| format!("{differ}: {words}"))
    }
}
