//! What failed in a run, on one screen of a terminal.

use std::fmt::Write as _;

use super::failure::{FailedJob, FailureView, LastSuccess};
use crate::event::{TestRecord, mark_of, one_line, precise};
use crate::outcome::OutcomeKind;

/// How many failed tests of a job are listed.
const MOST_TESTS: usize = 8;
/// How many commits are listed.
const MOST_COMMITS: usize = 8;
/// How many jobs are shown in full; the others are named.
const MOST_JOBS: usize = 4;

/// What failed in a run, for a terminal: plain text, a line at most a line.
#[must_use]
pub fn failure_text(view: &FailureView) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_all(view, &mut text);
    text
}

fn write_all(view: &FailureView, out: &mut String) -> std::fmt::Result {
    head(view, out)?;
    let (shown, rest) = view.jobs.split_at(view.jobs.len().min(MOST_JOBS));
    for job in shown {
        writeln!(out)?;
        failed_job(job, out)?;
    }
    if !rest.is_empty() {
        let names: Vec<String> = rest.iter().map(|job| one_line(&job.name)).collect();
        writeln!(out, "\n✗ {} more: {}", rest.len(), names.join(", "))?;
    }
    if !view.not_run.is_empty() {
        let names: Vec<String> = view.not_run.iter().map(|name| one_line(name)).collect();
        let (shown, rest) = names.split_at(names.len().min(8));
        let more = if rest.is_empty() {
            String::new()
        } else {
            format!(" and {} more", rest.len())
        };
        writeln!(out, "\n○ did not run: {}{more}", shown.join(", "))?;
    }
    if !view.jobs.is_empty() {
        writeln!(out)?;
        since(view, out)?;
    }
    Ok(())
}

fn head(view: &FailureView, out: &mut String) -> std::fmt::Result {
    let state = match view.outcome {
        Some(kind) => format!("{} {kind}", mark_of(kind)),
        None if view.active => "… running".to_owned(),
        None => "! its process died".to_owned(),
    };
    write!(out, "{state}  {}", one_line(&view.workflow))?;
    if let Some(branch) = &view.branch {
        write!(out, " on {}", one_line(branch))?;
    }
    if let Some(revision) = &view.revision {
        write!(out, " at {}", short(revision))?;
    }
    if let Some(finished) = view.finished {
        write!(out, ", took {}", precise(finished.since(view.created)))?;
    }
    writeln!(out, "  ({})", view.run)?;
    let count = view.jobs.iter().filter(|job| !job.allowed).count();
    match count {
        0 if view.jobs.is_empty() => writeln!(out, "nothing failed in {} jobs", view.total_jobs),
        _ => writeln!(out, "{count} of {} jobs failed", view.total_jobs),
    }
}

fn failed_job(job: &FailedJob, out: &mut String) -> std::fmt::Result {
    let kind = job.outcome.unwrap_or(OutcomeKind::Interrupted);
    write!(out, "{} {}", mark_of(kind), one_line(&job.name))?;
    if let Some(step) = &job.step {
        write!(out, " › {}", one_line(&step.name))?;
    }
    let reason = job.step.as_ref().and_then(|step| step.reason.as_ref());
    let word = job.outcome.map_or("cut off", OutcomeKind::as_str);
    write!(out, "  {word}")?;
    if let Some(reason) = reason.or(job.reason.as_ref()) {
        write!(out, ": {}", one_line(reason))?;
    }
    if job.attempt > 1 {
        write!(out, ", {} attempts", job.attempt)?;
    }
    if job.allowed {
        write!(out, ", allowed to fail")?;
    }
    writeln!(out)?;
    for test in job.tests.iter().take(MOST_TESTS) {
        writeln!(out, "  ✗ {}", test_line(test))?;
    }
    let bad = usize::try_from(job.bad_tests).unwrap_or(usize::MAX);
    let rest = bad.max(job.tests.len()).saturating_sub(MOST_TESTS);
    if rest > 0 {
        writeln!(out, "  ✗ and {rest} tests more")?;
    }
    let Some(output) = job.step.as_ref().map(|step| &step.output) else {
        return Ok(());
    };
    for (line, number) in output.lines.iter().zip(output.first..) {
        writeln!(out, "  {number:>5} │ {}", line.text)?;
    }
    let end = output.first + output.lines.len() as u64;
    if output.first > 0 && end <= output.total {
        writeln!(out, "        │ and {} lines more", output.total + 1 - end)?;
    }
    Ok(())
}

fn test_line(test: &TestRecord) -> String {
    let why = test.message.as_deref().unwrap_or_default();
    let why = why.lines().next().unwrap_or_default();
    let gap = if why.is_empty() { "" } else { ": " };
    let note = if test.quarantined {
        " (in quarantine)"
    } else {
        ""
    };
    one_line(&format!("{}{note}{gap}{why}", test.id()))
}

fn since(view: &FailureView, out: &mut String) -> std::fmt::Result {
    let Some(last) = &view.last_success else {
        return writeln!(
            out,
            "it has not succeeded before, as far as the store knows"
        );
    };
    let revision = last.revision.as_deref().map(short);
    let at = revision.map_or_else(String::new, |short| format!(" at {short}"));
    match (&last.commits, last.total_commits) {
        (None, _) => writeln!(out, "last success{at} ({})", last.run),
        (Some(_), 0) => writeln!(
            out,
            "last success{at}, no commit since: look at what is not committed ({})",
            last.run
        ),
        (Some(commits), total) => {
            let plural = if total == 1 { "" } else { "s" };
            let ago = view.created.since(last.created);
            writeln!(
                out,
                "{total} commit{plural} since the last success{at}, {} before ({})",
                precise(ago),
                last.run
            )?;
            for commit in commits.iter().take(MOST_COMMITS) {
                let author = commit.author.split(" <").next().unwrap_or_default();
                let (subject, author) = (one_line(&commit.subject), one_line(author));
                writeln!(out, "  {} {subject} ({author})", short(&commit.id))?;
            }
            more(last, out)
        }
    }
}

fn more(last: &LastSuccess, out: &mut String) -> std::fmt::Result {
    match last.total_commits.saturating_sub(MOST_COMMITS) {
        0 => Ok(()),
        rest => writeln!(out, "  and {rest} more"),
    }
}

/// A commit as people write it.
pub(super) fn short(revision: &str) -> &str {
    match revision.char_indices().nth(9) {
        Some((end, _)) => &revision[..end],
        None => revision,
    }
}
