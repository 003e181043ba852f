//! The facts of a run for what a repository has checked out now.

use std::path::Path;

use git2::{DescribeFormatOptions, DescribeOptions, ErrorClass, ErrorCode, Repository};

use super::changes::ChangeScope;
use super::error::other;
use super::{VcsError, VcsErrorKind, changed_paths};
use crate::workflow::RunFacts;

impl RunFacts {
    /// The facts of a run for what is checked out in the repository that `path` is in: its root, the
    /// commit, the branch (`None` when detached) and the tag that stands at exactly this commit. Where
    /// there are several, an annotated tag comes before a plain one, and a newer before an older. A
    /// repository without commits has no revision.
    ///
    /// Blocks while it reads the repository.
    pub fn discover(path: &Path) -> Result<Self, VcsError> {
        let repository = open(path)?;
        let root = repository.workdir().unwrap_or_else(|| repository.path());
        let mut facts =
            Self::default().repository(root.components().collect::<std::path::PathBuf>());
        let head = repository
            .find_reference("HEAD")
            .map_err(other("the repository has no `HEAD`"))?;
        facts.branch = head
            .symbolic_target()
            .ok()
            .flatten()
            .and_then(|target| target.strip_prefix("refs/heads/"))
            .map(str::to_owned);
        let commit = match head.peel_to_commit() {
            Ok(commit) => commit,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(facts),
            Err(error) => return Err(other("the commit of `HEAD` cannot be read")(error)),
        };
        facts.revision = Some(commit.id().to_string());
        let exact = commit.as_object().describe(
            DescribeOptions::new()
                .describe_tags()
                .max_candidates_tags(0),
        );
        facts.tag = match exact {
            Ok(tag) => Some(
                tag.format(Some(DescribeFormatOptions::new().abbreviated_size(0)))
                    .map_err(other("the tag cannot be read"))?,
            ),
            // Without any tag at all the error has no code of its own.
            Err(error) if error.class() == ErrorClass::Describe => None,
            Err(error) => return Err(other("the tags cannot be read")(error)),
        };
        Ok(facts)
    }

    /// Sets the changed paths to those since `base`, a branch, tag or commit; see [`changed_paths`].
    pub fn changed_since(mut self, base: &str, scope: ChangeScope) -> Result<Self, VcsError> {
        let Some(repository) = &self.repository else {
            let message = "the run has no repository to compare with";
            return Err(VcsError::new(VcsErrorKind::NotARepository, message));
        };
        self.changed_paths = Some(changed_paths(repository, base, scope)?);
        Ok(self)
    }
}

pub(crate) fn open(path: &Path) -> Result<Repository, VcsError> {
    Repository::discover(path).map_err(|error| {
        let message = format!("`{}` is in no git repository", path.display());
        VcsError::new(VcsErrorKind::NotARepository, message).because(error)
    })
}
