//! The page of a run: one HTML file that needs nothing beside it.

use askama::Template;
use jiff::Timestamp as Moment;

use super::bars::{Row, rows};
use super::failure::{FailedJob, FailureView};
use super::failure_text::short;
use super::journal::JobView;
use super::run::{MetricView, RunView, class_of, state_of};
use super::timeline::Phases;
use crate::clock::Timestamp;
use crate::event::{CoverageTotals, mark_of, one_line, precise};
use crate::outcome::OutcomeKind;

const STYLE: &str = include_str!("../../templates/run.css");
const SCRIPT: &str = include_str!("../../templates/run.js");

/// The page of a run. It needs no network and no script: a script only adds the search in the logs.
/// Everything that comes from the run is escaped, and the page's own policy forbids any other script.
#[must_use]
pub fn run_html(view: &RunView) -> String {
    let page = Page::new(view);
    // The template writes to a string only, which does not fail.
    page.render().unwrap_or_default()
}

/// What the template shows.
#[derive(Template)]
#[template(path = "run.html")]
struct Page<'a> {
    style: &'static str,
    script: &'static str,
    view: &'a RunView,
    failure: &'a FailureView,
    counts: Vec<(Option<OutcomeKind>, usize)>,
    jobs: Vec<JobRow<'a>>,
    rows: Vec<Row>,
    logs: Vec<JobLogs<'a>>,
    left_out: u64,
}

/// A job with what the table says of it.
struct JobRow<'a> {
    place: usize,
    job: &'a JobView,
    phases: Phases,
    critical: bool,
    logged: bool,
}

/// The logs of a job.
struct JobLogs<'a> {
    place: usize,
    job: &'a JobView,
    steps: Vec<LogOfStep<'a>>,
}

struct LogOfStep<'a> {
    name: String,
    outcome: Option<OutcomeKind>,
    left_out: u64,
    lines: &'a [String],
    open: bool,
}

impl<'a> Page<'a> {
    fn new(view: &'a RunView) -> Self {
        let until = view.until();
        let logs = logs(view);
        let jobs = view.jobs.iter().enumerate();
        let counts = view.counts().into_iter();
        let row = |(place, job): (usize, &'a JobView)| JobRow {
            place,
            job,
            phases: Phases::all(job, until),
            critical: view.is_critical(&job.name),
            logged: logs.iter().any(|it| it.place == place),
        };
        Self {
            style: STYLE,
            script: SCRIPT.trim_end(),
            view,
            failure: &view.failure,
            counts: counts.map(|(kind, count)| (Some(kind), count)).collect(),
            jobs: jobs.map(row).collect(),
            rows: rows(view),
            left_out: view.logs.iter().map(|log| log.left_out).sum(),
            logs,
        }
    }

    fn took(&self) -> String {
        precise(self.view.until().since(self.view.began()))
    }

    fn picture(&self) -> &str {
        self.view.picture.as_deref().unwrap_or_default()
    }
}

fn logs(view: &RunView) -> Vec<JobLogs<'_>> {
    let mut all: Vec<JobLogs<'_>> = Vec::new();
    let mut by_job: std::collections::HashMap<&str, Vec<_>> = std::collections::HashMap::new();
    for log in &view.logs {
        by_job.entry(&log.job).or_default().push(log);
    }
    for (place, job) in view.jobs.iter().enumerate() {
        let Some(found) = by_job.remove(&*job.name) else {
            continue;
        };
        let attempt = job.last_attempt();
        let culprit = attempt.and_then(|attempt| attempt.culprit());
        let steps = found.into_iter().map(|log| {
            let steps = attempt.map_or(&[][..], |attempt| &attempt.steps);
            let step = steps.iter().find(|step| step.index == log.step);
            LogOfStep {
                name: step.map_or_else(String::new, |step| one_line(&step.name)),
                outcome: step.and_then(|step| step.outcome),
                left_out: log.left_out,
                lines: &log.lines,
                open: culprit.is_some_and(|step| step.index == log.step),
            }
        });
        all.push(JobLogs {
            place,
            job,
            steps: steps.collect(),
        });
    }
    all
}

/// The mark of an outcome.
#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "templates pass by reference"
)]
fn sign(outcome: &Option<OutcomeKind>) -> &'static str {
    outcome.map_or("…", mark_of)
}

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "templates pass by reference"
)]
fn class(outcome: &Option<OutcomeKind>) -> &'static str {
    class_of(*outcome)
}

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "templates pass by reference"
)]
fn state(outcome: &Option<OutcomeKind>) -> &'static str {
    state_of(*outcome)
}

/// A time in UTC, to the second.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "templates pass by reference"
)]
fn moment(time: &Timestamp) -> String {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    match Moment::from_millisecond(millis) {
        Ok(moment) => moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => String::new(),
    }
}

/// A duration, or nothing where there was none.
fn span(duration: &std::time::Duration) -> String {
    if duration.is_zero() {
        String::new()
    } else {
        precise(*duration)
    }
}

fn percent(totals: &CoverageTotals) -> String {
    totals.to_string()
}

/// What earlier runs measured, as far as a gate tells it.
fn before(metric: &MetricView) -> String {
    let gate = metric.gate.as_ref();
    let spread = gate.and_then(|it| Some((it.median?, it.deviation.unwrap_or_default())));
    spread.map_or_else(String::new, |(median, deviation)| {
        format!("{median} ± {deviation:.3}")
    })
}

fn change(metric: &MetricView) -> String {
    let change = metric.gate.as_ref().and_then(|gate| gate.change);
    change.map_or_else(String::new, |change| format!("{change:+.1} %"))
}

/// What is said of a failed job after its name.
fn reason(job: &FailedJob) -> String {
    let step = job.step.as_ref().and_then(|step| step.reason.as_ref());
    let words = step.or(job.reason.as_ref());
    words.map(|words| one_line(words)).unwrap_or_default()
}

fn place_of(view: &RunView, name: &str) -> usize {
    let place = view.jobs.iter().position(|job| *job.name == *name);
    place.unwrap_or_default()
}
