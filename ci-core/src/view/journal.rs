//! The journal of a run as jobs, attempts and steps with their times.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::event::{
    CoverageTotals, FindingCounts, JobInfo, JobReports, ReportFile, RunEvent, TestCounts,
    TestRecord, seconds,
};
use crate::outcome::{Outcome, OutcomeKind};
use crate::store::StoredRun;

/// A job of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JobView {
    /// Its name.
    pub name: Arc<str>,
    /// The jobs it waits for.
    pub needs: Vec<Arc<str>>,
    /// Its stage.
    pub stage: Option<Arc<str>>,
    /// The executor it was given to.
    pub executor: Arc<str>,
    /// How it ended; `None` while it has not.
    pub outcome: Option<OutcomeKind>,
    /// Why, where the outcome's name does not say it all.
    pub reason: Option<String>,
    /// Whether a failure of it counts as success.
    pub allowed: bool,
    /// Whether an earlier run's outcome was reused.
    pub reused: bool,
    /// How long its attempts took together, in seconds.
    #[serde(serialize_with = "seconds::serialize")]
    pub duration: Duration,
    /// When nothing kept it but the lack of a free slot.
    pub ready: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What it waited for beside its needs.
    pub waits: Vec<String>,
    /// Its attempts.
    pub attempts: Vec<AttemptView>,
    /// What its reports came to.
    pub reports: Option<Arc<JobReports>>,
    /// The report files of its last attempt.
    pub report_files: Vec<ReportFile>,
    /// The failed tests of its last attempt, at most a hundred for each step.
    pub failed_tests: Vec<TestRecord>,
    /// How many of its tests failed or broke in the last attempt.
    pub bad_tests: u64,
}

/// An attempt of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AttemptView {
    /// Counts from 1.
    pub number: u32,
    /// The executor.
    pub executor: Arc<str>,
    /// When it began.
    pub started: Timestamp,
    /// How long the preparation took, in milliseconds.
    pub prepared: Option<u64>,
    /// Its steps that began.
    pub steps: Vec<StepView>,
    /// When it ended, teardown included.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<OutcomeKind>,
}

/// A step of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StepView {
    /// Its place in the job, from 0.
    pub index: u32,
    /// Its name.
    pub name: Arc<str>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<OutcomeKind>,
    /// Why, where the outcome's name does not say it all.
    pub reason: Option<String>,
}

impl JobView {
    fn new(info: &JobInfo) -> Self {
        Self {
            name: Arc::clone(&info.name),
            needs: info.needs.clone(),
            stage: info.stage.clone(),
            executor: Arc::clone(&info.executor),
            outcome: None,
            reason: None,
            allowed: false,
            reused: false,
            duration: Duration::ZERO,
            ready: None,
            ended: None,
            waits: Vec::new(),
            attempts: Vec::new(),
            reports: None,
            report_files: Vec::new(),
            failed_tests: Vec::new(),
            bad_tests: 0,
        }
    }

    /// The tests of its last attempt.
    #[must_use]
    pub fn tests(&self) -> Option<TestCounts> {
        self.reports.as_ref().and_then(|reports| reports.tests)
    }

    /// The coverage of its last attempt.
    #[must_use]
    pub fn coverage(&self) -> Option<CoverageTotals> {
        self.reports.as_ref().and_then(|reports| reports.coverage)
    }

    /// The findings of its last attempt, counted.
    #[must_use]
    pub fn findings(&self) -> Option<FindingCounts> {
        self.reports.as_ref().and_then(|reports| reports.findings)
    }

    /// Its reports in words, the tests first.
    #[must_use]
    pub fn reports_in_words(&self) -> String {
        let values = self.reports.as_ref().map_or(0, |it| it.metrics.len());
        let plural = if values == 1 { "" } else { "s" };
        let words = [
            self.tests().map(|tests| tests.to_string()),
            self.coverage().map(|coverage| coverage.to_string()),
            self.findings().map(|findings| findings.to_string()),
            (values > 0).then(|| format!("{values} value{plural}")),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        words.join("; ")
    }

    /// Whether it ended badly: not a job that was skipped, held, canceled or not reached.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.outcome.is_some_and(is_bad)
    }

    /// The last attempt.
    #[must_use]
    pub fn last_attempt(&self) -> Option<&AttemptView> {
        self.attempts.last()
    }

    fn attempt(&mut self, number: u32) -> Option<&mut AttemptView> {
        let mut attempts = self.attempts.iter_mut();
        attempts.rfind(|attempt| attempt.number == number)
    }

    fn begin(&mut self, number: u32, executor: &Arc<str>, time: Timestamp) {
        // A run that was resumed begins the attempt that was cut off again.
        self.attempts.retain(|attempt| attempt.number != number);
        self.report_files.clear();
        self.failed_tests.clear();
        self.bad_tests = 0;
        self.attempts.push(AttemptView {
            number,
            executor: Arc::clone(executor),
            started: time,
            prepared: None,
            steps: Vec::new(),
            ended: None,
            outcome: None,
        });
    }

    fn end_attempt(&mut self, result: &Outcome, time: Timestamp) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.ended = Some(time);
            attempt.outcome = Some(result.kind());
        }
    }
}

impl AttemptView {
    /// The first step that ended badly; else, of an attempt that did not end, the one that ran last.
    #[must_use]
    pub fn culprit(&self) -> Option<&StepView> {
        let is_culprit = |step: &&StepView| step.outcome.is_some_and(is_bad);
        let running = || self.steps.iter().rfind(|step| step.outcome.is_none());
        self.steps.iter().find(is_culprit).or_else(running)
    }
}

/// Whether an outcome is one to look into.
pub(super) const fn is_bad(kind: OutcomeKind) -> bool {
    matches!(
        kind,
        OutcomeKind::Failed
            | OutcomeKind::TimedOut
            | OutcomeKind::Interrupted
            | OutcomeKind::InfrastructureFailure
    )
}

/// What the journal of a run tells of its jobs, in the order of the plan.
#[must_use]
pub fn jobs_of(run: &StoredRun) -> Vec<JobView> {
    let mut jobs: Vec<JobView> = Vec::new();
    let mut places: HashMap<Arc<str>, usize> = HashMap::new();
    for record in &run.journal {
        if let RunEvent::RunStarted { jobs: infos, .. } = &record.event {
            for info in infos {
                places.entry(Arc::clone(&info.name)).or_insert_with(|| {
                    jobs.push(JobView::new(info));
                    jobs.len() - 1
                });
            }
        }
        let place = record.event.job().and_then(|job| places.get(job));
        if let Some(job) = place.and_then(|place| jobs.get_mut(*place)) {
            apply(job, &record.event, record.time);
        }
    }
    jobs
}

fn apply(job: &mut JobView, event: &RunEvent, time: Timestamp) {
    match event {
        RunEvent::JobReady { .. } => job.ready = Some(time),
        RunEvent::JobWaiting { reason, .. } => job.waits.push(reason.clone()),
        RunEvent::JobHeld { prompt, .. } => {
            job.waits
                .push(prompt.clone().unwrap_or_else(|| "an approval".into()));
        }
        RunEvent::JobStarted {
            attempt, executor, ..
        } => job.begin(*attempt, executor, time),
        RunEvent::JobPrepared { duration, .. } => {
            if let Some(attempt) = job.attempts.last_mut() {
                attempt.prepared = u64::try_from(duration.as_millis()).ok();
            }
        }
        RunEvent::JobRetrying { result, .. } => job.end_attempt(result, time),
        RunEvent::TestResults {
            files,
            failed,
            counts,
            ..
        } => {
            job.report_files.extend(files.iter().cloned());
            job.failed_tests.extend(failed.iter().cloned());
            job.bad_tests += counts.bad();
        }
        RunEvent::Coverage { files, .. }
        | RunEvent::Metrics { files, .. }
        | RunEvent::Findings { files, .. } => job.report_files.extend(files.iter().cloned()),
        RunEvent::JobFinished {
            result,
            duration,
            allowed,
            reused,
            reports,
            ..
        } => {
            job.end_attempt(result, time);
            job.outcome = Some(result.kind());
            job.reason = result.reason();
            job.duration = *duration;
            job.allowed = *allowed;
            job.reused = *reused;
            job.ended = Some(time);
            job.reports.clone_from(reports);
        }
        _ => apply_step(job, event, time),
    }
}

fn apply_step(job: &mut JobView, event: &RunEvent, time: Timestamp) {
    match event {
        RunEvent::StepStarted {
            attempt,
            step,
            name,
            ..
        } => {
            if let Some(attempt) = job.attempt(*attempt) {
                attempt.steps.push(StepView {
                    index: *step,
                    name: Arc::clone(name),
                    started: time,
                    ended: None,
                    outcome: None,
                    reason: None,
                });
            }
        }
        RunEvent::StepFinished {
            attempt,
            step,
            result,
            ..
        } => {
            let steps = job.attempt(*attempt).map(|attempt| &mut attempt.steps);
            let found = steps.and_then(|steps| steps.iter_mut().rfind(|it| it.index == *step));
            if let Some(view) = found {
                view.ended = Some(time);
                view.outcome = Some(result.kind());
                view.reason = result.reason();
            }
        }
        _ => {}
    }
}
