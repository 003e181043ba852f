//! What there is to tell.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::event::JobResult;
use crate::id::RunId;
use crate::outcome::OutcomeKind;

/// What there is to tell about a run or a job. Its JSON form is the body of a webhook.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Notice {
    /// The run.
    pub run: RunId,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The branch the run is for.
    pub branch: Option<Arc<str>>,
    /// The tag the run is for.
    pub tag: Option<Arc<str>>,
    /// The commit the run is for.
    pub revision: Option<Arc<str>>,
    /// A page about the run.
    pub url: Option<Arc<str>>,
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    pub what: NoticeKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoticeKind {
    /// The run began.
    RunStarted,
    /// A job began.
    JobStarted {
        /// The job.
        job: Arc<str>,
    },
    /// A job waits for an approval.
    JobHeld {
        /// The job.
        job: Arc<str>,
        /// What the person who approves is asked.
        prompt: Option<String>,
    },
    /// A job ended.
    JobFinished {
        /// The job and how it ended.
        job: JobResult,
        /// What that is beside the run before.
        change: Change,
    },
    /// The run ended.
    RunFinished {
        /// How it ended.
        outcome: OutcomeKind,
        /// What that is beside the run before.
        change: Change,
        /// How long it took, in seconds.
        #[serde(serialize_with = "seconds")]
        duration: Duration,
        /// Every job of it.
        jobs: Vec<JobResult>,
        /// Tests that failed, the first of them.
        failed_tests: Vec<String>,
    },
}

/// What an end is beside that of the run before it of the same workflow and branch. Only ends that say
/// yes or no count: a run that was canceled is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// It ended the same way, or says neither yes nor no, or succeeded with no run before.
    Same,
    /// It failed, and the run before did not, or there was none.
    Broken,
    /// It succeeded, and the run before had failed.
    Fixed,
}

impl Change {
    /// The change from `before` to `now`.
    #[must_use]
    pub fn of(before: Option<OutcomeKind>, now: OutcomeKind) -> Self {
        match (before.and_then(verdict), verdict(now)) {
            (None | Some(true), Some(false)) => Self::Broken,
            (Some(false), Some(true)) => Self::Fixed,
            _ => Self::Same,
        }
    }
}

/// Whether an end says yes or no; `None` if neither.
pub(super) const fn verdict(outcome: OutcomeKind) -> Option<bool> {
    match outcome {
        OutcomeKind::Success => Some(true),
        OutcomeKind::Failed
        | OutcomeKind::TimedOut
        | OutcomeKind::Interrupted
        | OutcomeKind::InfrastructureFailure => Some(false),
        OutcomeKind::Canceled
        | OutcomeKind::Skipped
        | OutcomeKind::NotRun
        | OutcomeKind::OnHold => None,
    }
}

/// What a job's end counts as: a failure that is allowed is no failure.
pub(super) fn counted(job: &JobResult) -> OutcomeKind {
    if job.allowed {
        OutcomeKind::Success
    } else {
        job.outcome
    }
}

impl Notice {
    /// The job it is about; `None` if it is about the run.
    #[must_use]
    pub fn job(&self) -> Option<&Arc<str>> {
        match &self.what {
            NoticeKind::JobStarted { job } | NoticeKind::JobHeld { job, .. } => Some(job),
            NoticeKind::JobFinished { job, .. } => Some(&job.name),
            NoticeKind::RunStarted | NoticeKind::RunFinished { .. } => None,
        }
    }

    /// How what it is about ended, or on hold; `None` if it began.
    #[must_use]
    pub fn outcome(&self) -> Option<OutcomeKind> {
        match &self.what {
            NoticeKind::RunStarted | NoticeKind::JobStarted { .. } => None,
            NoticeKind::JobHeld { .. } => Some(OutcomeKind::OnHold),
            NoticeKind::JobFinished { job, .. } => Some(job.outcome),
            NoticeKind::RunFinished { outcome, .. } => Some(*outcome),
        }
    }

    /// What the end is beside that of the run before.
    #[must_use]
    pub fn change(&self) -> Change {
        match &self.what {
            NoticeKind::JobFinished { change, .. } | NoticeKind::RunFinished { change, .. } => {
                *change
            }
            _ => Change::Same,
        }
    }
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::OutcomeKind::{Canceled, Failed, Success, TimedOut};

    #[test]
    fn only_a_yes_after_a_no_or_a_no_after_a_yes_is_a_change() {
        let table = [
            (None, Success, Change::Same),
            (None, Failed, Change::Broken),
            (Some(Success), Success, Change::Same),
            (Some(Success), TimedOut, Change::Broken),
            (Some(Failed), TimedOut, Change::Same),
            (Some(Failed), Success, Change::Fixed),
            (Some(Failed), Canceled, Change::Same),
            (Some(Success), Canceled, Change::Same),
        ];
        for (before, now, change) in table {
            assert_eq!(Change::of(before, now), change, "{before:?} {now}");
        }
    }
}
