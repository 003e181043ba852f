//! What a run store keeps, as values.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::OwnerId;
use crate::clock::Timestamp;
use crate::event::{CoverageTotals, EventRecord, JobResult, TestRecord};
use crate::id::RunId;
use crate::outcome::OutcomeKind;
use crate::session::Stream;
use crate::workflow::{RunFacts, WorkflowSpec};

/// A run that is about to begin.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// What runs.
    pub workflow: Arc<WorkflowSpec>,
    /// What it is for.
    pub facts: RunFacts,
    /// When it was made.
    pub created: Timestamp,
    /// The run whose successful jobs it reuses, if it is a rerun.
    pub rerun_of: Option<RunId>,
}

impl NewRun {
    /// A new run of `workflow` for `facts`.
    #[must_use]
    pub fn new(
        id: RunId,
        workflow: Arc<WorkflowSpec>,
        facts: RunFacts,
        created: Timestamp,
    ) -> Self {
        Self {
            id,
            workflow,
            facts,
            created,
            rerun_of: None,
        }
    }
}

/// A run as the store has it, with its journal.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoredRun {
    /// What it is and how far it is.
    pub summary: RunSummary,
    /// What runs. Code steps are there by name only.
    pub workflow: Arc<WorkflowSpec>,
    /// What it is for.
    pub facts: RunFacts,
    /// What happened, output left out, oldest first.
    pub journal: Vec<EventRecord>,
}

impl StoredRun {
    /// Puts together what a store has read.
    #[must_use]
    pub fn new(
        summary: RunSummary,
        workflow: Arc<WorkflowSpec>,
        facts: RunFacts,
        journal: Vec<EventRecord>,
    ) -> Self {
        Self {
            summary,
            workflow,
            facts,
            journal,
        }
    }
}

/// A run in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// How it ended; `None` while it has not.
    pub outcome: Option<OutcomeKind>,
    /// Whether a living process drives it.
    pub active: bool,
    /// The branch it was for.
    pub branch: Option<String>,
    /// The commit it was for.
    pub revision: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// The run whose successful jobs it reused.
    pub rerun_of: Option<RunId>,
    /// The jobs that have ended so far.
    pub jobs: Vec<JobResult>,
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunQuery {
    /// Only those of this workflow.
    pub workflow: Option<String>,
    /// Only those for this branch.
    pub branch: Option<String>,
    /// Only those for this commit, by its full hash.
    pub revision: Option<String>,
    /// Only those that ended this way.
    pub outcome: Option<OutcomeKind>,
    /// How many to pass over.
    pub offset: u64,
    /// How many at most; all by default.
    pub limit: Option<u64>,
}

/// A part of a listing, newest first.
#[derive(Debug, Clone, Default)]
pub struct RunPage {
    /// How many runs match.
    pub total: u64,
    /// The runs of this part.
    pub runs: Vec<RunSummary>,
}

/// Wanted: a place in a counted group.
#[derive(Debug, Clone)]
pub struct LeaseRequest {
    /// The group.
    pub group: Arc<str>,
    /// How many hold a place at once.
    pub limit: u32,
    /// Who asks.
    pub owner: OwnerId,
    /// The run it is for.
    pub run: RunId,
    /// The job it is for; empty for the run as a whole.
    pub job: Arc<str>,
}

/// A place in a counted group. It is lost when its owner's heartbeat stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The group.
    pub group: Arc<str>,
    /// Grows with every lease of the store: what holds a lower one has lost.
    pub fence: u64,
    /// Who holds it.
    pub owner: OwnerId,
}

/// What another process asks of the one that drives a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The run.
    pub run: RunId,
    /// What is asked.
    pub kind: RequestKind,
    /// Who asks.
    pub by: String,
}

/// What can be asked of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RequestKind {
    /// Decide about a held job.
    Approve {
        /// The job.
        job: String,
        /// Whether it may go on.
        approved: bool,
    },
    /// Stop a job, or the whole run.
    Cancel {
        /// The job; the whole run without.
        job: Option<String>,
        /// Why.
        reason: crate::outcome::CancelReason,
    },
}

/// A request in the order it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// Grows with every request of the store.
    pub seq: u64,
    /// What is asked.
    pub request: Request,
}

/// Names the log of one step of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogKey {
    /// The run.
    pub run: RunId,
    /// The job.
    pub job: Arc<str>,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The step's place in the job, from 0.
    pub step: u32,
}

/// Which lines of a log to read.
#[derive(Debug, Clone)]
pub struct LogQuery {
    /// The run.
    pub run: RunId,
    /// The job; all jobs without.
    pub job: Option<String>,
    /// The attempt; the last without.
    pub attempt: Option<u32>,
    /// The step; all steps without.
    pub step: Option<u32>,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The job.
    pub job: Arc<str>,
    /// The attempt.
    pub attempt: u32,
    /// The step's place in the job.
    pub step: u32,
    /// The stream.
    pub stream: Stream,
    /// When it was read.
    pub time: Timestamp,
    /// The bytes as they were written, secrets masked, without the line's end.
    pub bytes: Vec<u8>,
}

/// Which tests to look up.
#[derive(Debug, Clone, Default)]
pub struct TestQuery {
    /// Only those of this run.
    pub run: Option<RunId>,
    /// Only those of this workflow.
    pub workflow: Option<String>,
    /// Only those of runs for this branch.
    pub branch: Option<String>,
    /// Only those of this job.
    pub job: Option<String>,
    /// Only those of runs that had ended when this one was made, so that everybody who asks while it
    /// goes on gets the same answer.
    pub before: Option<RunId>,
    /// Of how many runs with tests at most, the newest; of all by default.
    pub runs: Option<u64>,
}

/// A test of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct TestEntry {
    /// The run, the job, its attempt and its step.
    pub key: LogKey,
    /// The commit the run was for.
    pub revision: Option<String>,
    /// When the run was made.
    pub created: Timestamp,
    /// The test.
    pub test: TestRecord,
}

/// The coverage that a step of a run reported.
#[derive(Debug, Clone, PartialEq)]
pub struct CoverageEntry {
    /// The run, the job, its attempt and its step.
    pub key: LogKey,
    /// The commit the run was for.
    pub revision: Option<String>,
    /// When the run was made.
    pub created: Timestamp,
    /// What it came to.
    pub totals: CoverageTotals,
}

/// What to keep.
#[derive(Debug, Clone, Default)]
pub struct Retention {
    /// Ended runs older than this go.
    pub max_age: Option<Duration>,
    /// Of the ended runs only so many newest stay.
    pub max_runs: Option<u64>,
}

impl Retention {
    /// Whether an ended run need not be kept, before which so many are newer.
    pub(super) fn drops(&self, newer: u64, age: Duration) -> bool {
        self.max_age.is_some_and(|most| age > most)
            || self.max_runs.is_some_and(|most| newer >= most)
    }
}
