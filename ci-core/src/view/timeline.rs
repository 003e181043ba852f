//! When each job waited, was prepared, ran its steps and was torn down.

use std::time::Duration;

use super::journal::{AttemptView, JobView};
use super::run::{RunView, class_of};
use crate::clock::Timestamp;
use crate::event::{one_line, precise};

/// The times of an attempt of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Phases {
    /// For a free slot, or for a group; only of the first attempt.
    pub(super) queue: Duration,
    pub(super) prepare: Duration,
    pub(super) steps: Duration,
    pub(super) teardown: Duration,
}

impl Phases {
    /// The times of an attempt; what has not ended goes on until `now`.
    pub(super) fn of(job: &JobView, attempt: &AttemptView, now: Timestamp) -> Self {
        let marks = Marks::of(job, attempt, now);
        Self {
            queue: marks.started.since(marks.ready),
            prepare: marks.prepared.since(marks.started),
            steps: marks.worked.since(marks.prepared),
            teardown: marks.ended.since(marks.worked),
        }
    }

    /// The times of all attempts together.
    pub(super) fn all(job: &JobView, now: Timestamp) -> Self {
        let each = job.attempts.iter().map(|it| Self::of(job, it, now));
        each.fold(Self::default(), |all, one| Self {
            queue: all.queue + one.queue,
            prepare: all.prepare + one.prepare,
            steps: all.steps + one.steps,
            teardown: all.teardown + one.teardown,
        })
    }
}

/// Where the phases of an attempt meet.
struct Marks {
    ready: Timestamp,
    started: Timestamp,
    prepared: Timestamp,
    worked: Timestamp,
    ended: Timestamp,
}

impl Marks {
    fn of(job: &JobView, attempt: &AttemptView, now: Timestamp) -> Self {
        let started = attempt.started;
        let ended = attempt.ended.unwrap_or(now).max(started);
        let first = attempt.steps.first().map(|step| step.started);
        let told = attempt
            .prepared
            .map(|millis| Timestamp::from_millis(started.as_millis() + millis));
        let prepared = told.or(first).unwrap_or(ended).clamp(started, ended);
        let last = attempt.steps.last().map(|step| step.ended.unwrap_or(ended));
        let worked = last.unwrap_or(prepared).clamp(prepared, ended);
        let is_first = attempt.number == 1;
        let ready = job.ready.filter(|_| is_first).unwrap_or(started);
        Self {
            ready: ready.min(started),
            started,
            prepared,
            worked,
            ended,
        }
    }
}

/// A bar of the timeline, in thousandths of the whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) left: u64,
    pub(super) width: u64,
}

/// A row of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The job, with its attempt where there are several.
    pub(super) name: String,
    pub(super) link: String,
    pub(super) critical: bool,
    /// The phases in words.
    pub(super) words: String,
    pub(super) bars: Vec<Bar>,
}

/// The rows of the jobs that began, those that began first on top.
pub(super) fn rows(view: &RunView) -> Vec<Row> {
    let (began, until) = (view.began(), view.until());
    let total = until.since(began).as_millis().max(1);
    let at = |moment: Timestamp| {
        let share = moment.since(began).as_millis() * 1000 / total;
        u64::try_from(share).unwrap_or(1000).min(1000)
    };
    let mut rows = Vec::new();
    for (place, job) in view.jobs.iter().enumerate() {
        for attempt in &job.attempts {
            let marks = Marks::of(job, attempt, until);
            let bar = |class, from, to| Bar {
                class,
                left: at(from),
                width: at(to) - at(from),
            };
            // What took time is seen, however short it was.
            let mut bars = vec![
                bar("queue", marks.ready, marks.started),
                bar("prepare", marks.started, marks.prepared),
            ];
            let outcome = attempt.outcome.or(job.outcome);
            let mut work = bar(class_of(outcome), marks.prepared, marks.worked);
            work.width = work.width.max(2);
            work.left = work.left.min(998);
            bars.push(work);
            bars.push(bar("teardown", marks.worked, marks.ended));
            bars.retain(|bar| bar.width > 0);
            rows.push((
                attempt.started,
                Row {
                    name: match job.attempts.len() {
                        1 => one_line(&job.name),
                        _ => format!("{} ({})", one_line(&job.name), attempt.number),
                    },
                    link: format!("#job-{place}"),
                    critical: view.is_critical(&job.name),
                    words: words(&Phases::of(job, attempt, until)),
                    bars,
                },
            ));
        }
    }
    rows.sort_by_key(|(started, _)| *started);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn words(phases: &Phases) -> String {
    let all = [
        ("waited", phases.queue),
        ("prepared", phases.prepare),
        ("ran", phases.steps),
        ("torn down", phases.teardown),
    ];
    let words: Vec<String> = all
        .into_iter()
        .filter(|(word, time)| *word == "ran" || !time.is_zero())
        .map(|(word, time)| format!("{word} {}", precise(time)))
        .collect();
    words.join(", ")
}
