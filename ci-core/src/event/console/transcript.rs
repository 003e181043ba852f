//! Folds events into the lines that scroll by.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::lines::LineCutter;
use super::tail::Tail;
use super::{ConsoleOptions, Verbosity, reports};
use crate::event::terminal::{Paint, Tone, bytes, columns, fit, mark, one_line, precise};
use crate::event::{EventRecord, FailedOutput, JobInfo, RunEvent, Summary};
use crate::id::RunId;
use crate::outcome::{Outcome, OutcomeKind};
use crate::session::Stream;

/// Longer names are not padded to.
const WIDEST_NAME: usize = 28;
/// How much output of a running job is kept to be shown should it fail, in bytes.
const KEPT_TO_SHOW: usize = 256 * 1024;
/// How much is kept where the output was shown already, for the summary.
const KEPT_TO_QUOTE: usize = 16 * 1024;
/// How many last lines of a failed step the summary quotes.
const QUOTED_LINES: usize = 20;
/// Of how many failed jobs the output is kept for the summary.
const QUOTED_JOBS: usize = 20;

/// The lines that scroll by. Memory is bounded by the jobs that run at once.
#[derive(Debug)]
pub(super) struct Transcript {
    paint: Paint,
    verbosity: Verbosity,
    /// Whether output is shown when it comes and not after a failure.
    streams: bool,
    hints: Option<String>,
    workflow: Option<Arc<str>>,
    plan: Vec<JobInfo>,
    places: HashMap<Arc<str>, usize>,
    widest: usize,
    running: HashMap<Arc<str>, Running>,
    failures: Vec<FailedOutput>,
    lines: Vec<String>,
}

/// A job that runs.
#[derive(Debug, Default)]
struct Running {
    steps: HashMap<u32, Arc<str>>,
    failed: Option<u32>,
    cutters: Vec<((u32, Stream), LineCutter)>,
    tail: Tail,
}

impl Transcript {
    /// A transcript beside a live board or not.
    pub(super) fn new(options: ConsoleOptions, board: bool) -> Self {
        Self {
            paint: Paint {
                color: options.colors(),
            },
            verbosity: options.verbosity,
            streams: match options.verbosity {
                Verbosity::Quiet => false,
                Verbosity::Normal => !board,
                Verbosity::Verbose => true,
            },
            hints: options.hints,
            workflow: None,
            plan: Vec::new(),
            places: HashMap::new(),
            widest: 0,
            running: HashMap::new(),
            failures: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// Takes an event and gives the lines to show for it.
    pub(super) fn apply(&mut self, record: &EventRecord) -> Vec<String> {
        match &record.event {
            RunEvent::RunStarted {
                workflow,
                jobs,
                resumed,
            } => self.run_started(record.run, workflow, jobs, *resumed),
            RunEvent::Output {
                job,
                step,
                stream,
                text,
            } => self.output(job, *step, *stream, text),
            RunEvent::OutputDropped { bytes: count } if self.streams => {
                let text = format!("… {} of output are only in the log", bytes(*count));
                self.lines.push(self.paint.tone(Tone::Dim, &text));
            }
            RunEvent::BudgetExceeded { stage, limit } => {
                let stage = one_line(stage);
                self.warn(&format!(
                    "stage `{stage}` is over its budget of {}",
                    precise(*limit)
                ));
            }
            RunEvent::Warning { job, message } => {
                let about = job.as_ref().map(|job| format!("`{}`: ", one_line(job)));
                self.warn(&format!(
                    "{}{}",
                    about.unwrap_or_default(),
                    one_line(message)
                ));
            }
            RunEvent::RunCanceling { reason } => {
                let text = format!("stopping: {reason}");
                self.lines.push(self.paint.tone(Tone::Warn, &text));
            }
            RunEvent::RunFinished { .. } => self.run_finished(&record.event),
            event => self.job_event(record, event),
        }
        std::mem::take(&mut self.lines)
    }

    /// What the job wrote last, if it runs.
    #[cfg(feature = "console")]
    pub(super) fn last_output(&self, job: &str) -> Option<&Arc<str>> {
        self.running.get(job)?.tail.last()
    }

    fn job_event(&mut self, record: &EventRecord, event: &RunEvent) {
        match event {
            RunEvent::JobHeld { job, prompt } => self.held(record.run, job, prompt.as_deref()),
            RunEvent::JobApproved { job, approved, by } if !self.is_quiet() => {
                let word = if *approved { "approved" } else { "refused" };
                self.say(job, &format!("{word} by {}", one_line(by)));
            }
            RunEvent::JobDelayed { job, until } if self.streams => {
                let wait = precise(until.since(record.time));
                self.say(job, &format!("starts in {wait}"));
            }
            RunEvent::JobWaiting { job, reason } if self.streams => {
                self.say(job, &format!("waits for {}", one_line(reason)));
            }
            RunEvent::JobStarted {
                job,
                attempt,
                executor,
            } => self.job_started(job, *attempt, executor),
            RunEvent::JobPrepared { job, duration } if self.is_verbose() => {
                self.say(job, &format!("prepared in {}", precise(*duration)));
            }
            RunEvent::StepStarted {
                job, step, name, ..
            } => self.step_started(job, *step, name),
            RunEvent::StepFinished {
                job,
                step,
                result,
                duration,
                ..
            } => self.step_finished(job, *step, result, *duration),
            RunEvent::TestResults {
                job,
                counts,
                failed,
                ..
            } => self.say_all(job, reports::tests(self.paint, counts, failed)),
            RunEvent::Coverage { job, totals, .. } => {
                self.say_all(job, vec![reports::coverage(totals)]);
            }
            RunEvent::CoverageJudged {
                job, shards, gates, ..
            } => self.say_all(job, reports::judged(self.paint, shards, gates)),
            RunEvent::Metrics { job, count, .. } => {
                self.say_all(job, vec![reports::metrics(*count)]);
            }
            RunEvent::MetricsJudged { job, gates, .. } => {
                self.say_all(job, reports::metrics_judged(self.paint, gates));
            }
            RunEvent::Findings { job, counts, .. } => self.say_all(job, vec![counts.to_string()]),
            RunEvent::FindingsJudged {
                job,
                passed,
                message,
                blocking,
                ..
            } => self.say_all(
                job,
                reports::findings_judged(self.paint, *passed, message, blocking),
            ),
            RunEvent::JobRetrying {
                job,
                attempt,
                result,
                delay,
            } => self.retrying(job, *attempt, result, *delay),
            RunEvent::JobFinished {
                job,
                result,
                attempts,
                duration,
                allowed,
                ..
            } => self.job_finished(job, result, (*attempts, *duration), *allowed),
            // Only the board shows that a job is ready.
            _ => {}
        }
    }

    fn run_started(&mut self, run: RunId, workflow: &Arc<str>, jobs: &[JobInfo], resumed: bool) {
        self.workflow = Some(Arc::clone(workflow));
        self.plan = jobs.to_vec();
        let names = jobs.iter().enumerate();
        self.places = names.map(|(n, job)| (Arc::clone(&job.name), n)).collect();
        let widths = jobs.iter().map(|job| columns(&one_line(&job.name)));
        self.widest = widths
            .filter(|width| *width <= WIDEST_NAME)
            .max()
            .unwrap_or(0);
        if !self.is_quiet() {
            let name = self.paint.tone(Tone::Bold, &one_line(workflow));
            let count = jobs.len();
            let what = if resumed { ", resumed" } else { "" };
            let plural = if count == 1 { "" } else { "s" };
            self.lines
                .push(format!("{name}: {count} job{plural}, run {run}{what}"));
        }
    }

    fn run_finished(&mut self, event: &RunEvent) {
        let Some(summary) = Summary::of(event) else {
            return;
        };
        let mut summary = summary
            .plan(std::mem::take(&mut self.plan))
            .failures(std::mem::take(&mut self.failures))
            .brief(self.is_quiet())
            .color(self.paint.color);
        if let Some(workflow) = self.workflow.take() {
            summary = summary.workflow(workflow);
        }
        if let Some(program) = &self.hints {
            summary = summary.hints(program);
        }
        if !self.is_quiet() {
            self.lines.push(String::new());
        }
        self.lines.extend(summary.lines());
    }

    fn held(&mut self, run: RunId, job: &Arc<str>, prompt: Option<&str>) {
        let prompt = prompt.map_or_else(|| "waits for approval".to_owned(), one_line);
        let sign = self.paint.tone(Tone::Warn, "‖ held:");
        self.say(job, &format!("{sign} {prompt}"));
        if let Some(program) = &self.hints {
            let name = crate::event::summary::typed(job);
            let hint = format!("  {program} approve {run} {name}");
            self.say(job, &self.paint.tone(Tone::Dim, &hint));
        }
    }

    fn job_started(&mut self, job: &Arc<str>, attempt: u32, executor: &str) {
        self.running.insert(Arc::clone(job), Running::default());
        if !self.streams {
            return;
        }
        let executor = one_line(executor);
        let text = match attempt {
            0 | 1 => format!("started on {executor}"),
            _ => format!("attempt {attempt} started on {executor}"),
        };
        self.say(job, &self.paint.tone(Tone::Dim, &text));
    }

    fn step_started(&mut self, job: &Arc<str>, step: u32, name: &Arc<str>) {
        let running = self.running.entry(Arc::clone(job)).or_default();
        running.steps.insert(step, Arc::clone(name));
        if !self.streams {
            return;
        }
        let place = self.places.get(job).and_then(|place| self.plan.get(*place));
        let of = match place.map(|info| info.steps) {
            Some(count) if count > step => format!("/{count}"),
            _ => String::new(),
        };
        let header = format!("▸ step {}{of}: {}", step.saturating_add(1), one_line(name));
        self.say(job, &self.paint.tone(Tone::Bold, &header));
    }

    fn output(&mut self, job: &Arc<str>, step: u32, stream: Stream, text: &Arc<str>) {
        let running = self.running.entry(Arc::clone(job)).or_default();
        let limit = if self.streams {
            KEPT_TO_QUOTE
        } else {
            KEPT_TO_SHOW
        };
        running.tail.push(step, stream, text, limit);
        if !self.streams {
            return;
        }
        let key = (step, stream);
        let index = running.cutters.iter().position(|(of, _)| *of == key);
        let index = index.unwrap_or_else(|| {
            let cutter = LineCutter::new(self.paint.color);
            running.cutters.push((key, cutter));
            running.cutters.len() - 1
        });
        let mut cut = Vec::new();
        running.cutters[index].1.push(text, |line| cut.push(line));
        self.show(job, stream, cut);
    }

    /// Shows the lines of a job's streams that have no end.
    fn end_lines(&mut self, job: &Arc<str>, of: Option<u32>) {
        let Some(running) = self.running.get_mut(job) else {
            return;
        };
        let mut cut = Vec::new();
        running.cutters.retain_mut(|((step, stream), cutter)| {
            if of.is_some_and(|of| of != *step) {
                return true;
            }
            cutter.finish(|line| cut.push((*stream, line)));
            false
        });
        for (stream, line) in cut {
            self.show(job, stream, [line]);
        }
    }

    fn show(&mut self, job: &Arc<str>, stream: Stream, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            match stream {
                Stream::Engine => self.say(job, &self.paint.tone(Tone::Dim, &line)),
                Stream::Stdout | Stream::Stderr => self.say(job, &line),
            }
        }
    }

    fn step_finished(&mut self, job: &Arc<str>, step: u32, result: &Outcome, took: Duration) {
        self.end_lines(job, Some(step));
        let Some(running) = self.running.get_mut(job) else {
            return;
        };
        let name = running.steps.remove(&step);
        if !result.is_success() {
            running.failed = Some(step);
            // The summary names the step.
            running.steps.extend(name.clone().map(|name| (step, name)));
        }
        let shown = self.is_verbose() || (self.streams && !result.is_success());
        if let (true, Some(name)) = (shown, name) {
            let (sign, tone) = mark(result.kind(), false);
            let sign = self.paint.tone(tone, sign);
            let name = one_line(&name);
            self.say(
                job,
                &format!("{sign} {name}: {} in {}", told(result), precise(took)),
            );
        }
    }

    fn say_all(&mut self, job: &Arc<str>, lines: Vec<String>) {
        if !self.is_quiet() {
            for line in lines {
                self.say(job, &line);
            }
        }
    }

    fn retrying(&mut self, job: &Arc<str>, attempt: u32, result: &Outcome, delay: Duration) {
        self.end_lines(job, None);
        self.running.remove(job);
        if !self.is_quiet() {
            let sign = self.paint.tone(Tone::Warn, "↻");
            let (told, delay) = (told(result), precise(delay));
            self.say(
                job,
                &format!("{sign} attempt {attempt} {told}; the next in {delay}"),
            );
        }
    }

    fn job_finished(
        &mut self,
        job: &Arc<str>,
        result: &Outcome,
        (attempts, took): (u32, Duration),
        allowed: bool,
    ) {
        self.end_lines(job, None);
        let running = self.running.remove(job).unwrap_or_default();
        let failed = matches!(
            result.kind(),
            OutcomeKind::Failed
                | OutcomeKind::TimedOut
                | OutcomeKind::Interrupted
                | OutcomeKind::InfrastructureFailure
        );
        if failed && !self.streams {
            self.show_tail(job, &running.tail);
        }
        if failed && !allowed && self.failures.len() < QUOTED_JOBS {
            self.quote(job, &running);
        }
        let text = ended(self.paint, result, (attempts, took), allowed);
        self.say(job, &text);
    }

    /// Shows what a failed job wrote.
    fn show_tail(&mut self, job: &Arc<str>, tail: &Tail) {
        if tail.lost() > 0 {
            let text = format!("… {} before this are only in the log", bytes(tail.lost()));
            self.say(job, &self.paint.tone(Tone::Dim, &text));
        }
        for line in tail.lines(None, self.paint.color) {
            self.say(job, &line);
        }
    }

    /// Keeps the end of a failed job's output for the summary.
    fn quote(&mut self, job: &Arc<str>, running: &Running) {
        let step = running.failed.or_else(|| running.tail.last_step());
        // A quiet console has shown just this a moment ago and little since.
        let mut lines = Vec::new();
        if !self.is_quiet() {
            lines = running.tail.lines(step, self.paint.color);
        }
        lines.drain(..lines.len().saturating_sub(QUOTED_LINES));
        let step = running.failed.and_then(|step| running.steps.get(&step));
        let quote = FailedOutput::new(Arc::clone(job), step.cloned(), lines);
        self.failures.push(quote);
    }

    fn warn(&mut self, text: &str) {
        let word = self.paint.tone(Tone::Warn, "warning:");
        self.lines.push(format!("{word} {text}"));
    }

    /// A line about a job.
    fn say(&mut self, job: &Arc<str>, text: &str) {
        let name = one_line(job);
        let name = if columns(&name) < self.widest {
            fit(&name, self.widest)
        } else {
            name
        };
        let place = self.places.get(job).copied().unwrap_or_default();
        let name = self.paint.tone(Tone::Job(place), &name);
        let bar = self.paint.tone(Tone::Dim, "|");
        let gap = if text.is_empty() { "" } else { " " };
        self.lines.push(format!("{name} {bar}{gap}{text}"));
    }

    fn is_quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }
}

/// `failed (exit code 1)`.
fn told(result: &Outcome) -> String {
    match result.reason() {
        Some(reason) => format!("{} ({})", result.kind(), one_line(&reason)),
        None => result.kind().to_string(),
    }
}

/// How a job ended, in a line.
fn ended(
    paint: Paint,
    result: &Outcome,
    (attempts, took): (u32, Duration),
    allowed: bool,
) -> String {
    let (sign, tone) = mark(result.kind(), allowed);
    let kind = result.kind().as_str();
    let time = match attempts {
        0 => String::new(),
        1 => format!(" in {}", precise(took)),
        _ => format!(" in {} after {attempts} attempts", precise(took)),
    };
    let reason = result.reason();
    let reason = reason.map_or_else(String::new, |reason| format!(": {}", one_line(&reason)));
    let note = if allowed && !result.is_success() {
        " (allowed to fail)"
    } else {
        ""
    };
    let (sign, kind) = (paint.tone(tone, sign), paint.tone(tone, kind));
    format!("{sign} {kind}{time}{reason}{note}")
}
