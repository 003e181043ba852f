//! Windows: job objects hold all that a command started.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::tree::Marks;
use super::spawn_windows::lives;

/// A job object keeps orphans.
pub(in super::super) fn adopt_orphans() {}

/// Those of `groups` whose job object is still there.
pub(in super::super) fn find(_marks: &Marks, groups: &[u32]) -> BTreeSet<u32> {
    groups.iter().copied().filter(|pid| lives(*pid)).collect()
}

/// Whether anything is left of these groups.
pub(in super::super) fn something_lives(groups: &[u32], _children: &BTreeSet<u32>) -> bool {
    groups.iter().any(|pid| lives(*pid))
}

/// Nothing falls to this process.
pub(in super::super) fn reap(_pids: impl Iterator<Item = u32>) {}

/// A job object ends with the process that made it, so nothing is ever left to clean up but files: and
/// those are kept while it cannot be told whether their owner lives.
pub(in super::super) fn owner_lives(_dir: &Path) -> bool {
    true
}

/// Job objects do what control groups do.
#[derive(Debug)]
pub(in super::super) struct Contained;

impl Contained {
    pub(in super::super) fn new(_name: &str) -> Self {
        Self
    }

    pub(in super::super) fn put(&self, _pid: u32) {}

    pub(in super::super) fn kill(&self) {}

    pub(in super::super) fn is_populated(&self) -> bool {
        false
    }

    pub(in super::super) fn remove(&self) {}
}
