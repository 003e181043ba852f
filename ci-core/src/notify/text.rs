//! Notices in words.

use super::notice::counted;
use super::{Change, Message, Notice, NoticeKind};
use crate::event::{JobResult, Sanitizer};
use crate::outcome::OutcomeKind;

/// How many characters of a name or a reason are shown.
const LONGEST: usize = 200;
/// How many jobs and tests of a run are named.
const MOST_NAMED: usize = 10;
/// How many notices of a message are shown.
const MOST_SHOWN: usize = 20;

/// A foreign text as one line without control characters, cut to a length that people read.
pub(super) fn plain(text: &str) -> String {
    cut(&one_line(text), LONGEST)
}

fn one_line(text: &str) -> String {
    let mut filter = Sanitizer::new(false);
    let lines: Vec<String> = text
        .lines()
        .map(|line| filter.line(line).trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    lines.join(" ")
}

/// `text` with at most `most` characters, and a sign that there were more.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.char_indices().nth(most).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// The notice in one line: what it is about and how it ended.
pub(super) fn title(notice: &Notice) -> String {
    let workflow = plain(&notice.workflow);
    let at = match (&notice.branch, &notice.tag) {
        (_, Some(tag)) => format!(" on {}", plain(tag)),
        (Some(branch), None) => format!(" on {}", plain(branch)),
        (None, None) => String::new(),
    };
    match &notice.what {
        NoticeKind::RunStarted => format!("{workflow} began{at}"),
        NoticeKind::JobStarted { job } => format!("{workflow}/{} began{at}", plain(job)),
        NoticeKind::JobHeld { job, prompt } => {
            let asked = prompt.as_deref().map(plain).filter(|it| !it.is_empty());
            let asked = asked.map(|asked| format!(": {asked}")).unwrap_or_default();
            format!("{workflow}/{} waits for an approval{at}{asked}", plain(job))
        }
        NoticeKind::JobFinished { job, change } => {
            let end = ended(counted(job), *change);
            format!("{workflow}/{} {end}{at}", plain(&job.name))
        }
        NoticeKind::RunFinished {
            outcome, change, ..
        } => format!("{workflow} {}{at}", ended(*outcome, *change)),
    }
}

fn ended(outcome: OutcomeKind, change: Change) -> &'static str {
    match (outcome, change) {
        (OutcomeKind::Success, Change::Fixed) => "succeeded again",
        (OutcomeKind::Success, _) => "succeeded",
        (OutcomeKind::Failed, _) => "failed",
        (OutcomeKind::TimedOut, _) => "timed out",
        (OutcomeKind::Canceled, _) => "was canceled",
        (OutcomeKind::Skipped, _) => "was skipped",
        (OutcomeKind::NotRun, _) => "did not run",
        (OutcomeKind::OnHold, _) => "waits for an approval",
        (OutcomeKind::Interrupted, _) => "was interrupted",
        (OutcomeKind::InfrastructureFailure, _) => "broke",
    }
}

/// More about the notice, a line each: jobs and tests that failed.
pub(super) fn details(notice: &Notice) -> Vec<String> {
    match &notice.what {
        NoticeKind::JobFinished { job, .. } => reason(job).into_iter().collect(),
        NoticeKind::RunFinished {
            jobs, failed_tests, ..
        } => {
            let is_bad = |job: &&JobResult| super::notice::verdict(counted(job)) == Some(false);
            let bad: Vec<String> = jobs
                .iter()
                .filter(is_bad)
                .map(|job| {
                    let why = reason(job).map(|why| format!(": {why}"));
                    format!("{}{}", plain(&job.name), why.unwrap_or_default())
                })
                .collect();
            let mut lines = few("job", &bad);
            let tests: Vec<String> = failed_tests.iter().map(|test| plain(test)).collect();
            lines.extend(few("test", &tests));
            lines
        }
        _ => Vec::new(),
    }
}

fn reason(job: &JobResult) -> Option<String> {
    if job.outcome == OutcomeKind::Success {
        return None;
    }
    match (&job.reason, job.exit_code) {
        (Some(reason), _) => Some(plain(reason)).filter(|reason| !reason.is_empty()),
        (None, Some(code)) => Some(format!("exit code {code}")),
        (None, None) => None,
    }
}

fn few(what: &str, all: &[String]) -> Vec<String> {
    let shown = all.iter().take(MOST_NAMED);
    let mut lines: Vec<String> = shown.map(|one| format!("{what} {one}")).collect();
    if let Some(more) = all.len().checked_sub(MOST_NAMED + 1) {
        lines.push(format!("and {} more {what}s", more + 1));
    }
    lines
}

/// The notices of a message that are shown, the last ones, and how many are not.
pub(super) fn shown(message: &Message) -> (impl Iterator<Item = &Notice>, u64) {
    let over = message.notices.len().saturating_sub(MOST_SHOWN);
    let left_out = message.left_out + over as u64;
    let shown = message.notices.iter().skip(over);
    (shown.map(|notice| &**notice), left_out)
}

/// The message in one line.
pub(super) fn subject(message: &Message) -> String {
    let Some(last) = message.notices.last() else {
        return String::new();
    };
    let more = message.notices.len() as u64 - 1 + message.left_out;
    match more {
        0 => title(last),
        more => format!("{} (and {more} more)", title(last)),
    }
}
