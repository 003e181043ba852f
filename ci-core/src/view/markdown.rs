//! A run as a comment on a pull request.

use std::fmt::Write as _;

use super::failure_text::short;
use super::run::{RunView, state_of};
use crate::event::{mark_of, one_line, precise};
use crate::outcome::OutcomeKind;

/// How many jobs the table has at most: those that went well are left out first.
const MOST_JOBS: usize = 60;
/// How many failed tests are listed.
const MOST_TESTS: usize = 30;
/// How many gates that are not passed are listed.
const MOST_GATES: usize = 10;
/// How many findings are listed, the worst.
const MOST_FINDINGS: usize = 10;
/// How many failed jobs come with their output.
const MOST_OUTPUTS: usize = 5;

/// A run in the Markdown of pull requests. Names and messages are escaped: they can bring no links, no
/// pictures and no HTML with them.
#[must_use]
pub fn run_markdown(view: &RunView) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_all(view, &mut out);
    out
}

fn write_all(view: &RunView, out: &mut String) -> std::fmt::Result {
    let failure = &view.failure;
    let sign = failure.outcome.map_or("…", mark_of);
    let took = precise(view.until().since(view.began()));
    write!(
        out,
        "### {sign} {}: {} in {took}",
        escaped(&failure.workflow),
        state_of(failure.outcome)
    )?;
    if let Some(revision) = &failure.revision {
        write!(out, " at {}", code(short(revision)))?;
    }
    let counts: Vec<String> = view
        .counts()
        .into_iter()
        .map(|(kind, count)| format!("{count} {}", state_of(Some(kind))))
        .collect();
    writeln!(out, "\n\n{}\n", counts.join(", "))?;
    table(view, out)?;
    budgets(view, out)?;
    gates(view, out)?;
    outputs(view, out)?;
    tests(view, out)?;
    since(view, out)
}

fn table(view: &RunView, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "| Job | Outcome | Took | Reports |\n|---|---|---:|---|"
    )?;
    let many = view.jobs.len() > MOST_JOBS;
    let is_shown = |job: &&super::JobView| !many || job.outcome != Some(OutcomeKind::Success);
    let mut shown = 0;
    for job in view.jobs.iter().filter(is_shown).take(MOST_JOBS) {
        shown += 1;
        let sign = job.outcome.map_or("…", mark_of);
        let allowed = if job.allowed { ", allowed to fail" } else { "" };
        writeln!(
            out,
            "| {} | {sign} {}{allowed} | {} | {} |",
            escaped(&job.name),
            state_of(job.outcome),
            precise(job.duration),
            job.reports_in_words()
        )?;
    }
    if shown < view.jobs.len() {
        writeln!(out, "\nand {} jobs more", view.jobs.len() - shown)?;
    }
    Ok(())
}

fn budgets(view: &RunView, out: &mut String) -> std::fmt::Result {
    if !view.budgets.is_empty() {
        writeln!(out)?;
    }
    for budget in &view.budgets {
        let (stage, amounts) = (escaped(&budget.stage), budget.amounts());
        let words = format!("budget of stage {stage}: {amounts}");
        if budget.is_over() {
            writeln!(out, "- **{words}**")?;
        } else {
            writeln!(out, "- {words}")?;
        }
    }
    Ok(())
}

fn gates(view: &RunView, out: &mut String) -> std::fmt::Result {
    let missed: Vec<_> = view.gates.iter().filter(|gate| !gate.passed).collect();
    if !missed.is_empty() {
        writeln!(out, "\n| Gate that is not passed | Job |\n|---|---|")?;
        for gate in missed.iter().take(MOST_GATES) {
            let (message, job) = (escaped(&gate.message), escaped(&gate.job));
            writeln!(out, "| {message} | {job} |")?;
        }
        if missed.len() > MOST_GATES {
            writeln!(out, "\nand {} gates more", missed.len() - MOST_GATES)?;
        }
    }
    let blocking = view.findings.iter();
    let worst: Vec<_> = blocking.take(MOST_FINDINGS).collect();
    if !worst.is_empty() {
        writeln!(out, "\n| Finding | Rule | Where | |\n|---|---|---|---|")?;
        for it in worst {
            let words = it.message.lines().next().unwrap_or_default();
            let cells = [&*it.severity, &*it.rule, &*it.place, words].map(escaped);
            writeln!(out, "| {} |", cells.join(" | "))?;
        }
        if view.findings.len() > MOST_FINDINGS {
            let rest = view.findings.len() - MOST_FINDINGS;
            writeln!(out, "\nand {rest} findings more")?;
        }
    }
    Ok(())
}

fn outputs(view: &RunView, out: &mut String) -> std::fmt::Result {
    for job in view.failure.jobs.iter().take(MOST_OUTPUTS) {
        let Some(step) = job.step.as_ref().filter(|it| !it.output.lines.is_empty()) else {
            continue;
        };
        let (name, step_name) = (escaped(&job.name), escaped(&step.name));
        writeln!(
            out,
            "\n<details><summary>{name} › {step_name}</summary>\n\n{}\n</details>",
            block(step.output.lines.iter().map(|line| &*line.text))
        )?;
    }
    Ok(())
}

fn tests(view: &RunView, out: &mut String) -> std::fmt::Result {
    let all: Vec<_> = view.failed_tests().collect();
    if !all.is_empty() {
        writeln!(out, "\n| Failed test | Job | |\n|---|---|---|")?;
        for (job, test) in all.iter().take(MOST_TESTS) {
            let why = test.message.as_deref().unwrap_or_default();
            let why = why.lines().next().unwrap_or_default();
            let (id, job) = (escaped(&test.id()), escaped(&job.name));
            writeln!(out, "| {id} | {job} | {} |", escaped(why))?;
        }
        if all.len() > MOST_TESTS {
            writeln!(out, "\nand {} failed tests more", all.len() - MOST_TESTS)?;
        }
    }
    if !view.flaky.is_empty() {
        let names: Vec<String> = view.flaky.iter().map(|it| escaped(&it.test)).collect();
        writeln!(out, "\nFlaky: {}", names.join(", "))?;
    }
    Ok(())
}

fn since(view: &RunView, out: &mut String) -> std::fmt::Result {
    let last = view.failure.last_success.as_ref();
    let commits = last.and_then(|last| last.commits.as_ref());
    let (Some(commits), false) = (commits, view.failure.jobs.is_empty()) else {
        return Ok(());
    };
    let total = last.map_or(0, |last| last.total_commits);
    writeln!(out, "\nCommits since the last success: {total}\n")?;
    for commit in commits {
        writeln!(
            out,
            "- {} {}",
            code(short(&commit.id)),
            escaped(&commit.subject)
        )?;
    }
    Ok(())
}

/// Text that means nothing to Markdown or HTML, on one line.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in one_line(text).chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A word joiner keeps `@name` from calling somebody and `#1` from being a link.
            '@' | '#' => {
                out.push(letter);
                out.push('\u{2060}');
            }
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '!' | '|' | '~' => {
                out.push('\\');
                out.push(letter);
            }
            // Addresses become links by themselves.
            ':' => out.push_str("&#58;"),
            other => out.push(other),
        }
    }
    out
}

fn code(text: &str) -> String {
    format!("`{}`", one_line(text).replace('`', "'"))
}

/// A block of code, whose fence is longer than any in it.
fn block<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let lines: Vec<&str> = lines.collect();
    let longest = lines.iter().map(|line| {
        line.chars()
            .take_while(|it| *it == '`' || *it == ' ')
            .count()
    });
    let fence = "`".repeat(longest.max().unwrap_or(0).max(2) + 1);
    format!("{fence}\n{}\n{fence}", lines.join("\n"))
}
