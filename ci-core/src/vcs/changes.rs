//! Which paths changed since a base.

use std::collections::BTreeSet;
use std::path::Path;

use git2::{Commit, Diff, DiffOptions, ErrorCode, Repository};

use super::discover::open;
use super::error::other;
use super::{VcsError, VcsErrorKind};

/// Which changes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ChangeScope {
    /// Those of the commits since the base: what a CI server sees.
    #[default]
    Commits,
    /// Also those of the working tree: staged, not staged and not tracked, but not ignored.
    WorkingTree,
}

/// The paths, relative to the root and sorted, that changed from the common ancestor of `base` and
/// `HEAD` to `HEAD`. A file that was moved counts under both names. `base` is a branch (also one that
/// only `origin` has), a tag or a commit.
///
/// Blocks while it reads the repository.
pub fn changed_paths(
    repository: &Path,
    base: &str,
    scope: ChangeScope,
) -> Result<Vec<String>, VcsError> {
    let repository = open(repository)?;
    let base = commit(&repository, base)?;
    let head = commit(&repository, "HEAD")?;
    let ancestor = repository
        .merge_base(base.id(), head.id())
        .map_err(|error| match error.code() {
            ErrorCode::NotFound => {
                let message = format!(
                    "`{}` and `{}` have no common ancestor here; a shallow clone may have to fetch more",
                    base.id(),
                    head.id(),
                );
                VcsError::new(VcsErrorKind::NoCommonAncestor, message)
            }
            _ => other("the common ancestor cannot be found")(error),
        })?;
    let cannot_compare = other("the revisions cannot be compared");
    let before = repository
        .find_commit(ancestor)
        .and_then(|commit| commit.tree())
        .map_err(&cannot_compare)?;
    let after = head.tree().map_err(&cannot_compare)?;
    let mut paths = BTreeSet::new();
    let commits = repository
        .diff_tree_to_tree(Some(&before), Some(&after), None)
        .map_err(&cannot_compare)?;
    collect(&commits, &mut paths);
    if scope == ChangeScope::WorkingTree && !repository.is_bare() {
        let mut options = DiffOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true);
        let working = repository
            .diff_tree_to_workdir_with_index(Some(&after), Some(&mut options))
            .map_err(other("the working tree cannot be compared"))?;
        collect(&working, &mut paths);
    }
    Ok(paths.into_iter().collect())
}

/// The paths that one commit changed against its first parent; of a commit without parents here, all
/// of its paths. A file that was moved counts under both names.
///
/// Blocks while it reads the repository.
pub fn changed_in(repository: &Path, revision: &str) -> Result<Vec<String>, VcsError> {
    let repository = open(repository)?;
    let commit = commit(&repository, revision)?;
    let cannot_compare = other("the revisions cannot be compared");
    let after = commit.tree().map_err(&cannot_compare)?;
    // A shallow repository may know the parent's hash and not have it.
    let before = commit.parent(0).and_then(|parent| parent.tree()).ok();
    let diff = repository
        .diff_tree_to_tree(before.as_ref(), Some(&after), None)
        .map_err(&cannot_compare)?;
    let mut paths = BTreeSet::new();
    collect(&diff, &mut paths);
    Ok(paths.into_iter().collect())
}

fn collect(diff: &Diff<'_>, paths: &mut BTreeSet<String>) {
    for delta in diff.deltas() {
        for file in [delta.old_file(), delta.new_file()] {
            if let Some(path) = file.path() {
                paths.insert(path.to_string_lossy().into_owned());
            }
        }
    }
}

pub(super) fn commit<'repo>(
    repository: &'repo Repository,
    revision: &str,
) -> Result<Commit<'repo>, VcsError> {
    let find = |name: &str| repository.revparse_single(name)?.peel_to_commit();
    find(revision)
        .or_else(|error| find(&format!("origin/{revision}")).map_err(|_| error))
        .map_err(|error| {
            let message = format!("`{revision}` is no revision of the repository");
            VcsError::new(VcsErrorKind::UnknownRevision, message).because(error)
        })
}
