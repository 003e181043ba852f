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
            Entry::Occupied(mut entry) => entry.get_mut().merge_with(&file, join),
        }
    }
}

impl FileCoverage {
    /// Takes in `other`, which is about the same file.
    pub fn merge_with(&mut self, other: &Self, join: Join) {
        self.lines = self.lines.joined::<Line>(&other.lines, join);
        self.branches = self.branches.joined::<Branch<'_>>(&other.branches, join);
        self.branch_counts = (self.branch_counts).joined::<BranchCount>(&other.branch_counts, join);
        self.functions = (self.functions).joined::<Function<'_>>(&other.functions, join);
        self.stated = self.stated.larger(other.stated);
    }
}
