//! The states of a job, and which may follow which.

use std::fmt;

/// Where a job is on its way.
///
/// ```text
///            ┌──────> Held ───────┐
/// Blocked ───┼──────> Waiting ────┼──> Ready ──> Running ──> Done
///            └────────────────────┘      ^          │
///                       Waiting ─────────┴──────────┘
/// ```
/// Every state may become `Done`: a cancellation or a dependency decides over jobs that did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum JobState {
    /// Something it depends on has not ended.
    Blocked,
    /// Its dependencies allow it; somebody has to approve it.
    Held,
    /// It starts at a later moment: a delay, a pause before a new attempt, a place in a group that
    /// another process holds.
    Waiting,
    /// It starts when a slot and what it needs are free.
    Ready,
    /// An attempt of it runs.
    Running,
    /// It ended.
    Done,
}

impl JobState {
    /// Whether a job in this state may go to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use JobState::{Blocked, Done, Held, Ready, Running, Waiting};
        matches!(
            (self, next),
            (Blocked, Held | Waiting | Ready)
                | (Held | Waiting, Ready)
                | (Ready, Running)
                | (Running, Waiting | Ready)
                | (Blocked | Held | Waiting | Ready | Running, Done)
        )
    }
}

/// A job cannot go from one state to another: what the caller said cannot have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {from} cannot become {to}")]
pub struct IllegalTransition {
    /// The state it is in.
    pub from: JobState,
    /// The state it was told to take.
    pub to: JobState,
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocked => "blocked",
            Self::Held => "held",
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done => "done",
        })
    }
}
