//! A run for a terminal.

use std::fmt::Write as _;

use super::failure_text::failure_text;
use super::run::{RunView, state_of};
use super::timeline::Phases;
use crate::event::{mark_of, one_line, precise};

/// A run in plain text: what failed, then every job with its times.
#[must_use]
pub fn run_text(view: &RunView) -> String {
    let mut out = failure_text(&view.failure);
    // Writing to a string does not fail.
    let _ = write_rest(view, &mut out);
    out
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
    for (job, totals) in view.coverage() {
        writeln!(out, "coverage of {}: {totals}", one_line(job))?;
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
