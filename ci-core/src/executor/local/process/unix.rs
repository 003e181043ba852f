//! The process trees of a session on Unix systems other than Linux: process groups. A process that
//! leaves its group is not found there.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Ended;
use crate::executor::local::env::Marker;
use crate::id::RunId;

/// How long to wait for processes to be gone that were killed.
const FORCE: Duration = Duration::from_secs(10);

/// What may be used to find processes: here nothing beside groups.
#[derive(Debug, Clone, Default)]
pub(in crate::executor::local) struct Options;

impl Options {
    pub(in crate::executor::local) fn new(_subreaper: bool, _cgroups: bool) -> Self {
        Self
    }
}

/// All process trees of a session.
#[derive(Debug)]
pub(in crate::executor::local) struct Trees {
    marker: Marker,
    commands: AtomicU64,
    groups: Arc<Mutex<BTreeSet<i32>>>,
}

impl Trees {
    pub(in crate::executor::local) fn new(marker: Marker, _options: Options) -> Self {
        Self {
            marker,
            commands: AtomicU64::new(0),
            groups: Arc::default(),
        }
    }

    /// The number and the marker of the next command.
    pub(in crate::executor::local) fn next(&self) -> (u64, String) {
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        (number, self.marker.of_command(number))
    }

    /// Starts a command in a group of its own.
    pub(in crate::executor::local) fn spawn(
        &self,
        _number: u64,
        mut command: Command,
    ) -> io::Result<Running> {
        command.process_group(0);
        let mut command = tokio::process::Command::from(command);
        let child = command.kill_on_drop(true).spawn()?;
        let group = child
            .id()
            .and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        let group = group.ok_or_else(|| io::Error::other("the process has no number"))?;
        lock(&self.groups).insert(group.as_raw_pid());
        Ok(Running {
            child,
            group,
            groups: Arc::clone(&self.groups),
        })
    }

    /// Ends everything that still runs, and says what could not be ended.
    pub(in crate::executor::local) async fn end(&self, grace: Duration) -> Vec<String> {
        let groups: Vec<Pid> = {
            let groups = lock(&self.groups);
            groups.iter().copied().filter_map(Pid::from_raw).collect()
        };
        let mut left = Vec::new();
        for group in groups {
            left.extend(end(group, grace).await);
        }
        left
    }
}

/// A command that runs.
#[derive(Debug)]
pub(in crate::executor::local) struct Running {
    child: Child,
    group: Pid,
    groups: Arc<Mutex<BTreeSet<i32>>>,
}

impl Running {
    /// The reading ends of the command's output.
    pub(in crate::executor::local) fn pipes(
        &mut self,
    ) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Waits for the end of the command's direct process; ends the whole group when `cancel` says so.
    pub(in crate::executor::local) async fn ended(
        &mut self,
        cancel: &CancellationToken,
        grace: Duration,
    ) -> io::Result<Ended> {
        tokio::select! {
            biased;
            status = self.child.wait() => return Ok(Ended::Exited(status?)),
            () = cancel.cancelled() => {}
        }
        // A dead process stays in its group until somebody waits for it.
        let (left, status) = tokio::join!(end(self.group, grace), self.child.wait());
        status?;
        Ok(Ended::Stopped(left))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // As long as others are in the group its number cannot belong to anybody else.
        if gone(self.group) {
            lock(&self.groups).remove(&self.group.as_raw_pid());
        }
    }
}

/// Ends a group: asks, waits, forces. Says what is left.
async fn end(group: Pid, grace: Duration) -> Vec<String> {
    for (signal, patience) in [(Signal::TERM, grace), (Signal::KILL, FORCE)] {
        let _ = kill_process_group(group, signal);
        // A process that is stopped cannot end before it goes on.
        let _ = kill_process_group(group, Signal::CONT);
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(1);
        while !gone(group) && Instant::now() < deadline {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        if gone(group) {
            return Vec::new();
        }
    }
    vec![format!("process group {}", group.as_raw_pid())]
}

fn gone(group: Pid) -> bool {
    test_kill_process_group(group) == Err(Errno::SRCH)
}

fn lock(groups: &Mutex<BTreeSet<i32>>) -> std::sync::MutexGuard<'_, BTreeSet<i32>> {
    groups.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a dead engine left cannot be found here.
pub(in crate::executor::local) async fn reap(
    _run: RunId,
    _options: &Options,
    _grace: Duration,
) -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}
