//! Which files count: globs to keep and globs to leave out.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::error::{CoverageError, CoverageErrorKind};
use super::model::Coverage;

/// Globs that say which files of a report count. `*` stays within a directory, `**` does not.
#[derive(Debug, Clone, Default)]
pub struct PathFilter {
    include: Option<GlobSet>,
    exclude: Option<GlobSet>,
}

impl PathFilter {
    /// Every file counts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only files that match one of `globs` count.
    ///
    /// # Errors
    /// When a glob cannot be read.
    pub fn include<'a>(
        mut self,
        globs: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, CoverageError> {
        self.include = build(globs)?;
        Ok(self)
    }

    /// No file counts that matches one of `globs`, even if it is included.
    ///
    /// # Errors
    /// When a glob cannot be read.
    pub fn exclude<'a>(
        mut self,
        globs: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, CoverageError> {
        self.exclude = build(globs)?;
        Ok(self)
    }

    /// Whether the file `path` counts.
    pub fn keeps(&self, path: &str) -> bool {
        let included = self
            .include
            .as_ref()
            .is_none_or(|globs| globs.is_match(path));
        included
            && !self
                .exclude
                .as_ref()
                .is_some_and(|globs| globs.is_match(path))
    }

    /// Leaves out the files of `coverage` that do not count.
    pub fn apply(&self, coverage: &mut Coverage) {
        coverage.files.retain(|path, _| self.keeps(path));
    }
}

fn build<'a>(globs: impl IntoIterator<Item = &'a str>) -> Result<Option<GlobSet>, CoverageError> {
    let bad = |error: globset::Error| {
        let message = format!("a glob cannot be read: {error}");
        CoverageError::new(CoverageErrorKind::Paths, message)
    };
    let mut set = GlobSetBuilder::new();
    let mut is_empty = true;
    for glob in globs {
        is_empty = false;
        let glob = GlobBuilder::new(glob).literal_separator(true).build();
        set.add(glob.map_err(bad)?);
    }
    if is_empty {
        return Ok(None);
    }
    set.build().map(Some).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusion_wins_over_inclusion() {
        let filter = PathFilter::new().include(["src/**"]).unwrap();
        let filter = filter.exclude(["**/*_test.go", "src/gen/*"]).unwrap();
        assert!(filter.keeps("src/a/b.go"));
        assert!(filter.keeps("src/gen/deep/b.go"));
        for path in ["lib/a.go", "src/a_test.go", "src/gen/b.go"] {
            assert!(!filter.keeps(path), "{path}");
        }
        assert!(PathFilter::new().exclude(["a{"]).is_err());
    }
}
