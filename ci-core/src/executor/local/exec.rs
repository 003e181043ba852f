//! Runs one command: spawn, stream, wait, and end its tree when told to.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::process::{Contained, Spawned, Status};
use super::tree::{self, Marks};
use crate::session::{ExecIo, ExitStatus, Output, SessionError, SessionErrorKind, Stream};

/// How much is read at once.
const CHUNK: usize = 64 * 1024;
/// How long after the end of a command its pipes may stay open before it counts as ended: a child that
/// goes on may hold them for as long as the job lasts.
const DRAIN: Duration = Duration::from_millis(250);
/// A command that runs for longer than this is put into the session's control group. Moving a process
/// into a group can take milliseconds, which short commands need not pay.
const SETTLED: Duration = Duration::from_millis(50);

/// The children that this process spawned itself and waits for: not orphans.
static DIRECT: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn direct() -> MutexGuard<'static, BTreeSet<u32>> {
    DIRECT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a process is a command that is being waited for.
pub(super) fn is_direct(pid: u32) -> bool {
    direct().contains(&pid)
}

/// The commands that are being waited for.
pub(super) fn direct_children() -> BTreeSet<u32> {
    direct().clone()
}

/// A command that is waited for, until it is dropped.
struct Waited(u32);

impl Drop for Waited {
    fn drop(&mut self) {
        direct().remove(&self.0);
    }
}

/// What is still being read when a command has ended.
pub(super) type Leftover = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How a command ended.
pub(super) struct Done {
    pub(super) status: ExitStatus,
    /// The group it led.
    pub(super) group: u32,
    /// Its pipes, if something still holds them.
    pub(super) leftover: Option<Leftover>,
}

/// What a command is run with.
pub(super) struct Job<'a> {
    pub(super) command: tokio::process::Command,
    pub(super) program: &'a str,
    pub(super) dir: &'a Path,
    pub(super) marks: Marks,
    pub(super) grace: Duration,
    pub(super) contained: &'a Contained,
}

/// Runs a command to its end.
pub(super) async fn run(mut job: Job<'_>, io: &ExecIo) -> Result<Done, SessionError> {
    job.command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    job.command.envs(job.marks.variables());
    let mut spawned = {
        // Registered before anybody can look for orphans.
        let mut direct = direct();
        let spawned =
            Spawned::start(job.command).map_err(|error| refused(&error, job.program, job.dir))?;
        direct.insert(spawned.pid);
        spawned
    };
    let waited = Waited(spawned.pid);
    let group = spawned.pid;
    let stdout = pump(spawned.stdout.take(), Stream::Stdout, io.output.clone());
    let stderr = pump(spawned.stderr.take(), Stream::Stderr, io.output.clone());
    let mut pumps: Leftover = Box::pin(async move {
        tokio::join!(stdout, stderr);
    });
    let mut drained = false;
    let mut settled = false;
    let status = loop {
        tokio::select! {
            status = spawned.wait() => break status.map_err(lost)?,
            () = &mut pumps, if !drained => drained = true,
            () = tokio::time::sleep(SETTLED), if !settled => {
                settled = true;
                job.contained.put(group);
            }
            () = io.cancel.cancelled() => {
                // Pipes are read on meanwhile: a process that writes as it ends must not block.
                let groups = [group];
                let end = tree::end(&job.marks, &groups, job.grace);
                let wait = async { tokio::join!(end, spawned.wait()) };
                tokio::pin!(wait);
                loop {
                    tokio::select! {
                        (_, status) = &mut wait => {
                            status.map_err(lost)?;
                            break;
                        }
                        () = &mut pumps, if !drained => drained = true,
                    }
                }
                drain(&mut pumps, drained).await;
                drop(waited);
                return Ok(Done { status: ExitStatus::Stopped, group, leftover: None });
            }
        }
    };
    drop(waited);
    let done = drain(&mut pumps, drained).await;
    let status = match status {
        Status::Code(code) => ExitStatus::Code(code),
        Status::Signal(number) => ExitStatus::Signal(number),
    };
    Ok(Done {
        status,
        group,
        leftover: (!done).then_some(pumps),
    })
}

/// Reads on for a moment after the end. True if nothing holds the pipes any more.
async fn drain(pumps: &mut Leftover, drained: bool) -> bool {
    drained || tokio::time::timeout(DRAIN, pumps).await.is_ok()
}

/// Hands on what a pipe gives until it is closed.
async fn pump<R: AsyncRead + Unpin>(pipe: Option<R>, stream: Stream, output: Output) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = Vec::with_capacity(CHUNK);
    loop {
        buffer.clear();
        match pipe.read_buf(&mut buffer).await {
            Ok(0) => return,
            Ok(_) => output.write(stream, &buffer).await,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A pipe that breaks has nothing more to say; the exit status tells the rest.
            Err(_) => return,
        }
    }
}

/// Why a command did not start.
fn refused(error: &io::Error, program: &str, dir: &Path) -> SessionError {
    let (kind, message) = match error.kind() {
        io::ErrorKind::NotFound if !dir.is_dir() => (
            SessionErrorKind::NotFound,
            format!("the working directory `{}` does not exist", dir.display()),
        ),
        io::ErrorKind::NotFound => (
            SessionErrorKind::NotFound,
            format!("the program `{program}` was not found; is it installed and on the PATH?"),
        ),
        io::ErrorKind::PermissionDenied => (
            SessionErrorKind::Refused,
            format!(
                "`{program}` may not be executed, or `{}` not be entered",
                dir.display()
            ),
        ),
        _ => (
            SessionErrorKind::Other,
            format!("`{program}` could not be started"),
        ),
    };
    SessionError::new(kind, message).with_source(io::Error::new(error.kind(), error.to_string()))
}

fn lost(error: io::Error) -> SessionError {
    SessionError::new(SessionErrorKind::Lost, "the end of the command is unknown")
        .with_source(error)
}
