//! What is new in a repository since it was last looked at.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{ObjectType, Oid, Repository, Sort};

use super::position::{ChangeKind, Position};
use crate::vcs::{VcsError, other_error};

const BRANCHES: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";
const REMOTES: &str = "refs/remotes/";

/// How many retired commits are kept before those that branches have again are looked for.
const MANY: usize = 64;

/// How a repository is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ScanOptions {
    /// What of a repository that was never looked at is new.
    pub first: First,
    /// Whether the branches of remotes, as the last fetch brought them, count too.
    pub remotes: bool,
}

/// What is new in a repository that was never looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum First {
    /// Nothing: watching begins now.
    #[default]
    Nothing,
    /// The commit that each branch points at, and nothing behind it.
    Tips,
    /// Every commit and tag.
    Everything,
}

/// Looks at a repository, adds to `position` what is new, and gives how many changes that are.
///
/// Every commit is new once, whatever branch or tag has it: parents before children, branches that were
/// there before new ones, then the one that is checked out before the others, tags last. Commits that a force-push, a rebase or a deletion takes
/// from a branch stay known, as long as the repository still has the objects. In a shallow repository
/// what lies behind its edge does not exist; deepening it brings nothing new.
///
/// Blocks while it reads the repository.
///
/// # Errors
/// When the repository cannot be read; `position` is not changed then.
pub fn scan(
    repository: &Path,
    position: &mut Position,
    options: ScanOptions,
) -> Result<usize, VcsError> {
    let git = crate::vcs::open(repository)?;
    let now = references(&git, options.remotes)?;
    if position.begun && now == position.refs {
        return Ok(0);
    }
    let mut next = position.clone();
    let (before, first) = (next.last, !next.begun);
    next.begun = true;
    if first && options.first != First::Everything {
        if options.first == First::Tips {
            add_tips(&git, &now, &mut next);
        }
    } else {
        retire(&git, &now, &mut next);
        add_new(&git, &now, &mut next)?;
    }
    next.refs = now;
    *position = next;
    Ok(usize::try_from(position.last - before).unwrap_or(usize::MAX))
}

/// The branches and tags with what they point at. Symbolic ones are left out: what they name counts.
fn references(git: &Repository, remotes: bool) -> Result<BTreeMap<String, String>, VcsError> {
    let failed = other_error("the references cannot be read");
    let mut found = BTreeMap::new();
    for reference in git.references().map_err(&failed)? {
        // One that is deleted meanwhile is one that is not there.
        let Ok(reference) = reference else { continue };
        let (Ok(name), Some(target)) = (reference.name(), reference.target()) else {
            continue;
        };
        let counts = name.starts_with(BRANCHES)
            || name.starts_with(TAGS)
            || (remotes && name.starts_with(REMOTES));
        if counts {
            found.insert(name.to_owned(), target.to_string());
        }
    }
    Ok(found)
}

/// Remembers the commits that branches and tags pointed at and no longer have behind them.
fn retire(git: &Repository, now: &BTreeMap<String, String>, position: &mut Position) {
    for (name, old) in &position.refs {
        let new = now.get(name);
        if new == Some(old) {
            continue;
        }
        let (Some(old), new) = (commit(git, old), new.and_then(|new| commit(git, new))) else {
            continue;
        };
        let is_behind = |new| git.graph_descendant_of(new, old).unwrap_or(false);
        if !new.is_some_and(is_behind) {
            position.retired.insert(old.to_string());
        }
    }
    // What is gone for good cannot be hidden any more.
    position.retired.retain(|old| commit(git, old).is_some());
    if position.retired.len() > MANY {
        let tips: Vec<Oid> = now.values().filter_map(|hash| commit(git, hash)).collect();
        position.retired.retain(|old| {
            let Ok(old) = Oid::from_str(old) else {
                return false;
            };
            let mut tips = tips.iter();
            !tips.any(|tip| *tip == old || git.graph_descendant_of(*tip, old).unwrap_or(false))
        });
    }
}

/// Adds what is new behind every branch and tag that is new or has moved.
fn add_new(
    git: &Repository,
    now: &BTreeMap<String, String>,
    position: &mut Position,
) -> Result<(), VcsError> {
    let old = position.refs.values().chain(&position.retired);
    let mut known: Vec<Oid> = old.filter_map(|hash| commit(git, hash)).collect();
    for name in in_order(git, now, position) {
        let Some(hash) = now.get(name) else { continue };
        if position.refs.get(name) == Some(hash) {
            continue;
        }
        let tag = name.strip_prefix(TAGS);
        // A tag may name a file or a directory: then it has no commit.
        if let Some(tip) = commit(git, hash) {
            for id in behind(git, tip, &known)? {
                let kind = match tag {
                    Some(tag) => ChangeKind::TaggedCommit {
                        tag: tag.to_owned(),
                    },
                    None => ChangeKind::Commit {
                        branch: branch(name).to_owned(),
                        tip: id == tip,
                    },
                };
                position.add(kind, id.to_string());
            }
            known.push(tip);
            if let Some(tag) = tag {
                let kind = ChangeKind::Tag {
                    name: tag.to_owned(),
                    annotated: is_annotated(git, hash),
                };
                position.add(kind, tip.to_string());
            }
        }
    }
    Ok(())
}

/// Adds the commit of each branch.
fn add_tips(git: &Repository, now: &BTreeMap<String, String>, position: &mut Position) {
    let mut seen = std::collections::HashSet::new();
    for name in in_order(git, now, position) {
        let is_branch = !name.starts_with(TAGS);
        let tip = now.get(name).and_then(|hash| commit(git, hash));
        if let Some(tip) = tip.filter(|tip| is_branch && seen.insert(*tip)) {
            let kind = ChangeKind::Commit {
                branch: branch(name).to_owned(),
                tip: true,
            };
            position.add(kind, tip.to_string());
        }
    }
}

/// The commits of `tip` that are not behind `known`, parents first.
fn behind(git: &Repository, tip: Oid, known: &[Oid]) -> Result<Vec<Oid>, VcsError> {
    let failed = other_error("the history cannot be read");
    let mut walk = git.revwalk().map_err(&failed)?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME | Sort::REVERSE)
        .and_then(|()| walk.push(tip))
        .map_err(&failed)?;
    for id in known {
        walk.hide(*id).map_err(&failed)?;
    }
    walk.map(|id| id.map_err(&failed)).collect()
}

/// The names of references in the order in which they bring commits: branches, those of remotes, tags.
/// Of each kind those that were there before come before new ones: who makes a branch from another has
/// not pushed to it. Then the one that is checked out, and the others by name.
fn in_order<'a>(
    git: &Repository,
    now: &'a BTreeMap<String, String>,
    position: &Position,
) -> Vec<&'a str> {
    let head = git
        .find_reference("HEAD")
        .ok()
        .and_then(|head| Some(head.symbolic_target().ok()??.to_owned()));
    let mut names: Vec<&str> = now.keys().map(String::as_str).collect();
    names.sort_by_key(|name| {
        let kind = [BRANCHES, REMOTES, TAGS]
            .iter()
            .position(|kind| name.starts_with(kind));
        let is_new = !position.refs.contains_key(*name);
        (kind, is_new, Some(*name) != head.as_deref(), *name)
    });
    names
}

/// The commit that a hash names, through a tag's object; `None` if there is none or it is not here.
fn commit(git: &Repository, hash: &str) -> Option<Oid> {
    let object = git.find_object(Oid::from_str(hash).ok()?, None).ok()?;
    object.peel_to_commit().ok().map(|commit| commit.id())
}

fn is_annotated(git: &Repository, hash: &str) -> bool {
    let object = Oid::from_str(hash).and_then(|id| git.find_object(id, None));
    object.is_ok_and(|object| object.kind() == Some(ObjectType::Tag))
}

fn branch(name: &str) -> &str {
    let local = name.strip_prefix(BRANCHES);
    local
        .or_else(|| name.strip_prefix(REMOTES)?.split_once('/').map(|it| it.1))
        .unwrap_or(name)
}
