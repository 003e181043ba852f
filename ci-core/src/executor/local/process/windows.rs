//! The process trees of a session on Windows: a job object for each command. A job object holds all
//! processes that its processes start, and ends them when it is closed.

use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject, KillOnDrop};
use tokio::process::{ChildStderr, ChildStdout};
use tokio_util::sync::CancellationToken;

use super::Ended;
use crate::executor::local::env::Marker;
use crate::id::RunId;

/// How long to wait for processes to be gone that were killed.
const FORCE: Duration = Duration::from_secs(10);

/// What may be used to find processes: here nothing beside job objects.
#[derive(Debug, Clone, Default)]
pub(in crate::executor::local) struct Options;

impl Options {
    pub(in crate::executor::local) fn new(_subreaper: bool, _cgroups: bool) -> Self {
        Self
    }
}

type Objects = Arc<Mutex<Vec<Box<dyn ChildWrapper>>>>;

/// All process trees of a session.
#[derive(Debug)]
pub(in crate::executor::local) struct Trees {
    marker: Marker,
    commands: AtomicU64,
    /// The job objects of commands that have ended; others of their trees may still run.
    left: Objects,
}

impl Trees {
    pub(in crate::executor::local) fn new(marker: Marker, _options: Options) -> Self {
        Self {
            marker,
            commands: AtomicU64::new(0),
            left: Arc::default(),
        }
    }

    /// The number and the marker of the next command.
    pub(in crate::executor::local) fn next(&self) -> (u64, String) {
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        (number, self.marker.of_command(number))
    }

    /// Starts a command in a job object of its own.
    pub(in crate::executor::local) fn spawn(
        &self,
        _number: u64,
        command: Command,
    ) -> io::Result<Running> {
        let mut command = CommandWrap::from(tokio::process::Command::from(command));
        command.wrap(KillOnDrop).wrap(JobObject);
        Ok(Running {
            child: Some(command.spawn()?),
            left: Arc::clone(&self.left),
        })
    }

    /// Ends everything that still runs, and says what could not be ended. There is no polite way to
    /// ask here, so nothing is given grace.
    pub(in crate::executor::local) async fn end(&self, _grace: Duration) -> Vec<String> {
        let objects: Vec<_> = lock(&self.left).drain(..).collect();
        let mut left = Vec::new();
        for mut object in objects {
            left.extend(end(&mut *object).await);
        }
        left
    }
}

/// A command that runs.
#[derive(Debug)]
pub(in crate::executor::local) struct Running {
    child: Option<Box<dyn ChildWrapper>>,
    left: Objects,
}

impl Running {
    /// The reading ends of the command's output.
    pub(in crate::executor::local) fn pipes(
        &mut self,
    ) -> (Option<ChildStdout>, Option<ChildStderr>) {
        match &mut self.child {
            Some(child) => (child.stdout().take(), child.stderr().take()),
            None => (None, None),
        }
    }

    /// Waits for the end of the command's direct process; ends the whole tree when `cancel` says so.
    pub(in crate::executor::local) async fn ended(
        &mut self,
        cancel: &CancellationToken,
        _grace: Duration,
    ) -> io::Result<Ended> {
        let Some(child) = &mut self.child else {
            return Ok(Ended::Stopped(Vec::new()));
        };
        tokio::select! {
            biased;
            // The child inside waits for its own process, the job object for all of them.
            status = child.inner_mut().wait() => return Ok(Ended::Exited(status?)),
            () = cancel.cancelled() => {}
        }
        Ok(Ended::Stopped(end(&mut **child).await))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Closing a job object ends what is in it, and that is for the session's end.
        lock(&self.left).extend(self.child.take());
    }
}

/// Ends a job object. Says what is left.
async fn end(object: &mut dyn ChildWrapper) -> Vec<String> {
    let name = object
        .id()
        .map_or_else(String::new, |pid| format!(" {pid}"));
    if let Err(error) = object.start_kill() {
        return vec![format!("the tree of process{name}: {error}")];
    }
    match tokio::time::timeout(FORCE, object.wait()).await {
        Ok(_) => Vec::new(),
        Err(_) => vec![format!("the tree of process{name}")],
    }
}

fn lock(left: &Mutex<Vec<Box<dyn ChildWrapper>>>) -> MutexGuard<'_, Vec<Box<dyn ChildWrapper>>> {
    left.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a dead engine had started ended with its job objects.
pub(in crate::executor::local) async fn reap(
    _run: RunId,
    _options: &Options,
    _grace: Duration,
) -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}
