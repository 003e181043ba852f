//! The queue of jobs that may start: highest priority first, then the longest remaining path.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::id::JobId;

/// The jobs that may start.
#[derive(Debug, Default)]
pub(super) struct ReadyQueue {
    heap: BinaryHeap<Entry>,
}

/// Ordered by what goes first: priority, then rank, then the order of the workflow.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    priority: i32,
    rank: u32,
    job: Reverse<JobId>,
}

impl ReadyQueue {
    pub(super) fn push(&mut self, job: JobId, priority: i32, rank: u32) {
        self.heap.push(Entry {
            priority,
            rank,
            job: Reverse(job),
        });
    }

    pub(super) fn pop(&mut self) -> Option<JobId> {
        self.heap.pop().map(|entry| entry.job.0)
    }
}
