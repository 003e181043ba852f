//! The process trees of a session on Linux.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid as RawPid, getpid, set_child_subreaper, test_kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio_util::sync::CancellationToken;

use super::cgroup::{Cgroup, Parent};
use super::hunt::{Bag, Quarry};
use super::mark::Mark;
use super::marker::Signs;
use super::table::{Evidence, Pid, Process};
use super::{children, proc};
use crate::executor::local::env::Marker;
use crate::executor::local::process::Ended;
use crate::id::RunId;

/// After this long a command is moved into the session's cgroup. Moving waits for the kernel for some
/// ten milliseconds, which short commands should not pay for.
const SETTLE: Duration = Duration::from_millis(250);

/// How often the orphans of a running command that have ended are buried, lest they pile up.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What may be used to find processes.
#[derive(Debug, Clone, Default)]
pub(in crate::executor::local) struct Options {
    subreaper: bool,
    cgroups: Option<Parent>,
}

impl Options {
    /// Makes this process a child subreaper and looks for a cgroup, as far as wanted.
    pub(in crate::executor::local) fn new(subreaper: bool, cgroups: bool) -> Self {
        Self {
            subreaper: subreaper && set_child_subreaper(Some(getpid())).is_ok(),
            cgroups: cgroups.then(Parent::find).flatten(),
        }
    }

    /// Whether control groups can be made.
    #[cfg(test)]
    pub(in crate::executor::local) fn confines(&self) -> bool {
        self.cgroups.is_some()
    }
}

/// All process trees of a session.
#[derive(Debug)]
pub(in crate::executor::local) struct Trees {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    marker: Marker,
    options: Options,
    commands: AtomicU64,
    groups: Mutex<Groups>,
    cgroup: OnceLock<Option<Arc<Cgroup>>>,
}

/// Process groups of the session; each has the number of the command that leads it.
#[derive(Debug, Default)]
struct Groups {
    running: BTreeSet<Pid>,
    /// The command has ended and others of its group had not.
    left: BTreeSet<Pid>,
}

impl Trees {
    pub(in crate::executor::local) fn new(marker: Marker, options: Options) -> Self {
        Self {
            shared: Arc::new(Shared {
                marker,
                options,
                commands: AtomicU64::new(0),
                groups: Mutex::default(),
                cgroup: OnceLock::new(),
            }),
        }
    }

    /// The number and the marker of the next command.
    pub(in crate::executor::local) fn next(&self) -> (u64, String) {
        let number = self.shared.commands.fetch_add(1, Ordering::Relaxed);
        (number, self.shared.marker.of_command(number))
    }

    /// Starts the command that was given `number`.
    pub(in crate::executor::local) fn spawn(
        &self,
        number: u64,
        mut command: Command,
    ) -> io::Result<Running> {
        command.process_group(0);
        let mut command = tokio::process::Command::from(command);
        let child = command.kill_on_drop(true).spawn()?;
        let pid = child.id().and_then(|pid| Pid::try_from(pid).ok());
        let pid = pid.ok_or_else(|| io::Error::other("the process has no number"))?;
        Mark::of_command(&self.shared.marker, number).put_on(pid);
        self.shared.groups().running.insert(pid);
        Ok(Running {
            child,
            pid,
            number,
            shared: Arc::clone(&self.shared),
            _awaited: children::Awaited::new(pid),
        })
    }

    /// Ends everything that still runs, and says what could not be ended.
    pub(in crate::executor::local) async fn end(&self, grace: Duration) -> Vec<String> {
        let shared = &self.shared;
        let mut left = Vec::new();
        if !shared.quiet() {
            left = Arc::new(shared.quarry()).end(grace).await.left;
        }
        if let Some(Some(cgroup)) = shared.cgroup.get()
            && let Err(error) = cgroup.remove().await
        {
            left.push(format!(
                "control group `{}`: {error}",
                cgroup.path().display()
            ));
        }
        left
    }
}

impl Shared {
    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether surely nothing of the session is left. Cheap where that is so.
    fn quiet(&self) -> bool {
        if self.commands.load(Ordering::Relaxed) == 0 {
            return true;
        }
        let mut groups = self.groups();
        groups.left.retain(|group| exists(*group));
        let known = groups.running.is_empty() && groups.left.is_empty();
        drop(groups);
        let confined = |cgroup: &Arc<Cgroup>| cgroup.populated();
        if !known
            || self
                .cgroup
                .get()
                .and_then(Option::as_ref)
                .is_some_and(confined)
        {
            return false;
        }
        if !self.options.subreaper {
            return false;
        }
        // Whatever lives on is a child of the engine by now, or below one that is.
        match children::others() {
            Some(others) if others.is_empty() => true,
            Some(others) => {
                self.bury();
                let signs = self.marker.signs();
                !others.iter().any(|pid| proc::carries(*pid, &signs))
            }
            None => false,
        }
    }

    /// Takes note of the end of orphans of the session.
    fn bury(&self) {
        let groups: BTreeSet<Pid> = {
            let groups = self.groups();
            groups.running.union(&groups.left).copied().collect()
        };
        let cgroup = self.cgroup.get().and_then(Option::as_ref);
        children::bury(|dead: &Process| {
            groups.contains(&dead.group) || cgroup.is_some_and(|cgroup| cgroup.has(dead.pid))
        });
    }

    /// Everything of the session.
    fn quarry(&self) -> Quarry {
        let groups = self.groups();
        Quarry {
            signs: Some(self.marker.signs()),
            evidence: Evidence {
                roots: groups.running.clone(),
                groups: groups.running.union(&groups.left).copied().collect(),
                ..Evidence::default()
            },
            cgroups: self.cgroup.get().cloned().flatten().into_iter().collect(),
            group: None,
        }
    }

    /// The session's cgroup, made now if it was not yet and can be.
    fn confine(&self) -> Option<&Arc<Cgroup>> {
        let make = || {
            let parent = self.options.cgroups.as_ref()?;
            parent.make(&self.marker.name()).ok().map(Arc::new)
        };
        self.cgroup.get_or_init(make).as_ref()
    }
}

/// A command that runs.
#[derive(Debug)]
pub(in crate::executor::local) struct Running {
    child: Child,
    pid: Pid,
    number: u64,
    shared: Arc<Shared>,
    _awaited: children::Awaited,
}

impl Running {
    /// The reading ends of the command's output.
    pub(in crate::executor::local) fn pipes(
        &mut self,
    ) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Waits for the end of the command's direct process; ends the whole tree when `cancel` says so.
    pub(in crate::executor::local) async fn ended(
        &mut self,
        cancel: &CancellationToken,
        grace: Duration,
    ) -> io::Result<Ended> {
        let mut settled = false;
        loop {
            let pause = if settled { HOUSEKEEPING } else { SETTLE };
            tokio::select! {
                biased;
                status = self.child.wait() => return Ok(Ended::Exited(status?)),
                () = cancel.cancelled() => {
                    let Bag { left, .. } = Arc::new(self.quarry()).end(grace).await;
                    if left.is_empty() {
                        self.child.wait().await?;
                    }
                    return Ok(Ended::Stopped(left));
                }
                () = tokio::time::sleep(pause) => {
                    if !settled {
                        self.settle().await;
                        settled = true;
                    }
                    self.shared.bury();
                }
            }
        }
    }

    /// Moves the command and all below it into the session's cgroup.
    async fn settle(&self) {
        let shared = Arc::clone(&self.shared);
        let quarry = self.quarry();
        let work = move || {
            let Some(cgroup) = shared.confine() else {
                return;
            };
            // What is forked while others are moved is found by the next look.
            let mut moved = BTreeSet::new();
            for _ in 0..5 {
                let found = quarry.find();
                let mut news = found.iter().filter(|it| moved.insert(it.pid)).peekable();
                if news.peek().is_none() {
                    break;
                }
                for process in news {
                    let _ = cgroup.add(process.pid);
                }
            }
        };
        let _ = tokio::task::spawn_blocking(work).await;
    }

    /// Everything of the command.
    fn quarry(&self) -> Quarry {
        Quarry {
            signs: Some(self.shared.marker.signs_of(self.number)),
            evidence: Evidence {
                roots: [self.pid].into(),
                groups: [self.pid].into(),
                ..Evidence::default()
            },
            cgroups: Vec::new(),
            group: Some(self.pid),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut groups = self.shared.groups();
        groups.running.remove(&self.pid);
        if exists(self.pid) {
            groups.left.insert(self.pid);
        }
    }
}

/// Whether a process is in `group`.
fn exists(group: Pid) -> bool {
    // Other errors mean that it may not be signaled, and so that it is there.
    RawPid::from_raw(group).is_some_and(|group| test_kill_process_group(group) != Err(Errno::SRCH))
}

/// Ends what is left of `run`, whichever engine started it.
pub(in crate::executor::local) async fn reap(
    run: RunId,
    options: &Options,
    grace: Duration,
) -> (Vec<String>, Vec<String>) {
    let parent = options.cgroups.as_ref();
    let named = parent.map(|parent| parent.named(&run.to_string()));
    let cgroups: Vec<_> = named.into_iter().flatten().map(Arc::new).collect();
    let quarry = Quarry {
        signs: Some(Signs::of_run(run)),
        cgroups: cgroups.clone(),
        ..Quarry::default()
    };
    let Bag {
        mut ended,
        mut left,
    } = Arc::new(quarry).end(grace).await;
    for cgroup in cgroups {
        let path = format!("control group `{}`", cgroup.path().display());
        match cgroup.remove().await {
            Ok(()) => ended.push(path),
            Err(error) => left.push(format!("{path}: {error}")),
        }
    }
    (ended, left)
}
