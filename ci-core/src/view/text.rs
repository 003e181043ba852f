//! A run for a terminal.

use std::fmt::Write as _;

use super::failure_text::failure_text;
use super::run::{MetricView, RunView, state_of};
use super::timeline::Phases;
use crate::event::{mark_of, one_line, precise};

/// How many values are listed.
const MOST_VALUES: usize = 20;

/// A run in plain text: what failed, then every job with its times.
#[must_use]
pub fn run_text(view: &RunView) -> String {
    let mut out = failure_text(&view.failure);
    // Writing to a string does not fail.
    let _ = write_rest(view, &mut out);
    out
}

/// A value with its unit, and with what earlier runs measured.
pub(super) fn in_words(metric: &MetricView) -> String {
    let mut words = metric.value.to_string();
    if let Some(unit) = &metric.unit {
        words.push(' ');
        words.push_str(&one_line(unit));
    }
    let gate = metric.gate.as_ref();
    if let Some((median, count)) = gate.and_then(|it| Some((it.median?, it.earlier))) {
        let change = gate.and_then(|it| it.change);
        let change = change.map_or(String::new(), |change| format!("{change:+.1} %, "));
        // Writing to a string does not fail.
        let _ = write!(words, " ({change}median of {count} runs {median})");
    }
    words
}

fn write_rest(view: &RunView, out: &mut String) -> std::fmt::Result {
    let until = view.until();
    let names: Vec<String> = view.jobs.iter().map(|job| one_line(&job.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max();
    let width = width.unwrap_or(0).min(40);
    writeln!(
        out,
        "\n  {:width$}  {:<22} {:>8} {:>8} {:>8} {:>8}",
        "JOB", "OUTCOME", "WAITED", "PREPARED", "STEPS", "TEARDOWN"
    )?;
    for (job, name) in view.jobs.iter().zip(&names) {
        let phases = Phases::all(job, until);
        let sign = job.outcome.map_or("…", mark_of);
        let critical = if view.is_critical(&job.name) {
            "◆"
        } else {
            " "
        };
        let times = [phases.queue, phases.prepare, phases.steps, phases.teardown].map(precise);
        writeln!(
            out,
            "{sign} {name:width$} {critical}{:<22} {:>8} {:>8} {:>8} {:>8}",
            state_of(job.outcome),
            times[0],
            times[1],
            times[2],
            times[3]
        )?;
    }
    if !view.critical_path.is_empty() {
        let names: Vec<String> = view.critical_path.iter().map(|it| one_line(it)).collect();
        let took = precise(view.critical_duration);
        writeln!(out, "\n◆ slowest path {took}: {}", names.join(" → "))?;
    }
    for budget in &view.budgets {
        let sign = if budget.is_over() { "! " } else { "" };
        writeln!(out, "{sign}{budget}")?;
    }
    for (job, totals) in view.coverage() {
        writeln!(out, "coverage of {}: {totals}", one_line(job))?;
    }
    for job in &view.jobs {
        if let Some(findings) = job.findings().filter(|it| it.total() > 0) {
            writeln!(out, "{}: {findings}", one_line(&job.name))?;
        }
    }
    for metric in view.metrics.iter().take(MOST_VALUES) {
        let (job, name) = (one_line(&metric.job), one_line(&metric.name));
        writeln!(out, "{job}: {name} = {}", in_words(metric))?;
    }
    if let Some(rest) = view.metrics.len().checked_sub(MOST_VALUES + 1) {
        writeln!(out, "and {} values more", rest + 1)?;
    }
    for gate in view.gates.iter().filter(|gate| !gate.passed) {
        writeln!(
            out,
            "✗ {}: {}",
            one_line(&gate.job),
            one_line(&gate.message)
        )?;
    }
    for flaky in &view.flaky {
        let (job, test) = (one_line(&flaky.job), one_line(&flaky.test));
        writeln!(out, "flaky: {test} ({job})")?;
    }
    for words in &view.warnings {
        writeln!(out, "warning: {}", one_line(words))?;
    }
    Ok(())
}
