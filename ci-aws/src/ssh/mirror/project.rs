//! What is to be alike, and the one command that makes it so.

use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::thread;

use ci_core::archive::{PackRoot, Selector, pack_stream};
use ci_core::session::{Session as _, SessionError, SessionErrorKind};

use super::super::client::Client;
use super::super::copy;
use super::super::error::other;
use super::super::session::{SshSession, blocking};
use super::listing::{self, Plan, There};
use super::rsync;

/// A directory of the machine that shall be like one of this host.
#[derive(Debug, Clone)]
pub struct Mirror {
    project: PathBuf,
    dir: String,
    exclude: Vec<String>,
    rsync: Option<u64>,
}

impl Mirror {
    /// `dir` of the machine shall be like `project` here. It is made where it is not there.
    #[must_use]
    pub fn new(project: impl Into<PathBuf>, dir: impl Into<String>) -> Self {
        Self {
            project: project.into(),
            dir: dir.into(),
            exclude: Vec::new(),
            rsync: Some(8 << 20),
        }
    }

    /// Leaves names of the top directory alone, at both ends. `*` is any part of a name.
    #[must_use]
    pub fn exclude<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.exclude.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets how many bytes the files must have together that are there in an older form, so that `rsync` is
    /// called; eight mebibytes by default. `None` never calls it.
    #[must_use]
    pub fn rsync(mut self, from: Option<u64>) -> Self {
        self.rsync = from;
        self
    }
}

/// What it took to make both alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mirrored {
    /// How the machine got what it lacked.
    pub way: Way,
    /// How many files, links and new directories were sent, each directory as one; `None` for everything.
    pub sent: Option<usize>,
    /// How many files, links and directories were removed on the machine.
    pub removed: usize,
}

/// How a machine got what it lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// As an archive of everything.
    Whole,
    /// As an archive of what differed.
    Changes,
    /// By `rsync`.
    Rsync,
}

impl SshSession {
    /// Makes a directory of the machine like one of this host.
    ///
    /// Modes, times and links are as here. Owners are not: everything is of the machine's user. A symbolic
    /// link that leaves the directory is refused, as [`Session::copy_in`](ci_core::session::Session) does.
    ///
    /// # Errors
    /// If the link breaks, or something could not be read here or written there. Then the directory on the
    /// machine may be half like the old and half like the new.
    pub async fn mirror(&self, mirror: &Mirror) -> Result<Mirrored, SessionError> {
        self.check()?;
        let dir = self.info().resolve(&mirror.dir);
        let command = self.command("mirror", &[&dir])?;
        let (client, mirror) = (self.client.clone(), mirror.clone());
        blocking(move || run(&mirror, &dir, &client, command)).await
    }
}

/// Both ends of the command while it runs.
fn run(
    mirror: &Mirror,
    dir: &str,
    client: &Client,
    mut command: std::process::Command,
) -> Result<Mirrored, SessionError> {
    let selector = Selector::new(&[], &mirror.exclude).map_err(broken)?;
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| other("could not start `ssh`", error))?;
    let said = copy::errors(&mut child);
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(SessionError::new(
            SessionErrorKind::Other,
            "`ssh` has no pipes",
        ));
    };
    // Both ends look at the same time.
    let there = thread::Builder::new()
        .name("listing".to_owned())
        .spawn(move || listing::there(BufReader::with_capacity(1 << 16, stdout)))
        .map_err(|error| other("could not start a thread", error))?;
    let here = listing::here(&mirror.project, &selector);
    let there = there.join().map_err(|_| lost_list())?;
    let done = match (here, there) {
        (Err(error), _) => Err(copy::Bad::Refused(broken(error))),
        (_, Err(error)) => Err(copy::Bad::Pipe(error)),
        (Ok(here), Ok(there)) => {
            let plan = listing::plan(&here, &there.files, &selector);
            let work = Work {
                mirror,
                dir,
                client,
            };
            work.send(&plan, &there, BufWriter::with_capacity(1 << 18, stdin))
        }
    };
    finish(child, done, said)
}

fn lost_list() -> SessionError {
    SessionError::new(
        SessionErrorKind::Other,
        "reading the machine's list did not end",
    )
}

/// Waits for the command; what it says is the reason why nothing could be written.
fn finish(
    mut child: Child,
    done: Result<Mirrored, copy::Bad>,
    said: impl FnOnce() -> String,
) -> Result<Mirrored, SessionError> {
    if matches!(done, Err(copy::Bad::Refused(_))) {
        let _ = child.kill();
    }
    let status = child
        .wait()
        .map_err(|error| other("lost sight of `ssh`", error))?;
    match done {
        Err(copy::Bad::Refused(error)) => Err(error),
        Ok(_) | Err(copy::Bad::Pipe(_)) if !status.success() => {
            Err(copy::failed(status, "unpack", &said()))
        }
        Err(copy::Bad::Pipe(error)) => Err(other("could not write to the machine", error)),
        Ok(mirrored) => Ok(mirrored),
    }
}

/// What does not change while files are sent.
struct Work<'a> {
    mirror: &'a Mirror,
    dir: &'a str,
    client: &'a Client,
}

impl Work<'_> {
    fn send(
        &self,
        plan: &Plan,
        there: &There,
        mut out: BufWriter<ChildStdin>,
    ) -> Result<Mirrored, copy::Bad> {
        let mut removed = 0;
        // A name with a line break cannot be said; it stays.
        for name in plan.gone.iter().filter(|name| !name.contains(&b'\n')) {
            removed += 1;
            out.write_all(b"./").map_err(copy::Bad::Pipe)?;
            out.write_all(name).map_err(copy::Bad::Pipe)?;
            out.write_all(b"\n").map_err(copy::Bad::Pipe)?;
        }
        out.write_all(b"\n").map_err(copy::Bad::Pipe)?;
        let mirrored = |way, sent| Mirrored { way, sent, removed };
        let sent = plan.globs.as_ref().map(Vec::len);
        if sent == Some(0) {
            end(out)?;
            return Ok(mirrored(Way::Changes, sent));
        }
        if self.by_rsync(plan, there, &mut out)? {
            end(out)?;
            return Ok(mirrored(Way::Rsync, sent.or(Some(plan.changed.len()))));
        }
        out.write_all(b"tar\n").map_err(copy::Bad::Pipe)?;
        let mut root = PackRoot::new("", &self.mirror.project).exclude(&self.mirror.exclude);
        let mut way = Way::Whole;
        if let Some(globs) = plan.globs.clone().filter(|_| !there.files.is_empty()) {
            root = root.include(globs);
            way = Way::Changes;
        }
        let tree = pack_stream(vec![root]).map_err(|error| copy::Bad::Refused(broken(error)))?;
        copy::check(tree, self.dir, out)?;
        Ok(mirrored(way, sent.filter(|_| way == Way::Changes)))
    }

    /// Sends by `rsync` if that pays; false if everything is still to be sent.
    fn by_rsync(
        &self,
        plan: &Plan,
        there: &There,
        out: &mut impl Write,
    ) -> Result<bool, copy::Bad> {
        let (Some(least), Some(path)) = (self.mirror.rsync, &there.rsync) else {
            return Ok(false);
        };
        let Some(program) = rsync::here() else {
            return Ok(false);
        };
        // What is in the way has to go first, and nobody says when it has.
        if plan.older < least || plan.is_in_the_way || self.leaves(plan) {
            return Ok(false);
        }
        out.flush().map_err(copy::Bad::Pipe)?;
        let call = rsync::Call {
            program: &program,
            path,
            project: &self.mirror.project,
            dir: self.dir,
            client: self.client,
        };
        Ok(rsync::run(&call, &plan.changed))
    }

    /// Whether some link leaves the directory: that is refused, and `rsync` does not know how.
    fn leaves(&self, plan: &Plan) -> bool {
        plan.links.iter().any(|path| {
            let target = std::fs::read_link(self.mirror.project.join(path));
            let name = ci_core::archive::EntryPath::parse(path.as_os_str().as_encoded_bytes());
            match (name, target) {
                (Ok(name), Ok(target)) => name.link_leaves(&target, Some(Path::new(self.dir))),
                _ => true,
            }
        })
    }
}

/// Nothing else is to be unpacked.
fn end(mut out: BufWriter<ChildStdin>) -> Result<(), copy::Bad> {
    let told = out.write_all(b"done\n").and_then(|()| out.flush());
    told.map_err(copy::Bad::Pipe)
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> SessionError {
    SessionError::new(SessionErrorKind::Other, error.to_string()).with_source(error)
}
