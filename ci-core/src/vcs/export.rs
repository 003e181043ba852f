//! A commit as it is: its files and what it says.

use std::path::Path;

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
}

/// What the commit behind a revision says of itself.
///
/// Blocks while it reads the repository.
pub fn commit_info(repository: &Path, revision: &str) -> Result<CommitInfo, VcsError> {
    let repository = open(repository)?;
    let commit = commit(&repository, revision)?;
    let author = commit.author();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(CommitInfo {
        id: commit.id().to_string(),
        message: text(commit.message_bytes()),
        author: format!(
            "{} <{}>",
            text(author.name_bytes()),
            text(author.email_bytes())
        ),
    })
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
