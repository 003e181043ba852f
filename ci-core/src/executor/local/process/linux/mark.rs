//! A mark that everything below a command inherits: how long it may run under a realtime schedule
//! (`RLIMIT_RTTIME` in setrlimit(2)). An environment is sometimes cleaned, and a session left; this limit
//! hardly any program sets, and at the heights that are used here it allows more than a century. An engine
//! that runs in a job puts its own mark on what it starts, in the place of the outer one's.

use std::fs;

use rustix::process::{Pid as RawPid, Resource, Rlimit, getrlimit, prlimit};

use super::proc;
use super::table::Pid;
use crate::executor::local::env::Marker;
use crate::id::RunId;

/// What all marks have, and no limit that somebody set by hand.
const OURS: u64 = 1 << 62;
/// So many bits below name the session and the command, and of those the command.
const BELOW_RUN: u32 = 32;
const BELOW_SESSION: u32 = 12;
/// Spreads the numbers of processes (Knuth, The Art of Computer Programming, section 6.4).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A mark, or all those that begin like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    value: u64,
    /// So many of the lowest bits do not matter.
    open: u32,
}

impl Mark {
    /// The marks of all commands of `run`.
    pub(super) fn of_run(run: RunId) -> Self {
        let value = OURS | ((run.seed() >> (64 - 30)) << BELOW_RUN);
        Self {
            value,
            open: BELOW_RUN,
        }
    }

    /// The marks of all commands of a session.
    pub(super) fn of_session(marker: &Marker) -> Self {
        // A count, so that the sessions of one engine are told apart for sure.
        let numbers = marker.session.split_once('.');
        let number = |text: &str| text.parse::<u64>().unwrap_or(0);
        let (process, count) = numbers.map_or((0, 0), |(a, b)| (number(a), number(b)));
        let bits = BELOW_RUN - BELOW_SESSION;
        let first = process.wrapping_mul(SPREAD) >> (64 - bits);
        let session = first.wrapping_add(count) & ((1 << bits) - 1);
        Self {
            value: Self::of_run(marker.run).value | (session << BELOW_SESSION),
            open: BELOW_SESSION,
        }
    }

    /// The mark of a command.
    pub(super) fn of_command(marker: &Marker, number: u64) -> Self {
        let command = number & ((1 << BELOW_SESSION) - 1);
        Self {
            value: Self::of_session(marker).value | command,
            open: 0,
        }
    }

    /// Marks a process that was just started, and what it may have started already. Not before it starts:
    /// that could only be done to the whole engine, and would mark what the host program starts meanwhile.
    pub(super) fn put_on(self, pid: Pid) {
        if getrlimit(Resource::Rttime).maximum.is_some() {
            return;
        }
        let limit = Rlimit {
            current: Some(self.value),
            maximum: None,
        };
        for pid in std::iter::once(pid).chain(proc::children_of(pid).into_iter().flatten()) {
            // Without the mark there still are the environment, the group and the session.
            let _ = prlimit(RawPid::from_raw(pid), Resource::Rttime, limit);
        }
    }

    /// Whether a process has the mark.
    pub(super) fn is_on(self, pid: Pid) -> bool {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits"));
        limits.is_ok_and(|limits| realtime(&limits).is_some_and(|value| self.fits(value)))
    }

    fn fits(self, value: u64) -> bool {
        value >> self.open == self.value >> self.open
    }
}

/// The limit that a process has, from what proc(5) says of its limits.
fn realtime(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max realtime timeout"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_its_command_its_session_its_run_and_no_other() {
        let run = RunId::new();
        let (one, other) = (Marker::new(run), Marker::new(run));
        let mark = Mark::of_command(&one, 1);
        assert!(mark.value < i64::MAX as u64);
        assert!(Mark::of_command(&one, 1).fits(mark.value));
        assert!(Mark::of_session(&one).fits(mark.value));
        assert!(Mark::of_run(run).fits(mark.value));
        assert!(!Mark::of_command(&one, 2).fits(mark.value));
        assert!(!Mark::of_session(&other).fits(mark.value));
        let sessions = std::iter::repeat_with(|| Mark::of_session(&Marker::new(run)).value);
        let different: std::collections::BTreeSet<u64> = sessions.take(10_000).collect();
        assert_eq!(different.len(), 10_000);
        assert!(!Mark::of_run(RunId::new()).fits(mark.value));
        assert!(!Mark::of_run(run).fits(u64::MAX));
        assert!(!Mark::of_run(run).fits(200_000));
    }

    #[test]
    fn what_has_no_limit_has_no_mark() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max realtime timeout      unlimited            unlimited            us\n";
        assert_eq!(realtime(limits), None);
        let marked = limits.replacen("unlimited", "4611686018427387904", 1);
        assert_eq!(realtime(&marked), Some(OURS));
        assert_eq!(realtime(""), None);
    }
}
