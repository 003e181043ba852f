//! Joining coverage: of pieces of one report, of shards, of runs.
//!
//! Merging is commutative and associative, so that shards can come in any order and in any
//! grouping; [`Join::Max`] is also idempotent. What the formats do not tell apart cannot be joined
//! exactly: of branches that are only counted the largest count stays, as of stated sums.

use super::count::Join;
use super::model::{Branch, BranchCount, Coverage, FileCoverage, Function, Line};

impl Coverage {
    /// Takes in `other`, adding the counts of what both have.
    pub fn merge(&mut self, other: Self) {
        self.merge_with(other, Join::Sum);
    }

    /// Takes in `other`; counts of what both have join as `join` says.
    pub fn merge_with(&mut self, other: Self, join: Join) {
        self.roots.extend(other.roots);
        for (path, file) in other.files {
            self.add_file(path, file, join);
        }
    }

    pub(super) fn add_file(&mut self, path: Box<str>, file: FileCoverage, join: Join) {
        use std::collections::btree_map::Entry;
        match self.files.entry(path) {
            Entry::Vacant(entry) => {
                entry.insert(file);
            }
            Entry::Occupied(mut entry) => entry.get_mut().merge_with(file, join),
        }
    }
}

impl FileCoverage {
    /// Takes in `other`, which is about the same file.
    pub fn merge_with(&mut self, other: Self, join: Join) {
        append(&mut self.lines, other.lines);
        append(&mut self.branches, other.branches);
        append(&mut self.branch_counts, other.branch_counts);
        append(&mut self.functions, other.functions);
        self.stated = self.stated.larger(other.stated);
        self.normalize(join);
    }

    /// Brings everything into its order and joins what is there several times.
    pub(super) fn normalize(&mut self, join: Join) {
        normalize(&mut self.lines, join);
        normalize(&mut self.branches, join);
        normalize(&mut self.branch_counts, join);
        normalize(&mut self.functions, join);
    }
}

/// A fact with a key, of which there is one in a file.
pub(super) trait Fact {
    /// Less, equal or greater by key.
    fn order(&self, other: &Self) -> std::cmp::Ordering;
    /// Takes in a fact with the same key.
    fn absorb(&mut self, other: &Self, join: Join);
}

impl Fact for Line {
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.number.cmp(&other.number)
    }

    fn absorb(&mut self, other: &Self, join: Join) {
        self.hits = self.hits.join(other.hits, join);
    }
}

impl Fact for Branch {
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }

    fn absorb(&mut self, other: &Self, join: Join) {
        self.taken = self.taken.join(other.taken, join);
        self.kind = self.kind.max(other.kind);
    }
}

impl Fact for BranchCount {
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.line.cmp(&other.line)
    }

    fn absorb(&mut self, other: &Self, _: Join) {
        self.covered = self.covered.max(other.covered);
        self.total = self.total.max(other.total);
    }
}

impl Fact for Function {
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.name.cmp(&other.name)
    }

    fn absorb(&mut self, other: &Self, join: Join) {
        self.hits = self.hits.join(other.hits, join);
        // `None` is less than any line, so the smallest start needs care and the largest end none.
        self.start = match (self.start, other.start) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.end = self.end.max(other.end);
    }
}

fn append<T>(into: &mut Vec<T>, mut from: Vec<T>) {
    if into.is_empty() {
        *into = from;
    } else {
        into.append(&mut from);
    }
}

/// Sorts by key and joins equal keys. A list that is in order already is only looked at; two lists
/// in order, one behind the other, are merged in linear time by the sort.
fn normalize<T: Fact>(facts: &mut Vec<T>, join: Join) {
    if facts.is_sorted_by(|a, b| a.order(b).is_lt()) {
        return;
    }
    facts.sort_by(Fact::order);
    facts.dedup_by(|later, first| {
        let same = first.order(later).is_eq();
        if same {
            first.absorb(later, join);
        }
        same
    });
}
