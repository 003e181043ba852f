//! A place in a file.

use std::fmt;
use std::sync::Arc;

/// A place in a file; line and column count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The file, as it is shown to people.
    pub file: Arc<str>,
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

impl Mark {
    /// A place in `file`.
    #[must_use]
    pub fn new(file: impl Into<Arc<str>>, line: u32, column: u32) -> Self {
        Self {
            file: file.into(),
            line,
            column,
        }
    }

    /// What marks are sorted by.
    #[must_use]
    pub fn place(&self) -> (Arc<str>, u32, u32) {
        (Arc::clone(&self.file), self.line, self.column)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
