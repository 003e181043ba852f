//! The engine's own children: those it started, and the orphans that it inherits as a subreaper.
//!
//! The host program has children too, and waits for them itself. A dead child is therefore asked how
//! it ended only if it cannot be the host's.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid as RawPid, WaitOptions, waitpid};

use super::proc;
use super::table::{Pid, Process};

/// The commands that run now, of all sessions; whoever started them waits for them.
static COMMANDS: Mutex<BTreeSet<Pid>> = Mutex::new(BTreeSet::new());

fn commands() -> MutexGuard<'static, BTreeSet<Pid>> {
    COMMANDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a command in the list of those that somebody waits for.
#[derive(Debug)]
pub(super) struct Awaited(Pid);

impl Awaited {
    pub(super) fn new(pid: Pid) -> Self {
        commands().insert(pid);
        Self(pid)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        commands().remove(&self.0);
    }
}

/// The children that are no commands: orphans, and what the host program started. Nothing if the
/// kernel does not list children.
pub(super) fn others() -> Option<Vec<Pid>> {
    let mut children = proc::children()?;
    if !children.is_empty() {
        let commands = commands();
        children.retain(|pid| !commands.contains(pid));
    }
    Some(children)
}

/// Takes note of the end of those orphans that have ended and that cannot be the host's: those that
/// `known` says belong to us, and those whose session is neither the engine's nor their own. The
/// latter were forked by a process that had left the engine's session, so not by the host.
pub(super) fn bury(known: impl Fn(&Process) -> bool) {
    let own = proc::own();
    // Not getsid(2), which has no number for a session that began outside this PID namespace.
    let session = proc::stat(own).map_or(own, |engine| engine.session);
    for pid in others().unwrap_or_default() {
        let Some(process) = proc::stat(pid).filter(|it| it.dead && it.parent == own) else {
            continue;
        };
        let adopted = process.session != session && process.session != pid;
        if adopted || known(&process) {
            let _ = waitpid(RawPid::from_raw(pid), WaitOptions::NOHANG);
        }
    }
}
