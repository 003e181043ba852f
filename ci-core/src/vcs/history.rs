//! Which commits a revision has that an earlier one has not.

use std::path::Path;

use git2::Sort;

use super::changes::commit;
use super::discover::open;
use super::error::other;
use super::{CommitInfo, VcsError};

/// The commits from one revision to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CommitRange {
    /// The commits, newest first, at most as many as were asked for.
    pub commits: Vec<CommitInfo>,
    /// How many there are in all.
    pub total: usize,
}

/// The commits that `to` has and `from` has not: what `git log from..to` lists. `most` of them are
/// given, all are counted.
///
/// Blocks while it reads the repository.
pub fn commits_between(
    repository: &Path,
    from: &str,
    to: &str,
    most: usize,
) -> Result<CommitRange, VcsError> {
    let repository = open(repository)?;
    let (from, to) = (commit(&repository, from)?, commit(&repository, to)?);
    let cannot_walk = other("the commits cannot be listed");
    let mut walk = repository.revwalk().map_err(&cannot_walk)?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)
        .map_err(&cannot_walk)?;
    walk.push(to.id()).map_err(&cannot_walk)?;
    walk.hide(from.id()).map_err(&cannot_walk)?;
    let mut range = CommitRange::default();
    for id in walk {
        let id = id.map_err(&cannot_walk)?;
        range.total += 1;
        if range.commits.len() < most {
            let commit = repository.find_commit(id).map_err(&cannot_walk)?;
            range.commits.push(CommitInfo::of(&commit));
        }
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vcs::tests::repo::TestRepo;

    #[test]
    fn only_what_came_after_is_listed() {
        let repository = TestRepo::new();
        let [first, second, third] =
            ["one.txt", "two.txt", "three.txt"].map(|file| repository.put(file, "x").to_string());
        let range = commits_between(&repository.root(), &first, &third, 1).expect("listed");
        assert_eq!(range.total, 2);
        assert_eq!(range.commits[0].id, third);
        assert_eq!(range.commits[0].subject(), "three.txt");
        let none = commits_between(&repository.root(), &third, &second, 9).expect("listed");
        assert_eq!(none, CommitRange::default());
        assert!(commits_between(&repository.root(), "no-such-revision", &third, 9).is_err());
    }
}
