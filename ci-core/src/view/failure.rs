//! Answers what failed in a run, and what changed since it last went well.

use std::sync::Arc;

use serde::Serialize;

use super::excerpt::{Excerpt, Excerpter};
use super::journal::{JobView, StepView, jobs_of};
use crate::clock::Timestamp;
use crate::event::TestRecord;
use crate::id::RunId;
use crate::outcome::OutcomeKind;
use crate::store::{LogQuery, LogReader, RunQuery, RunStore, RunSummary, StoreError, StoredRun};

/// How many failed jobs are shown with their output.
const MOST_JOBS: usize = 20;
/// How many commits are listed.
#[cfg(feature = "git")]
const MOST_COMMITS: usize = 20;

/// Which run to look at, and how closely.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FailureQuery {
    /// The run; the newest of those that the other fields allow without.
    pub run: Option<RunId>,
    /// Only runs of this workflow.
    pub workflow: Option<String>,
    /// Only runs for this branch.
    pub branch: Option<String>,
    /// How many lines of output are shown for each failed job.
    pub lines: usize,
}

impl Default for FailureQuery {
    fn default() -> Self {
        Self {
            run: None,
            workflow: None,
            branch: None,
            lines: 12,
        }
    }
}

impl FailureQuery {
    /// Looks at this run.
    #[must_use]
    pub fn run(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }

    /// Only runs of this workflow.
    #[must_use]
    pub fn workflow(mut self, workflow: Option<String>) -> Self {
        self.workflow = workflow;
        self
    }

    /// Only runs for this branch.
    #[must_use]
    pub fn branch(mut self, branch: Option<String>) -> Self {
        self.branch = branch;
        self
    }

    /// Shows so many lines of output for each failed job.
    #[must_use]
    pub fn lines(mut self, lines: usize) -> Self {
        self.lines = lines;
        self
    }
}

/// What failed in a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FailureView {
    /// The run.
    pub run: RunId,
    /// Its workflow.
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
    /// How many jobs it has.
    pub total_jobs: usize,
    /// The jobs that ended badly, those first whose failure counts; and of a run whose process died
    /// those that had begun. The first twenty have their output.
    pub jobs: Vec<FailedJob>,
    /// The jobs that did not run because of them.
    pub not_run: Vec<Arc<str>>,
    /// The last run of the same workflow and branch before it that succeeded.
    pub last_success: Option<LastSuccess>,
}

/// A job that ended badly.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FailedJob {
    /// Its name.
    pub name: Arc<str>,
    /// How it ended; `None` if the process that drove it died.
    pub outcome: Option<OutcomeKind>,
    /// Why, where the outcome's name does not say it all.
    pub reason: Option<String>,
    /// Whether its failure counts as success.
    pub allowed: bool,
    /// Its last attempt, from 1; 0 if it never began.
    pub attempt: u32,
    /// The step that failed, if one did.
    pub step: Option<FailedStep>,
    /// Its failed tests, the first hundred of each step.
    pub tests: Vec<TestRecord>,
    /// How many of its tests failed or broke.
    pub bad_tests: u64,
}

/// A step that ended badly.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FailedStep {
    /// Its place in the job, from 0.
    pub index: u32,
    /// Its name.
    pub name: Arc<str>,
    /// How it ended.
    pub outcome: Option<OutcomeKind>,
    /// Why, where the outcome's name does not say it all.
    pub reason: Option<String>,
    /// Its first failing lines; where no line looks like one, its last.
    pub output: Excerpt,
}

/// A run that went well, and what changed since.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LastSuccess {
    /// The run.
    pub run: RunId,
    /// The commit it was for.
    pub revision: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// The commits since, newest first, the first twenty. `None` where git cannot say.
    pub commits: Option<Vec<ChangedCommit>>,
    /// How many commits there are since.
    pub total_commits: usize,
}

/// A commit since the last success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChangedCommit {
    /// Its full hash.
    pub id: String,
    /// The first line of its message.
    pub subject: String,
    /// Who wrote it, as `Name <address>`.
    pub author: String,
}

/// What failed in the run that `query` asks for; `None` where there is no such run.
///
/// # Errors
/// When the store cannot read.
pub async fn failure(
    store: &dyn RunStore,
    query: &FailureQuery,
) -> Result<Option<FailureView>, StoreError> {
    let Some(id) = newest(store, query).await? else {
        return Ok(None);
    };
    let run = store.load(id).await?;
    let jobs = jobs_of(&run);
    let mut view = outline(&run.summary, &jobs);
    fill(store, &run, &mut view, query.lines).await?;
    Ok(Some(view))
}

/// Adds the output of what failed, and the last success.
pub(super) async fn fill(
    store: &dyn RunStore,
    run: &StoredRun,
    view: &mut FailureView,
    lines: usize,
) -> Result<(), StoreError> {
    let mut shown = 0;
    for job in &mut view.jobs {
        let Some(step) = job.step.as_mut().filter(|_| shown < MOST_JOBS) else {
            continue;
        };
        shown += 1;
        let log = LogQuery {
            run: view.run,
            job: Some(job.name.to_string()),
            attempt: Some(job.attempt),
            step: Some(step.index),
        };
        step.output = excerpt(store, log, lines).await?;
    }
    view.last_success = last_success(store, run).await?;
    Ok(())
}

async fn newest(store: &dyn RunStore, query: &FailureQuery) -> Result<Option<RunId>, StoreError> {
    if query.run.is_some() {
        return Ok(query.run);
    }
    let query = RunQuery {
        workflow: query.workflow.clone(),
        branch: query.branch.clone(),
        limit: Some(1),
        ..RunQuery::default()
    };
    Ok(store.runs(&query).await?.runs.first().map(|run| run.id))
}

/// All but the output and the last success.
pub(super) fn outline(run: &RunSummary, jobs: &[JobView]) -> FailureView {
    let died = run.outcome.is_none() && !run.active;
    let is_failed =
        |job: &&JobView| job.is_bad() || died && job.outcome.is_none() && !job.attempts.is_empty();
    let mut failed: Vec<FailedJob> = jobs.iter().filter(is_failed).map(failed_job).collect();
    failed.sort_by_key(|job| job.allowed);
    let not_run = jobs
        .iter()
        .filter(|job| job.outcome == Some(OutcomeKind::NotRun))
        .map(|job| Arc::clone(&job.name));
    FailureView {
        run: run.id,
        workflow: Arc::clone(&run.workflow),
        outcome: run.outcome,
        active: run.active,
        branch: run.branch.clone(),
        revision: run.revision.clone(),
        created: run.created,
        finished: run.finished,
        total_jobs: jobs.len(),
        jobs: failed,
        not_run: not_run.collect(),
        last_success: None,
    }
}

fn failed_job(job: &JobView) -> FailedJob {
    let step = |step: &StepView| FailedStep {
        index: step.index,
        name: Arc::clone(&step.name),
        outcome: step.outcome,
        reason: step.reason.clone(),
        output: Excerpt::default(),
    };
    let attempt = job.last_attempt();
    FailedJob {
        name: Arc::clone(&job.name),
        outcome: job.outcome,
        reason: job.reason.clone(),
        allowed: job.allowed,
        attempt: attempt.map_or(0, |attempt| attempt.number),
        step: attempt.and_then(|attempt| attempt.culprit()).map(step),
        tests: job.failed_tests.clone(),
        bad_tests: job.bad_tests,
    }
}

/// The lines of a log that say what went wrong, read in little memory.
async fn excerpt(store: &dyn RunStore, log: LogQuery, most: usize) -> Result<Excerpt, StoreError> {
    let mut excerpter = Excerpter::new(most);
    let mut reader = LogReader::new(log);
    loop {
        let lines = reader.read(store).await?;
        if lines.is_empty() {
            break;
        }
        for line in &lines {
            excerpter.add(line);
        }
    }
    reader.finish().iter().for_each(|line| excerpter.add(line));
    Ok(excerpter.finish())
}

async fn last_success(
    store: &dyn RunStore,
    run: &StoredRun,
) -> Result<Option<LastSuccess>, StoreError> {
    let summary = &run.summary;
    let mut query = RunQuery {
        workflow: Some(summary.workflow.to_string()),
        branch: summary.branch.clone(),
        outcome: Some(OutcomeKind::Success),
        limit: Some(50),
        ..RunQuery::default()
    };
    let good = loop {
        let page = store.runs(&query).await?;
        let count = page.runs.len() as u64;
        // Newest first: those made after the run are passed over.
        let mut earlier = page.runs.into_iter().filter(|it| it.id < summary.id);
        match earlier.next() {
            Some(good) => break good,
            None if count == 0 => return Ok(None),
            None => query.offset += count,
        }
    };
    let mut last = LastSuccess {
        run: good.id,
        revision: good.revision,
        created: good.created,
        commits: None,
        total_commits: 0,
    };
    changed(run, &mut last).await;
    Ok(Some(last))
}

/// Lists the commits since. A repository that is gone, or whose history was rewritten, is no failure.
#[cfg(feature = "git")]
async fn changed(run: &StoredRun, last: &mut LastSuccess) {
    let (Some(repository), Some(from), Some(to)) = (
        run.facts.repository.clone(),
        last.revision.clone(),
        run.summary.revision.clone(),
    ) else {
        return;
    };
    let work = move || crate::vcs::commits_between(&repository, &from, &to, MOST_COMMITS);
    if let Ok(Ok(range)) = tokio::task::spawn_blocking(work).await {
        let commits = range.commits.iter().map(|commit| ChangedCommit {
            id: commit.id.clone(),
            subject: commit.subject().to_owned(),
            author: commit.author.clone(),
        });
        last.commits = Some(commits.collect());
        last.total_commits = range.total;
    }
}

#[cfg(not(feature = "git"))]
async fn changed(_run: &StoredRun, _last: &mut LastSuccess) {}
