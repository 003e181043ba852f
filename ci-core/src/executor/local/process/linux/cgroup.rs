//! A control group for a session, version 2: what is in it cannot leave it by setsid, by a second
//! fork or by clearing its environment. See the kernel's admin-guide/cgroup-v2.rst.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Access, access};

use super::proc;
use super::table::Pid;

/// What the names of all groups that the engine makes start with.
const PREFIX: &str = "ci-core-";

/// The group that this process is in, where it may make groups below it.
#[derive(Debug, Clone)]
pub(super) struct Parent {
    dir: PathBuf,
}

impl Parent {
    /// Looks for a group that may be used. Groups are made below the engine's own group and nowhere
    /// else, so that limits on the engine go on to hold for its jobs.
    pub(super) fn find() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let dir = locate(&mounts, &own)?;
        let may_use = |path: &Path, how| access(path, how).is_ok();
        (may_use(&dir, Access::WRITE_OK | Access::EXEC_OK)
            && may_use(&dir.join("cgroup.procs"), Access::WRITE_OK))
        .then_some(Self { dir })
    }

    /// A new group.
    pub(super) fn make(&self, name: &str) -> io::Result<Cgroup> {
        let dir = self.dir.join(format!("{PREFIX}{name}"));
        fs::create_dir(&dir)?;
        Ok(Cgroup { dir })
    }

    /// The groups whose names start with `name`.
    pub(super) fn named(&self, name: &str) -> Vec<Cgroup> {
        let start = format!("{PREFIX}{name}");
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return Vec::new();
        };
        entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&start))
            .map(|entry| Cgroup { dir: entry.path() })
            .collect()
    }
}

/// A session's group.
#[derive(Debug)]
pub(super) struct Cgroup {
    dir: PathBuf,
}

impl Cgroup {
    /// Moves a process into the group; what it starts from now on is in the group too.
    pub(super) fn add(&self, pid: Pid) -> io::Result<()> {
        fs::write(self.dir.join("cgroup.procs"), pid.to_string())
    }

    /// The processes in the group.
    pub(super) fn members(&self) -> BTreeSet<Pid> {
        proc::listed(&self.dir.join("cgroup.procs"))
    }

    /// Whether `pid`, dead or alive, is in the group.
    pub(super) fn has(&self, pid: Pid) -> bool {
        let Some(name) = self.dir.file_name().and_then(|name| name.to_str()) else {
            return false;
        };
        fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| {
            groups
                .lines()
                .filter_map(|line| line.strip_prefix("0::"))
                .any(|path| path.split('/').any(|part| part == name))
        })
    }

    /// Whether a living process is in the group.
    pub(super) fn populated(&self) -> bool {
        fs::read_to_string(self.dir.join("cgroup.events"))
            .is_ok_and(|events| events.lines().any(|line| line == "populated 1"))
    }

    /// Kills everything in the group at once; processes that are just being made cannot slip through.
    pub(super) fn kill(&self) {
        // Kernels before 5.14 have no such file; the sweep kills what is listed there.
        let _ = fs::write(self.dir.join("cgroup.kill"), "1");
    }

    /// Removes the group, which must be empty. The kernel needs a moment after the last exit.
    pub(super) async fn remove(&self) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_millis(200);
        loop {
            match fs::remove_dir(&self.dir) {
                Err(error)
                    if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline =>
                {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                done => return done,
            }
        }
    }

    /// The group's path, for people.
    pub(super) fn path(&self) -> &Path {
        &self.dir
    }
}

/// Where the version 2 group of this process is mounted, from the texts of `/proc/self/mountinfo` and
/// `/proc/self/cgroup`.
fn locate(mounts: &str, own: &str) -> Option<PathBuf> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        if right.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let mut fields = left.split(' ').skip(3);
        let root = unescape(fields.next()?);
        let point = unescape(fields.next()?);
        let below = Path::new(own).strip_prefix(root).ok()?;
        Some(Path::new(&point).join(below))
    })
}

/// Undoes the octal escapes of mountinfo.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw,relatime shared:9 - cgroup2 cgroup2 rw";

    #[test]
    fn the_own_group_is_found_below_the_mount() {
        let own = "8:pids:/other\n0::/user.slice/a\n";
        let expected = Path::new("/sys/fs/cgroup/uni fied/user.slice/a");
        assert_eq!(locate(HYBRID, own).as_deref(), Some(expected));
        assert_eq!(locate(HYBRID, "8:pids:/other\n"), None);
        assert_eq!(locate("", own), None);
    }

    #[test]
    fn a_mount_that_does_not_show_the_own_group_is_no_use() {
        let mounts = "41 31 0:38 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup rw";
        let at = |own: &str| locate(mounts, own);
        assert_eq!(
            at("0::/docker/x/y"),
            Some(PathBuf::from("/sys/fs/cgroup/y"))
        );
        assert_eq!(at("0::/docker/z"), None);
    }
}
