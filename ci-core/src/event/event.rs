//! The closed enum of everything that happens in a run. Its JSON form is a contract.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    BudgetReport, CoverageTotals, FindingCounts, FindingRecord, GateOutcome, JobReports,
    MetricGate, MetricValue, ReportFile, TestCounts, TestRecord,
};
use crate::clock::Timestamp;
use crate::id::RunId;
use crate::outcome::{CancelReason, Outcome, OutcomeKind};
use crate::session::Stream;

/// The version of the JSON form of events. It grows when a field changes its meaning or goes away;
/// new fields and new events do not change it.
pub const SCHEMA_VERSION: u32 = 1;

/// An event with its place in the run. Its JSON form is one flat object, in which the fields of the
/// event stand beside those of the record.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRecord {
    /// The run.
    pub run: RunId,
    /// Counts the events from 1: for sinks those that this process told, also when it resumes a run; in
    /// a journal those of the run.
    pub seq: u64,
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    pub event: RunEvent,
}

/// Everything that can happen in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RunEvent {
    /// The run began, or went on after a crash.
    RunStarted {
        /// The workflow's name.
        workflow: Arc<str>,
        /// The jobs in the order of the plan.
        jobs: Vec<JobInfo>,
        /// Whether an earlier process began the run.
        resumed: bool,
    },
    /// The job's dependencies allow it; it waits for a slot.
    JobReady {
        /// The job.
        job: Arc<str>,
    },
    /// The job or one of its steps waits for an approval.
    JobHeld {
        /// The job.
        job: Arc<str>,
        /// What the person who approves is asked.
        prompt: Option<String>,
    },
    /// Somebody decided about a job that was held.
    JobApproved {
        /// The job.
        job: Arc<str>,
        /// Whether it may go on.
        approved: bool,
        /// Who decided.
        by: String,
    },
    /// The job waits until a moment.
    JobDelayed {
        /// The job.
        job: Arc<str>,
        /// Until when.
        until: Timestamp,
    },
    /// The job waits for something that other jobs hold.
    JobWaiting {
        /// The job.
        job: Arc<str>,
        /// For what, in words: a group or a resource.
        reason: String,
    },
    /// An attempt of the job began.
    JobStarted {
        /// The job.
        job: Arc<str>,
        /// Counts from 1.
        attempt: u32,
        /// The executor's name.
        executor: Arc<str>,
    },
    /// The job's session is prepared.
    JobPrepared {
        /// The job.
        job: Arc<str>,
        /// How long it took, in seconds.
        #[serde(with = "seconds")]
        #[schemars(with = "f64", range(min = 0))]
        duration: Duration,
    },
    /// A step began.
    StepStarted {
        /// The job.
        job: Arc<str>,
        /// The job's attempt.
        attempt: u32,
        /// The step's place in the job, from 0.
        step: u32,
        /// The step's name.
        name: Arc<str>,
    },
    /// A step wrote something.
    Output {
        /// The job.
        job: Arc<str>,
        /// The step's place in the job.
        step: u32,
        /// The stream.
        stream: Stream,
        /// The text, secrets masked; bytes that are not UTF-8 became U+FFFD (the log keeps them).
        text: Arc<str>,
    },
    /// Output that a slow sink missed; the log in the store has it.
    OutputDropped {
        /// How many bytes.
        bytes: u64,
    },
    /// A step put something away: a cache, an artifact, test results.
    Stored {
        /// The job.
        job: Arc<str>,
        /// The step's place in the job.
        step: u32,
        /// What kind of thing.
        kind: StoredKind,
        /// Its name: a path or a cache key.
        name: String,
        /// Its size in bytes.
        bytes: u64,
        /// The content's address in the storage, where it has one.
        digest: Option<String>,
    },
    /// A step read the test results that it kept.
    TestResults {
        /// The job.
        job: Arc<str>,
        /// The job's attempt.
        attempt: u32,
        /// The step's place in the job.
        step: u32,
        /// The tests of all files, counted.
        counts: TestCounts,
        /// The files, also those that could not be read.
        files: Vec<ReportFile>,
        /// The tests that failed or broke and did not pass later on, the first hundred. The store has
        /// all tests.
        failed: Vec<TestRecord>,
    },
    /// The coverage of a job is known: a step read the reports that it kept, or its output states it.
    Coverage {
        /// The job.
        job: Arc<str>,
        /// The job's attempt.
        attempt: u32,
        /// The step's place in the job.
        step: u32,
        /// The reports of the step, merged.
        totals: CoverageTotals,
        /// The directory that the job worked in: paths in the reports may be below it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        work_dir: Option<String>,
        /// The files, also those that could not be read.
        files: Vec<ReportFile>,
    },
    /// The coverage of a job, of all its shards together, was judged.
    CoverageJudged {
        /// The job; of several shards the one that was done last.
        job: Arc<str>,
        /// The job's attempt.
        attempt: u32,
        /// The jobs whose coverage was merged.
        shards: Vec<Arc<str>>,
        /// All of it together.
        totals: CoverageTotals,
        /// Whether every gate is passed.
        passed: bool,
        /// What each gate says; of those on files only the first hundred that are not passed.
        gates: Vec<GateOutcome>,
    },
    /// A step read the values that it kept.
    Metrics {
        /// The job.
        job: Arc<str>,
        /// The job's attempt.
        attempt: u32,
        /// The step's place in the job.
        step: u32,
        /// How many values there are.
        count: u64,
        /// The values, the first five hundred.
        values: Vec<MetricValue>,
        /// The files, also those that could not be read.
        files: Vec<ReportFile>,
    },
    /// The values of a job were judged.
    MetricsJudged {
        /// The job.
        job: Arc<str>,
        /// The job's attempt.
        attempt: u32,
        /// The branch whose successful runs were compared with.
        base: String,
        /// Whether every gate is passed.
        passed: bool,
        /// What is said of each value that a rule is for; of those that passed only the first hundred.
        gates: Vec<MetricGate>,
    },
    /// A step read the reports of scanners and linters that it kept.
    Findings {
        /// The job.
        job: Arc<str>,
        /// The job's attempt.
        attempt: u32,
        /// The step's place in the job.
        step: u32,
        /// The findings of all files, counted; what several tools found counts once.
        counts: FindingCounts,
        /// The worst of them, the first hundred.
        worst: Vec<FindingRecord>,
        /// The files, also those that could not be read.
        files: Vec<ReportFile>,
    },
    /// The findings of a job were judged.
    FindingsJudged {
        /// The job.
        job: Arc<str>,
        /// The job's attempt.
        attempt: u32,
        /// Those that are not known, counted.
        new: FindingCounts,
        /// How many are known.
        known: u64,
        /// Whether nothing blocks.
        passed: bool,
        /// The same in words.
        message: String,
        /// New ones that block, the first hundred.
        blocking: Vec<FindingRecord>,
    },
    /// A step ended.
    StepFinished {
        /// The job.
        job: Arc<str>,
        /// The job's attempt.
        attempt: u32,
        /// The step's place in the job.
        step: u32,
        /// How it ended.
        result: Outcome,
        /// How long it took, in seconds.
        #[serde(with = "seconds")]
        #[schemars(with = "f64", range(min = 0))]
        duration: Duration,
    },
    /// An attempt failed and there will be another.
    JobRetrying {
        /// The job.
        job: Arc<str>,
        /// The attempt that failed.
        attempt: u32,
        /// How it ended.
        result: Outcome,
        /// The pause before the next attempt, in seconds.
        #[serde(with = "seconds")]
        #[schemars(with = "f64", range(min = 0))]
        delay: Duration,
    },
    /// A job ended for good.
    JobFinished {
        /// The job.
        job: Arc<str>,
        /// How it ended.
        result: Outcome,
        /// How many attempts it took; zero if it never started.
        attempts: u32,
        /// How long its attempts took together, in seconds.
        #[serde(with = "seconds")]
        #[schemars(with = "f64", range(min = 0))]
        duration: Duration,
        /// Whether a failure of it counts as success.
        allowed: bool,
        /// Whether it did not run: an earlier run's outcome is reused.
        #[serde(default)]
        reused: bool,
        /// What its reports came to, if it kept any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reports: Option<Arc<JobReports>>,
    },
    /// A stage used up its time budget.
    BudgetExceeded {
        /// The stage.
        stage: Arc<str>,
        /// The budget, in seconds.
        #[serde(with = "seconds")]
        #[schemars(with = "f64", range(min = 0))]
        limit: Duration,
    },
    /// Something a person should know that changes nothing.
    Warning {
        /// The job it is about, if it is about one.
        job: Option<Arc<str>>,
        /// What it is.
        message: String,
    },
    /// The run was asked to stop.
    RunCanceling {
        /// Why.
        reason: CancelReason,
    },
    /// The run ended.
    RunFinished {
        /// The run.
        run: RunId,
        /// How it ended.
        outcome: OutcomeKind,
        /// Every job of it.
        jobs: Vec<JobResult>,
        /// What the stages that began spent of their time budgets.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        budgets: Vec<BudgetReport>,
        /// How long it took, in seconds.
        #[serde(with = "seconds")]
        #[schemars(with = "f64", range(min = 0))]
        duration: Duration,
    },
}

/// A job as the start of a run shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct JobInfo {
    /// The job's name.
    pub name: Arc<str>,
    /// The jobs it waits for.
    pub needs: Vec<Arc<str>>,
    /// The stage it is shown in.
    pub stage: Option<Arc<str>>,
    /// The executor it was given to.
    pub executor: Arc<str>,
    /// How many steps it has.
    pub steps: u32,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct JobResult {
    /// The job's name.
    pub name: Arc<str>,
    /// How it ended.
    pub outcome: OutcomeKind,
    /// The exit code behind the outcome.
    pub exit_code: Option<i32>,
    /// Why, where the outcome's name does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many attempts it took; zero if it never started.
    pub attempts: u32,
    /// How long its attempts took together, in seconds.
    #[serde(with = "seconds")]
    #[schemars(with = "f64", range(min = 0))]
    pub duration: Duration,
    /// Whether a failure of it counts as success.
    #[serde(default)]
    pub allowed: bool,
    /// What its reports came to, if it kept any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports: Option<Arc<JobReports>>,
}

impl JobResult {
    /// What the end of a job says, and whether an earlier run ended it; `None` for any other event.
    pub(crate) fn of(event: &RunEvent) -> Option<(Self, bool)> {
        let RunEvent::JobFinished {
            job,
            result,
            attempts,
            duration,
            allowed,
            reused,
            reports,
        } = event
        else {
            return None;
        };
        let ended = Self {
            name: Arc::clone(job),
            outcome: result.kind(),
            exit_code: result.exit_code(),
            reason: result.reason(),
            attempts: *attempts,
            duration: *duration,
            allowed: *allowed,
            reports: reports.clone(),
        };
        Some((ended, *reused))
    }
}

/// What a step put away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoredKind {
    /// A cache that was saved.
    CacheSaved,
    /// A cache that was brought back.
    CacheRestored,
    /// A cache that was not there; the name lists the keys that were tried.
    CacheMissed,
    /// A layer of the workspace.
    Workspace,
    /// An artifact.
    Artifact,
    /// Test results.
    TestResults,
    /// A coverage report.
    Coverage,
    /// Values that were measured.
    Metrics,
    /// What scanners and linters found.
    Findings,
}

impl RunEvent {
    /// The job it is about, if it is about one.
    #[must_use]
    pub fn job(&self) -> Option<&Arc<str>> {
        match self {
            Self::JobReady { job }
            | Self::JobHeld { job, .. }
            | Self::JobApproved { job, .. }
            | Self::JobDelayed { job, .. }
            | Self::JobWaiting { job, .. }
            | Self::JobStarted { job, .. }
            | Self::JobPrepared { job, .. }
            | Self::StepStarted { job, .. }
            | Self::Output { job, .. }
            | Self::Stored { job, .. }
            | Self::TestResults { job, .. }
            | Self::Coverage { job, .. }
            | Self::CoverageJudged { job, .. }
            | Self::Metrics { job, .. }
            | Self::MetricsJudged { job, .. }
            | Self::Findings { job, .. }
            | Self::FindingsJudged { job, .. }
            | Self::StepFinished { job, .. }
            | Self::JobRetrying { job, .. }
            | Self::JobFinished { job, .. } => Some(job),
            Self::Warning { job, .. } => job.as_ref(),
            Self::RunStarted { .. }
            | Self::OutputDropped { .. }
            | Self::BudgetExceeded { .. }
            | Self::RunCanceling { .. }
            | Self::RunFinished { .. } => None,
        }
    }

    /// Whether the event is output, of which a slow sink may miss some.
    #[must_use]
    pub const fn is_output(&self) -> bool {
        matches!(self, Self::Output { .. } | Self::OutputDropped { .. })
    }
}

/// Durations as seconds with a fraction.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let millis = u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        serializer.serialize_f64(f64::from(millis) / 1000.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }
}
