//! What a run is for: the revision, its branch or tag, what changed, and the variables.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a run is for. Conditions, cache keys and the environment of every job are made from it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RunFacts {
    /// The repository or directory that the run is for.
    pub repository: Option<PathBuf>,
    /// The commit, as its full hash.
    pub revision: Option<String>,
    /// The branch.
    pub branch: Option<String>,
    /// The tag.
    pub tag: Option<String>,
    /// The paths that changed against the base; `None` where that is not known.
    pub changed_paths: Option<Vec<String>>,
    /// The variables of the run.
    pub variables: BTreeMap<String, String>,
}

impl RunFacts {
    /// Sets the branch.
    #[must_use]
    pub fn branch(mut self, branch: impl Into<String>) -> Self {
        self.branch = Some(branch.into());
        self
    }

    /// Sets the tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Sets the repository or directory that the run is for.
    #[must_use]
    pub fn repository(mut self, path: impl Into<PathBuf>) -> Self {
        self.repository = Some(path.into());
        self
    }

    /// Sets the commit.
    #[must_use]
    pub fn revision(mut self, hash: impl Into<String>) -> Self {
        self.revision = Some(hash.into());
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Sets the changed paths.
    #[must_use]
    pub fn changed_paths<S: Into<String>>(mut self, paths: impl IntoIterator<Item = S>) -> Self {
        self.changed_paths = Some(paths.into_iter().map(Into::into).collect());
        self
    }
}
