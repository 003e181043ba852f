//! The bars of the timeline on a page.

use super::run::{RunView, class_of};
use super::timeline::{Marks, Phases};
use crate::clock::Timestamp;
use crate::event::{one_line, precise};

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
