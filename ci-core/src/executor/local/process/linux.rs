//! Processes as `/proc` shows them (proc(5)), orphans, and control groups (cgroups(7)).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Once};

use rustix::process::{Pid, WaitOptions, set_child_subreaper, test_kill_process_group, waitpid};

use super::super::tree::{Marks, Process, members};

/// Makes this process the one that orphaned descendants fall to, once.
pub(in super::super) fn adopt_orphans() {
    static CLAIM: Once = Once::new();
    CLAIM.call_once(|| {
        // Where it fails, marks and groups still find what is left.
        let _ = set_child_subreaper(Some(rustix::process::getpid()));
    });
}

/// The living processes with these marks or in these groups, and their descendants.
pub(in super::super) fn find(marks: &Marks, groups: &[u32]) -> BTreeSet<u32> {
    let mut table = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // A process may end while it is looked at: then it is not in the table.
        if let Some(process) = look_at(&entry.path(), marks) {
            table.insert(pid, process);
        }
    }
    members(&table, groups, std::process::id())
}

fn look_at(dir: &Path, marks: &Marks) -> Option<Process> {
    let stat = fs::read_to_string(dir.join("stat")).ok()?;
    // The name stands in parentheses and may hold anything, parentheses too.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let zombie = matches!(state, "Z" | "X");
    let environ = if zombie {
        Vec::new()
    } else {
        fs::read(dir.join("environ")).unwrap_or_default()
    };
    Some(Process {
        parent,
        group,
        marked: marks.are_in(&environ),
        zombie,
    })
}

/// Whether anything may be left of these groups, or an orphan has fallen to this process. Cheap, and
/// never wrongly `false` while the orphans fall to this process.
pub(in super::super) fn something_lives(groups: &[u32], children: &BTreeSet<u32>) -> bool {
    let group_lives = |group: &u32| {
        let group = i32::try_from(*group).ok().and_then(Pid::from_raw);
        group.is_some_and(|group| test_kill_process_group(group).is_ok())
    };
    if groups.iter().any(group_lives) {
        return true;
    }
    // Orphans fall to the main thread; what other threads have spawned stands elsewhere.
    let main = std::process::id();
    let Ok(text) = fs::read_to_string(format!("/proc/self/task/{main}/children")) else {
        return true;
    };
    text.split_ascii_whitespace()
        .filter_map(|pid| pid.parse::<u32>().ok())
        .any(|pid| !children.contains(&pid))
}

/// Takes the exit status of those of `pids` that have fallen to this process and are dead.
pub(in super::super) fn reap(pids: impl Iterator<Item = u32>) {
    for pid in pids {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw)
            && !super::super::exec::is_direct(pid.as_raw_nonzero().get().unsigned_abs())
        {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

/// Whether the process that made a run's directory lives.
pub(in super::super) fn owner_lives(dir: &Path) -> bool {
    let pid = fs::read_to_string(dir.join("owner")).unwrap_or_default();
    let pid = pid.trim();
    !pid.is_empty() && Path::new("/proc").join(pid).exists()
}

/// A control group for a session's long-running commands, made when the first of them is put in.
#[derive(Debug)]
pub(in super::super) struct Contained {
    dir: Option<PathBuf>,
}

impl Contained {
    /// The group of this name, which does not exist yet.
    pub(in super::super) fn new(name: &str) -> Self {
        Self {
            dir: hierarchy().map(|mount| mount.join(format!("ci-core-{name}"))),
        }
    }

    /// Puts a process in. What it forks from now on is in, too, whatever it does.
    pub(in super::super) fn put(&self, pid: u32) {
        let Some(dir) = &self.dir else { return };
        // A group is a help where it is allowed: without it the other means remain.
        if fs::create_dir(dir).is_ok() || dir.is_dir() {
            let _ = fs::write(dir.join("cgroup.procs"), pid.to_string());
        }
    }

    /// Kills all that is in, at once and for good.
    pub(in super::super) fn kill(&self) {
        if let Some(dir) = &self.dir {
            let _ = fs::write(dir.join("cgroup.kill"), "1");
        }
    }

    /// Whether a process is in.
    pub(in super::super) fn is_populated(&self) -> bool {
        let Some(dir) = &self.dir else { return false };
        let events = fs::read_to_string(dir.join("cgroup.events")).unwrap_or_default();
        events.lines().any(|line| line == "populated 1")
    }

    /// Removes the group once it is empty.
    pub(in super::super) fn remove(&self) {
        if let Some(dir) = &self.dir {
            let _ = fs::remove_dir(dir);
        }
    }
}

/// Where the version 2 hierarchy is mounted, if this process may make groups in it.
fn hierarchy() -> Option<&'static Path> {
    static MOUNT: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let mount = mounts.lines().find_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            (right.split(' ').next()? == "cgroup2").then(|| left.split(' ').nth(4))?
        })?;
        // Below our own group: what a container manager gave us is ours to divide.
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
        let dir = Path::new(mount).join(own.trim_start_matches('/'));
        let probe = dir.join(format!("ci-core-probe-{}", std::process::id()));
        fs::create_dir(&probe).ok()?;
        let kills = probe.join("cgroup.kill").exists();
        fs::remove_dir(&probe).ok()?;
        kills.then_some(dir)
    });
    MOUNT.as_deref()
}
