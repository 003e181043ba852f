//! How far the watching of a repository is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::store::OwnerId;
use crate::trigger::{Event, EventKind};

/// How far the watching of a repository is: what its branches and tags were when it was last looked
/// at, and what was found and is not done yet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Position {
    /// The references by their full name, and what each pointed at. A tag with a message is an object
    /// of its own.
    pub(super) refs: BTreeMap<String, String>,
    /// Commits that branches pointed at before they were deleted or moved back: what is behind them is
    /// known, whoever brings it again.
    pub(super) retired: BTreeSet<String>,
    /// What was found and nobody took yet, oldest first.
    pub(super) found: VecDeque<Change>,
    /// What somebody took and is not done with.
    pub(super) taken: Vec<Taken>,
    /// Whether the repository was looked at before.
    pub(super) begun: bool,
    /// Numbers what was found.
    pub(super) last: u64,
}

/// A change that somebody works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Taken {
    pub(super) change: Change,
    pub(super) by: OwnerId,
}

/// A new commit or tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Change {
    /// Grows with every change of the repository.
    pub number: u64,
    /// What is new.
    pub kind: ChangeKind,
    /// The commit; of a tag, the one it names.
    pub commit: String,
}

/// What is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// A commit that came with a branch.
    Commit {
        /// The branch that brought it; of several the one that was there before.
        branch: String,
        /// Whether the branch points at it; else it lies behind.
        tip: bool,
    },
    /// A commit that no branch has and that came with a tag.
    TaggedCommit {
        /// The tag.
        tag: String,
    },
    /// A tag that was made or moved.
    Tag {
        /// The tag.
        name: String,
        /// Whether it has a message and an author of its own.
        annotated: bool,
    },
}

impl Change {
    /// The event that the change is: a push or a tag. A commit that only a tag brought has no event of
    /// its own, because the tag comes right after it.
    #[must_use]
    pub fn event(&self) -> Option<Event> {
        let kind = match &self.kind {
            ChangeKind::Commit { branch, .. } => EventKind::Push {
                branch: branch.clone(),
            },
            ChangeKind::TaggedCommit { .. } => return None,
            ChangeKind::Tag { name, annotated } => EventKind::Tag {
                name: name.clone(),
                annotated: *annotated,
            },
        };
        Some(Event::new(kind).revision(&self.commit))
    }
}

impl Position {
    /// Whether everything that was found is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.found.is_empty() && self.taken.is_empty()
    }

    /// What was found and nobody took yet, oldest first.
    pub fn found(&self) -> impl Iterator<Item = &Change> {
        self.found.iter()
    }

    pub(super) fn add(&mut self, kind: ChangeKind, commit: String) {
        self.last += 1;
        self.found.push_back(Change {
            number: self.last,
            kind,
            commit,
        });
    }

    /// Takes up to `most` changes for `owner`, oldest first: what an owner took that is gone comes
    /// before what nobody took.
    pub(super) fn take(&mut self, owner: &OwnerId, most: usize) -> Vec<Change> {
        let gone = |taken: &&mut Taken| taken.by != *owner && taken.by.lives() == Some(false);
        let mut changes: Vec<Change> = Vec::new();
        for taken in self.taken.iter_mut().filter(gone).take(most) {
            taken.by = owner.clone();
            changes.push(taken.change.clone());
        }
        let room = most.saturating_sub(changes.len()).min(self.found.len());
        for change in self.found.drain(..room) {
            changes.push(change.clone());
            let by = owner.clone();
            self.taken.push(Taken { change, by });
        }
        changes
    }

    /// Forgets a change. False if it was not taken.
    pub(super) fn done(&mut self, number: u64) -> bool {
        let before = self.taken.len();
        self.taken.retain(|taken| taken.change.number != number);
        self.taken.len() < before
    }
}
