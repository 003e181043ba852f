//! When each job waited, was prepared, ran its steps and was torn down.

use std::time::Duration;

use super::journal::{AttemptView, JobView};
use crate::clock::Timestamp;

/// The times of an attempt of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Phases {
    /// For a free slot, or for a group; only of the first attempt.
    pub(super) queue: Duration,
    pub(super) prepare: Duration,
    pub(super) steps: Duration,
    pub(super) teardown: Duration,
}

impl Phases {
    /// The times of an attempt; what has not ended goes on until `now`.
    pub(super) fn of(job: &JobView, attempt: &AttemptView, now: Timestamp) -> Self {
        let marks = Marks::of(job, attempt, now);
        Self {
            queue: marks.started.since(marks.ready),
            prepare: marks.prepared.since(marks.started),
            steps: marks.worked.since(marks.prepared),
            teardown: marks.ended.since(marks.worked),
        }
    }

    /// The times of all attempts together.
    pub(super) fn all(job: &JobView, now: Timestamp) -> Self {
        let each = job.attempts.iter().map(|it| Self::of(job, it, now));
        each.fold(Self::default(), |all, one| Self {
            queue: all.queue + one.queue,
            prepare: all.prepare + one.prepare,
            steps: all.steps + one.steps,
            teardown: all.teardown + one.teardown,
        })
    }
}

/// Where the phases of an attempt meet.
pub(super) struct Marks {
    pub(super) ready: Timestamp,
    pub(super) started: Timestamp,
    pub(super) prepared: Timestamp,
    pub(super) worked: Timestamp,
    pub(super) ended: Timestamp,
}

impl Marks {
    pub(super) fn of(job: &JobView, attempt: &AttemptView, now: Timestamp) -> Self {
        let started = attempt.started;
        let ended = attempt.ended.unwrap_or(now).max(started);
        let first = attempt.steps.first().map(|step| step.started);
        let told = attempt
            .prepared
            .map(|millis| Timestamp::from_millis(started.as_millis() + millis));
        let prepared = told.or(first).unwrap_or(ended).clamp(started, ended);
        let last = attempt.steps.last().map(|step| step.ended.unwrap_or(ended));
        let worked = last.unwrap_or(prepared).clamp(prepared, ended);
        let is_first = attempt.number == 1;
        let ready = job.ready.filter(|_| is_first).unwrap_or(started);
        Self {
            ready: ready.min(started),
            started,
            prepared,
            worked,
            ended,
        }
    }
}
