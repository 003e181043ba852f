//! A whole run as one value: what its page, its text and its Markdown show.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::failure::{FailureView, outline};
use super::journal::{JobView, jobs_of};
use super::logs::StepLog;
use super::plan::{environment, fidelity, picture, plan_of};
use crate::clock::Timestamp;
use crate::event::{
    BudgetReport, CoverageTotals, FindingRecord, JobInfo, MetricGate, RunEvent, StoredKind,
    TestRecord, longest, precise, seconds,
};
use crate::id::RunId;
use crate::outcome::OutcomeKind;
use crate::store::StoredRun;

/// A run that is over, or how far it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunView {
    /// What failed, and what changed since the last success; also the run's name and its state.
    pub failure: FailureView,
    /// The tag it was for.
    pub tag: Option<String>,
    /// The run whose successful jobs it reused.
    pub rerun_of: Option<RunId>,
    /// Its jobs, in the order of the plan.
    pub jobs: Vec<JobView>,
    /// The jobs on the path that took longest, first job first.
    pub critical_path: Vec<Arc<str>>,
    /// How long the jobs on that path took together, in seconds.
    #[serde(serialize_with = "seconds::serialize")]
    pub critical_duration: Duration,
    /// What stages spent of their time budgets, once the run has ended.
    pub budgets: Vec<BudgetReport>,
    /// The gates on coverage, values and findings.
    pub gates: Vec<GateView>,
    /// What the jobs measured.
    pub metrics: Vec<MetricView>,
    /// The files of which the least is covered; empty where no report is at hand.
    pub least_covered: Vec<FileCoverageView>,
    /// What scanners and linters found, the worst first: what the jobs told, and what the artifacts that
    /// are such reports have.
    pub findings: Vec<FindingView>,
    /// The tests that passed after they had failed.
    pub flaky: Vec<FlakyView>,
    /// What the jobs put away.
    pub stored: Vec<StoredView>,
    /// What people should know that changed nothing.
    pub warnings: Vec<String>,
    /// Where the jobs ran: executor, image and class with the number of jobs.
    pub environment: Vec<EnvironmentView>,
    /// The names of the variables that were given to the run.
    pub variables: Vec<String>,
    /// What is not the same as on the machines of the vendor whose file it is.
    pub fidelity: Vec<String>,
    /// The logs, cut to what the options allow.
    pub logs: Vec<StepLog>,
    /// The graph of the jobs, as SVG without a style of its own.
    #[serde(skip)]
    pub(super) picture: Option<String>,
    /// The findings that the journal tells of, with their jobs.
    #[serde(skip)]
    found: Vec<(Arc<str>, FindingRecord)>,
}

/// What a gate is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GateKind {
    /// Coverage.
    Coverage,
    /// Measured values.
    Metrics,
    /// Findings of scanners and linters.
    Findings,
}

/// A value that a job measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MetricView {
    /// The job.
    pub job: Arc<str>,
    /// Its name.
    pub name: String,
    /// The value.
    pub value: f64,
    /// Its unit, where that is told.
    pub unit: Option<String>,
    /// What is said of it, where a rule is for it.
    pub gate: Option<MetricGate>,
}

/// What a gate said.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GateView {
    /// The job.
    pub job: Arc<str>,
    /// What it is on.
    pub on: GateKind,
    /// Whether it was passed.
    pub passed: bool,
    /// The same in words.
    pub message: String,
}

/// The coverage of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileCoverageView {
    /// Its path.
    pub path: String,
    /// How many of its lines ran.
    pub covered: u64,
    /// How many lines can run.
    pub total: u64,
}

/// Something that a scanner or a linter found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FindingView {
    /// How bad it is, such as `high`.
    pub severity: String,
    /// The rule.
    pub rule: String,
    /// The file with its line, or the package.
    pub place: String,
    /// What it is.
    pub message: String,
    /// Who found it.
    pub tools: Vec<String>,
}

/// A test that passed after it had failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FlakyView {
    /// The job.
    pub job: Arc<str>,
    /// The test, as [`TestRecord::id`] gives it.
    pub test: String,
}

/// Something that a step put away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoredView {
    /// The job.
    pub job: Arc<str>,
    /// What kind of thing.
    pub kind: StoredKind,
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Where jobs ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EnvironmentView {
    /// The executor.
    pub executor: String,
    /// The container image.
    pub image: Option<String>,
    /// The class of machine.
    pub class: Option<String>,
    /// How many jobs ran there.
    pub jobs: usize,
}

/// The name under which a job's [options](crate::job::JobOptions::extra) keep what is not the same as
/// on the vendor's machines: a list of sentences.
pub const FIDELITY: &str = "fidelity";

impl RunView {
    /// What the journal of a run and its workflow tell. Logs, coverage of files and the last success
    /// are not in it: [`run_view`](super::run_view) adds them.
    #[must_use]
    pub fn new(run: &StoredRun) -> Self {
        let jobs = jobs_of(run);
        let (critical_duration, critical_path) = critical(&jobs);
        let plan = plan_of(run, &jobs);
        let mut view = Self {
            failure: outline(&run.summary, &jobs),
            tag: run.facts.tag.clone(),
            rerun_of: run.summary.rerun_of,
            critical_path,
            critical_duration,
            budgets: Vec::new(),
            gates: Vec::new(),
            metrics: Vec::new(),
            least_covered: Vec::new(),
            findings: Vec::new(),
            flaky: Vec::new(),
            stored: Vec::new(),
            warnings: Vec::new(),
            environment: Vec::new(),
            variables: run.facts.variables.keys().cloned().collect(),
            fidelity: fidelity(run),
            logs: Vec::new(),
            picture: None,
            found: Vec::new(),
            jobs,
        };
        if let Some(plan) = &plan {
            view.environment = environment(plan, &view.jobs);
            view.picture = Some(picture(plan, &view));
        }
        for record in &run.journal {
            view.note(&record.event);
        }
        view.show_findings();
        view
    }

    fn note(&mut self, event: &RunEvent) {
        match event {
            RunEvent::CoverageJudged { job, gates, .. } => {
                let gates = gates.iter().map(|gate| (gate.passed, gate.message.clone()));
                self.judged(job, GateKind::Coverage, gates);
            }
            RunEvent::Stored {
                job,
                kind,
                name,
                bytes,
                ..
            } => self.stored.push(StoredView {
                job: Arc::clone(job),
                kind: *kind,
                name: name.clone(),
                bytes: *bytes,
            }),
            RunEvent::Warning { job, message } => self.warnings.push(match job {
                Some(job) => format!("{job}: {message}"),
                None => message.clone(),
            }),
            RunEvent::BudgetExceeded { stage, limit } => {
                let limit = precise(*limit);
                let words = format!("the stage `{stage}` used up its budget of {limit}");
                self.warnings.push(words);
            }
            // A run that was resumed has several ends.
            RunEvent::RunFinished { budgets, .. } => self.budgets.clone_from(budgets),
            _ => self.note_measured(event),
        }
    }

    fn note_measured(&mut self, event: &RunEvent) {
        match event {
            RunEvent::MetricsJudged { job, gates, .. } => {
                for gate in gates {
                    let mut metrics = self.metrics.iter_mut();
                    let is_it = |it: &&mut MetricView| it.job == *job && it.name == gate.name;
                    if let Some(metric) = metrics.find(is_it) {
                        metric.gate = Some(gate.clone());
                    }
                }
                let words = |gate: &MetricGate| format!("{}: {}", gate.name, gate.message);
                let gates = gates.iter().map(|gate| (gate.passed, words(gate)));
                self.judged(job, GateKind::Metrics, gates);
            }
            RunEvent::FindingsJudged {
                job,
                passed,
                message,
                ..
            } => {
                let gate = std::iter::once((*passed, message.clone()));
                self.judged(job, GateKind::Findings, gate);
            }
            RunEvent::JobStarted { job, .. } => {
                // A later attempt measures and scans anew.
                self.metrics.retain(|it| it.job != *job);
                self.found.retain(|(of, _)| of != job);
            }
            RunEvent::Metrics { job, values, .. } => {
                self.metrics.extend(values.iter().map(|value| MetricView {
                    job: Arc::clone(job),
                    name: value.name.clone(),
                    value: value.value,
                    unit: value.unit.clone(),
                    gate: None,
                }));
            }
            RunEvent::Findings { job, worst, .. } => {
                let of_job = worst.iter().map(|it| (Arc::clone(job), it.clone()));
                self.found.extend(of_job);
            }
            _ => {}
        }
    }

    /// Takes what the gates of a job said: a later attempt, or the last of several shards, judges anew.
    fn judged(
        &mut self,
        job: &Arc<str>,
        on: GateKind,
        gates: impl Iterator<Item = (bool, String)>,
    ) {
        self.gates.retain(|gate| gate.job != *job || gate.on != on);
        self.gates.extend(gates.map(|(passed, message)| GateView {
            job: Arc::clone(job),
            on,
            passed,
            message,
        }));
    }

    /// Shows the findings that the journal tells of, the worst first.
    fn show_findings(&mut self) {
        let mut found: Vec<FindingRecord> = Vec::new();
        for (_, it) in std::mem::take(&mut self.found) {
            if !found.contains(&it) {
                found.push(it);
            }
        }
        found.sort_by_key(|it| std::cmp::Reverse(it.severity));
        let shown = found.into_iter().map(|it| FindingView {
            severity: it.severity.to_string(),
            rule: it.rule,
            place: it.place,
            message: it.message,
            tools: it.tools,
        });
        self.findings = shown.collect();
    }

    /// How many jobs ended in each way, in the order of the kinds; jobs that have not ended are left
    /// out.
    #[must_use]
    pub fn counts(&self) -> Vec<(OutcomeKind, usize)> {
        let count = |kind| {
            let is_kind = |job: &&JobView| job.outcome == Some(kind);
            (kind, self.jobs.iter().filter(is_kind).count())
        };
        let all = OutcomeKind::ALL.into_iter().map(count);
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// The failed tests of all jobs, with their job.
    pub fn failed_tests(&self) -> impl Iterator<Item = (&JobView, &TestRecord)> {
        let jobs = self.jobs.iter();
        jobs.flat_map(|job| job.failed_tests.iter().map(move |test| (job, test)))
    }

    /// The coverage of each job that has some.
    pub fn coverage(&self) -> impl Iterator<Item = (&Arc<str>, CoverageTotals)> {
        let jobs = self.jobs.iter();
        jobs.filter_map(|job| Some((&job.name, job.coverage()?)))
    }

    /// When the run began.
    #[must_use]
    pub fn began(&self) -> Timestamp {
        self.failure.created
    }

    /// The last moment that the run knows of.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        let ends = self.jobs.iter().flat_map(|job| {
            let steps = job.attempts.iter().flat_map(|attempt| &attempt.steps);
            let steps = steps.filter_map(|step| step.ended.or(Some(step.started)));
            let attempts = job.attempts.iter().map(|attempt| attempt.started);
            job.ended.into_iter().chain(steps).chain(attempts)
        });
        let last = ends.max().unwrap_or(self.failure.created);
        self.failure.finished.map_or(last, |end| end.max(last))
    }

    /// Whether a job is on the path that took longest.
    #[must_use]
    pub fn is_critical(&self, job: &str) -> bool {
        self.critical_path.iter().any(|name| **name == *job)
    }
}

/// The path through the jobs that took longest.
fn critical(jobs: &[JobView]) -> (Duration, Vec<Arc<str>>) {
    let infos: Vec<JobInfo> = jobs
        .iter()
        .map(|job| JobInfo {
            name: Arc::clone(&job.name),
            needs: job.needs.clone(),
            stage: None,
            executor: Arc::clone(&job.executor),
            steps: 0,
        })
        .collect();
    let (total, path) = longest(&infos, |place| jobs[place].duration);
    if total.is_zero() {
        return (total, Vec::new());
    }
    let names = path.into_iter().map(|place| &jobs[place]);
    let took_time = names.filter(|job| !job.duration.is_zero());
    (total, took_time.map(|job| Arc::clone(&job.name)).collect())
}

/// The class that gives an outcome its colour.
pub(super) const fn class_of(outcome: Option<OutcomeKind>) -> &'static str {
    match outcome {
        Some(OutcomeKind::Success) => "good",
        Some(
            OutcomeKind::Failed
            | OutcomeKind::TimedOut
            | OutcomeKind::Interrupted
            | OutcomeKind::InfrastructureFailure,
        ) => "bad",
        Some(OutcomeKind::Canceled | OutcomeKind::OnHold) => "warn",
        Some(OutcomeKind::Skipped | OutcomeKind::NotRun) => "dim",
        None => "busy",
    }
}

/// An outcome in words.
pub(super) const fn state_of(outcome: Option<OutcomeKind>) -> &'static str {
    match outcome {
        Some(OutcomeKind::TimedOut) => "timed out",
        Some(OutcomeKind::NotRun) => "not run",
        Some(OutcomeKind::OnHold) => "on hold",
        Some(OutcomeKind::InfrastructureFailure) => "infrastructure failure",
        Some(kind) => kind.as_str(),
        None => "not ended",
    }
}
