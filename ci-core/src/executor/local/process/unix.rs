//! Unix systems without `/proc`: processes are known by their group.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rustix::process::{Pid, test_kill_process, test_kill_process_group};

use super::super::tree::Marks;

/// Orphans fall to the first process of the system.
pub(in super::super) fn adopt_orphans() {}

/// The leaders of those of `groups` in which a process lives. A signal to one of them reaches the
/// leader; the members follow when their terminal or pipe is gone, and are forced by the group.
pub(in super::super) fn find(_marks: &Marks, groups: &[u32]) -> BTreeSet<u32> {
    groups
        .iter()
        .copied()
        .filter(|group| lives(*group, test_kill_process_group))
        .collect()
}

/// Whether anything is left of these groups.
pub(in super::super) fn something_lives(groups: &[u32], _children: &BTreeSet<u32>) -> bool {
    groups
        .iter()
        .any(|group| lives(*group, test_kill_process_group))
}

fn lives(pid: u32, test: impl Fn(Pid) -> rustix::io::Result<()>) -> bool {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| test(pid).is_ok())
}

/// Nothing falls to this process.
pub(in super::super) fn reap(_pids: impl Iterator<Item = u32>) {}

/// Whether the process that made a run's directory lives.
pub(in super::super) fn owner_lives(dir: &Path) -> bool {
    let pid = fs::read_to_string(dir.join("owner")).unwrap_or_default();
    pid.trim()
        .parse()
        .is_ok_and(|pid| lives(pid, test_kill_process))
}

/// There are no control groups.
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
