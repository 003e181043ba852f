//! What a machine is asked for and what it says.

use std::time::Duration;

use crate::id::JobId;
use crate::outcome::{CancelReason, Outcome, TimeLimit};

/// Leave to run an attempt of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The job.
    pub job: JobId,
    /// Counts from 1.
    pub attempt: u32,
    /// When it was given.
    pub at: Duration,
}

/// Why something is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Somebody or something asked.
    Cancel(CancelReason),
    /// A time limit ran out.
    Limit(TimeLimit),
}

impl Stop {
    /// The outcome of what was stopped.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Cancel(reason) => Outcome::Canceled(reason),
            Self::Limit(limit) => Outcome::TimedOut(limit),
        }
    }
}

/// Something that people should hear, or that the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The job waits for a slot.
    Ready(JobId),
    /// The job waits for an approval.
    Held(JobId),
    /// The job waits until this moment.
    Delayed(JobId, Duration),
    /// The job waits for something that others hold.
    Lacks(JobId, String),
    /// The attempt failed; another starts after the pause.
    Retrying {
        /// The job.
        job: JobId,
        /// The attempt that failed.
        attempt: u32,
        /// How.
        outcome: Outcome,
        /// The pause.
        delay: Duration,
    },
    /// The job ended for good.
    Done(JobId),
    /// To do: stop the running attempt of this job.
    Stop(JobId, Stop),
    /// The stage (by its place among the budgets) is over its budget.
    OverBudget(usize),
    /// The run is stopped.
    Stopping(Stop),
}

/// How a job ended, and what it took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobEnd {
    /// How it ended; meaningful once it has.
    pub outcome: Outcome,
    /// How many attempts began.
    pub attempts: u32,
    /// How long the attempts took together.
    pub spent: Duration,
}
