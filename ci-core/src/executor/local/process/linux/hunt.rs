//! Ends processes: finds them, asks them to end, waits, forces them, and looks again until none is
//! found.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid as RawPid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open,
    pidfd_send_signal,
};

use super::cgroup::Cgroup;
use super::marker::Signs;
use super::table::{Evidence, Pid, Process};
use super::{children, proc};

/// How long to wait for processes to be gone that were killed. Only what hangs in the kernel, on a
/// dead network disk for example, takes that long.
const FORCE: Duration = Duration::from_secs(10);

/// How long to wait for killed processes to be gone before looking for new ones.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What to look for.
#[derive(Debug, Default)]
pub(super) struct Quarry {
    /// What processes carry.
    pub(super) signs: Option<Signs>,
    /// What else makes a process belong.
    pub(super) evidence: Evidence,
    /// Control groups of which everything belongs.
    pub(super) cgroups: Vec<Arc<Cgroup>>,
    /// A group whose leader nobody has waited for yet, so that its number is surely still its own.
    pub(super) group: Option<Pid>,
}

/// What came of a hunt, in words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bag {
    pub(super) ended: Vec<String>,
    pub(super) left: Vec<String>,
}

impl Quarry {
    /// The living processes that belong. Reads the whole process table.
    pub(super) fn find(&self) -> Vec<Process> {
        let mut evidence = self.evidence.clone();
        evidence.engine = proc::own();
        for cgroup in &self.cgroups {
            evidence.confined.extend(cgroup.members());
        }
        let table = proc::table(self.signs.as_ref()).unwrap_or_default();
        let mut found = table.belonging(&evidence);
        found.retain(|process| !process.dead);
        found
    }

    /// Ends everything that belongs: asks, gives it `grace` to end, and then forces it.
    pub(super) async fn end(self: Arc<Self>, grace: Duration) -> Bag {
        let mut hunt = Hunt {
            quarry: self,
            seen: BTreeMap::new(),
        };
        let mut left = hunt.ask(Instant::now() + grace).await;
        if !left.is_empty() {
            left = hunt.force(Instant::now() + FORCE).await;
        }
        hunt.report(&left)
    }
}

struct Hunt {
    quarry: Arc<Quarry>,
    /// All processes found so far: when they started, and their names.
    seen: BTreeMap<Pid, (u64, String)>,
}

impl Hunt {
    /// Asks all processes to end, and says which are left at `deadline`.
    async fn ask(&mut self, deadline: Instant) -> Vec<Process> {
        let mut found = self.find().await;
        if let Some(group) = self.quarry.group {
            // All at once, so that no shell sees its children end before it is asked itself.
            signal_group(group, Signal::TERM);
            signal_group(group, Signal::CONT);
            for process in found.iter().filter(|process| process.group == group) {
                self.see(process);
            }
        }
        while !found.is_empty() {
            for process in &found {
                if self.see(process) {
                    signal(process, Signal::TERM);
                    // One that is stopped cannot end before it goes on.
                    signal(process, Signal::CONT);
                }
            }
            gone(&found, deadline).await;
            found = self.find().await;
            if Instant::now() >= deadline {
                break;
            }
        }
        found
    }

    /// Kills all processes until none is found, and says which are left at `deadline`.
    async fn force(&mut self, deadline: Instant) -> Vec<Process> {
        loop {
            for cgroup in &self.quarry.cgroups {
                cgroup.kill();
            }
            let found = self.find().await;
            if found.is_empty() || Instant::now() >= deadline {
                return found;
            }
            for process in &found {
                self.see(process);
                signal(process, Signal::KILL);
            }
            gone(&found, deadline.min(Instant::now() + LOOK_AGAIN)).await;
        }
    }

    /// Buries the dead and puts into words what came of it.
    fn report(self, left: &[Process]) -> Bag {
        let groups = &self.quarry.evidence.groups;
        children::bury(|dead| {
            let seen = self.seen.get(&dead.pid);
            seen.is_some_and(|(start, _)| *start == dead.start) || groups.contains(&dead.group)
        });
        let mut bag = Bag::default();
        for (pid, (_, name)) in &self.seen {
            let words = format!("process {pid} (`{name}`)");
            if left.iter().any(|process| process.pid == *pid) {
                bag.left.push(words);
            } else {
                bag.ended.push(words);
            }
        }
        bag
    }

    /// Remembers a process; whether it is new.
    fn see(&mut self, process: &Process) -> bool {
        let seen = self.seen.get(&process.pid);
        let new = seen.is_none_or(|(start, _)| *start != process.start);
        if new {
            let name = proc::name(process.pid);
            self.seen.insert(process.pid, (process.start, name));
        }
        new
    }

    async fn find(&self) -> Vec<Process> {
        let quarry = Arc::clone(&self.quarry);
        tokio::task::spawn_blocking(move || quarry.find())
            .await
            .unwrap_or_default()
    }
}

/// Waits until all of `processes` are gone, or until `deadline`.
async fn gone(processes: &[Process], deadline: Instant) {
    let mut pause = Duration::from_millis(1);
    let alive = |process: &Process| {
        proc::stat(process.pid).is_some_and(|now| now.start == process.start && !now.dead)
    };
    while processes.iter().any(alive) && Instant::now() < deadline {
        tokio::time::sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn signal_group(group: Pid, signal: Signal) {
    if let Some(group) = RawPid::from_raw(group) {
        let _ = kill_process_group(group, signal);
    }
}

/// Sends a signal to exactly this process: the handle is opened first and the process looked at
/// again after, so that no other one can have taken its number in between.
fn signal(process: &Process, signal: Signal) {
    let Some(pid) = RawPid::from_raw(process.pid) else {
        return;
    };
    let same = || proc::stat(process.pid).is_some_and(|now| now.start == process.start);
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) if same() => {
            let _ = pidfd_send_signal(handle, signal);
        }
        // Kernels before 5.3 have no handles.
        Err(Errno::NOSYS) if same() => {
            let _ = kill_process(pid, signal);
        }
        _ => {}
    }
}
