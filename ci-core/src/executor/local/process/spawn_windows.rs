//! A child process in a job object, which its descendants cannot leave.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject};
use tokio::process::{ChildStderr, ChildStdout, Command};
use tokio::sync::mpsc;

use super::Signal;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Status {
    /// By itself.
    Code(i32),
    /// By a signal: never on this system.
    #[expect(dead_code, reason = "the same values on every system")]
    Signal(i32),
}

/// The job objects by the process that leads them, to be told to end.
static JOBS: Mutex<Option<HashMap<u32, mpsc::UnboundedSender<()>>>> = Mutex::new(None);

/// A running child and its output.
#[derive(Debug)]
pub(in super::super) struct Spawned {
    child: Box<dyn ChildWrapper>,
    kill: mpsc::UnboundedReceiver<()>,
    pub(in super::super) pid: u32,
    pub(in super::super) stdout: Option<ChildStdout>,
    pub(in super::super) stderr: Option<ChildStderr>,
}

impl Spawned {
    /// Starts the command in a job object of its own.
    pub(in super::super) fn start(command: Command) -> io::Result<Self> {
        let mut child = CommandWrap::from(command).wrap(JobObject).spawn()?;
        let pid = child
            .id()
            .ok_or_else(|| io::Error::other("the process has no id"))?;
        let (stdout, stderr) = (child.stdout().take(), child.stderr().take());
        let (sender, kill) = mpsc::unbounded_channel();
        let mut jobs = JOBS.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.get_or_insert_default().insert(pid, sender);
        Ok(Self {
            child,
            kill,
            pid,
            stdout,
            stderr,
        })
    }

    /// Waits for its end and that of all in its job object.
    pub(in super::super) async fn wait(&mut self) -> io::Result<Status> {
        loop {
            tokio::select! {
                status = self.child.wait() => {
                    return Ok(Status::Code(status?.code().unwrap_or(-1)));
                }
                Some(()) = self.kill.recv() => self.child.start_kill()?,
            }
        }
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        let mut jobs = JOBS.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.get_or_insert_default().remove(&self.pid);
    }
}

/// Whether a job object of this leader is still there.
pub(super) fn lives(pid: u32) -> bool {
    let jobs = JOBS.lock().unwrap_or_else(PoisonError::into_inner);
    jobs.as_ref().is_some_and(|jobs| jobs.contains_key(&pid))
}

/// Ends the job object of a process. This system has no gentle way that console programs obey.
pub(in super::super) fn signal(pid: u32, _signal: Signal) {
    let jobs = JOBS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = jobs.as_ref().and_then(|jobs| jobs.get(&pid)) {
        let _ = sender.send(());
    }
}

/// Writes down in a directory which process made it.
pub(in super::super) fn mark_owner(dir: &Path) -> io::Result<()> {
    std::fs::write(dir.join("owner"), std::process::id().to_string())
}
