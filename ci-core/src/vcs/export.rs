//! What a repository has: branches, what a commit says, the files of a commit.

use std::path::Path;

use git2::BranchType;
use git2::build::CheckoutBuilder;

use super::VcsError;
use super::changes::commit;
use super::discover::open;
use super::error::other;

/// What a commit says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommitInfo {
    /// Its full hash.
    pub id: String,
    /// Its message.
    pub message: String,
    /// Who wrote it, as `Name <address>`.
    pub author: String,
    /// When it was written, as in ISO 8601.
    pub written: String,
}

impl CommitInfo {
    pub(super) fn of(commit: &git2::Commit<'_>) -> Self {
        let author = commit.author();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            id: commit.id().to_string(),
            written: jiff::Timestamp::from_second(author.when().seconds())
                .map(|time| time.to_string())
                .unwrap_or_default(),
            message: text(commit.message_bytes()),
            author: format!(
                "{} <{}>",
                text(author.name_bytes()),
                text(author.email_bytes())
            ),
        }
    }

    /// The first line of its message.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}

/// What the commit behind a revision says of itself.
///
/// Blocks while it reads the repository.
pub fn commit_info(repository: &Path, revision: &str) -> Result<CommitInfo, VcsError> {
    let repository = open(repository)?;
    let commit = commit(&repository, revision)?;
    Ok(CommitInfo::of(&commit))
}

/// A file of a revision; `None` if it has none at this path. A symbolic link is not followed.
///
/// Blocks while it reads the repository.
pub fn read_file(
    repository: &Path,
    revision: &str,
    path: &str,
) -> Result<Option<Vec<u8>>, VcsError> {
    let repository = open(repository)?;
    let commit = commit(&repository, revision)?;
    let tree = commit
        .tree()
        .map_err(other("the files of the revision cannot be read"))?;
    let Ok(entry) = tree.get_path(Path::new(path)) else {
        return Ok(None);
    };
    let object = entry
        .to_object(&repository)
        .map_err(other("the files of the revision cannot be read"))?;
    Ok(object.as_blob().map(|blob| blob.content().to_vec()))
}

/// Writes the files of a revision into `dir`, without a repository around them. Works on bare
/// repositories, and leaves the working tree and the index of others alone.
///
/// Blocks while it writes.
pub fn export(repository: &Path, revision: &str, dir: &Path) -> Result<(), VcsError> {
    let repository = open(repository)?;
    let commit = commit(&repository, revision)?;
    let mut options = CheckoutBuilder::new();
    options.force().update_index(false).target_dir(dir);
    repository
        .checkout_tree(commit.as_object(), Some(&mut options))
        .map_err(other("the files of the revision cannot be written"))
}

/// The branches of a repository with the commit that each points at; the one that is checked out comes
/// first.
///
/// Blocks while it reads the repository.
pub fn branches(repository: &Path) -> Result<Vec<(String, String)>, VcsError> {
    let repository = open(repository)?;
    let cannot_list = other("the branches cannot be listed");
    let mut found = Vec::new();
    for branch in repository
        .branches(Some(BranchType::Local))
        .map_err(&cannot_list)?
    {
        let (branch, _) = branch.map_err(&cannot_list)?;
        let (Ok(name), Some(commit)) = (branch.name_bytes(), branch.get().target()) else {
            continue;
        };
        let name = String::from_utf8_lossy(name).into_owned();
        found.push((!branch.is_head(), name, commit.to_string()));
    }
    found.sort();
    Ok(found
        .into_iter()
        .map(|(_, name, commit)| (name, commit))
        .collect())
}
