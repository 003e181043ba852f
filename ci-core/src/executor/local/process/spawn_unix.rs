//! A child process as the leader of its own group.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use rustix::process::{Pid, Signal as UnixSignal, kill_process};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::Signal;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Status {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

/// A running child and its output.
#[derive(Debug)]
pub(in super::super) struct Spawned {
    child: Child,
    pub(in super::super) pid: u32,
    pub(in super::super) stdout: Option<ChildStdout>,
    pub(in super::super) stderr: Option<ChildStderr>,
}

impl Spawned {
    /// Starts the command in a group of its own.
    pub(in super::super) fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.process_group(0).spawn()?;
        let pid = child
            .id()
            .ok_or_else(|| io::Error::other("the process has no id"))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        Ok(Self {
            child,
            pid,
            stdout,
            stderr,
        })
    }

    /// Waits for its end. May be called again after it was dropped half way.
    pub(in super::super) async fn wait(&mut self) -> io::Result<Status> {
        let status = self.child.wait().await?;
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => Status::Code(code),
            (None, Some(number)) => Status::Signal(number),
            (None, None) => Status::Code(-1),
        })
    }
}

/// Tells a process. One that is gone already needs no telling.
pub(in super::super) fn signal(pid: u32, signal: Signal) {
    let signal = match signal {
        Signal::Terminate => UnixSignal::TERM,
        Signal::Kill => UnixSignal::KILL,
    };
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Writes down in a directory which process made it.
pub(in super::super) fn mark_owner(dir: &Path) -> io::Result<()> {
    std::fs::write(dir.join("owner"), std::process::id().to_string())
}
