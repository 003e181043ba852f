//! Moments at which the machine has something to do.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::id::JobId;

/// What to do at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The job may go on.
    Release(JobId),
    /// The approval of the job is overdue.
    Approval(JobId),
    /// The stage has used up its budget.
    Budget(u32),
    /// The run has used up its time.
    Run,
}

/// Timers by moment. A timer whose reason is gone stays until its moment and is ignored then.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Duration, Timer)>>,
    changed: bool,
}

impl Timers {
    pub(super) fn set(&mut self, at: Duration, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
        self.changed = true;
    }

    /// Whether a timer was set since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    pub(super) fn due(&mut self, now: Duration) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, timer))| timer)
    }
}
