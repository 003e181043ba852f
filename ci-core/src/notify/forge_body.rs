//! What the APIs of forges call the state of a run or a job.

use serde_json::{Value, json};

use super::text::{cut, details, title};
use super::{Notice, NoticeKind};
use crate::outcome::OutcomeKind;
use crate::settings::ForgeKind;

/// The longest description that GitHub takes, in characters.
const LONGEST: usize = 140;

/// The body of a commit status.
pub(super) fn status(forge: ForgeKind, name: &str, notice: &Notice) -> Value {
    let state = match forge {
        ForgeKind::Gitlab => gitlab_state(notice),
        ForgeKind::Github | ForgeKind::Gitea => github_state(notice),
    };
    // GitLab calls the same thing by another name.
    let called = if forge == ForgeKind::Gitlab {
        "name"
    } else {
        "context"
    };
    let mut body = json!({
        "state": state,
        "description": cut(&title(notice), LONGEST),
    });
    body[called] = name.into();
    if let Some(url) = &notice.url {
        body["target_url"] = (**url).into();
    }
    body
}

/// <https://docs.github.com/en/rest/commits/statuses>, and Gitea's API with the same words.
fn github_state(notice: &Notice) -> &'static str {
    match notice.outcome() {
        None | Some(OutcomeKind::OnHold) => "pending",
        Some(OutcomeKind::Success | OutcomeKind::Skipped) => "success",
        Some(OutcomeKind::Failed | OutcomeKind::TimedOut) if is_allowed(notice) => "success",
        Some(OutcomeKind::Failed | OutcomeKind::TimedOut) => "failure",
        Some(_) => "error",
    }
}

/// <https://docs.gitlab.com/api/commits/#set-commit-pipeline-status>
fn gitlab_state(notice: &Notice) -> &'static str {
    match notice.outcome() {
        None => "running",
        Some(OutcomeKind::OnHold) => "pending",
        Some(OutcomeKind::Success) => "success",
        Some(OutcomeKind::Skipped | OutcomeKind::NotRun) => "skipped",
        Some(OutcomeKind::Canceled) => "canceled",
        Some(_) if is_allowed(notice) => "success",
        Some(_) => "failed",
    }
}

/// The body of a check run (<https://docs.github.com/en/rest/checks/runs>).
pub(super) fn check(name: &str, notice: &Notice) -> Value {
    let mut body = json!({
        "name": name,
        "external_id": notice.run.to_string(),
        "output": {
            "title": cut(&title(notice), LONGEST),
            "summary": summary(notice),
        },
    });
    if let Some(revision) = &notice.revision {
        body["head_sha"] = (**revision).into();
    }
    if let Some(url) = &notice.url {
        body["details_url"] = (**url).into();
    }
    match notice.outcome() {
        None => body["status"] = "in_progress".into(),
        Some(OutcomeKind::OnHold) => body["status"] = "queued".into(),
        Some(outcome) => {
            body["status"] = "completed".into();
            body["conclusion"] = conclusion(outcome, is_allowed(notice)).into();
        }
    }
    body
}

fn conclusion(outcome: OutcomeKind, allowed: bool) -> &'static str {
    match outcome {
        OutcomeKind::Success => "success",
        OutcomeKind::Skipped => "skipped",
        OutcomeKind::NotRun => "neutral",
        OutcomeKind::Canceled => "cancelled",
        _ if allowed => "neutral",
        OutcomeKind::TimedOut => "timed_out",
        _ => "failure",
    }
}

/// Markdown in which foreign words are no markup: an indented block takes them as they are.
fn summary(notice: &Notice) -> String {
    let lines = std::iter::once(title(notice)).chain(details(notice));
    let lines: Vec<String> = lines.map(|line| format!("    {line}")).collect();
    lines.join("\n")
}

fn is_allowed(notice: &Notice) -> bool {
    matches!(&notice.what, NoticeKind::JobFinished { job, .. } if job.allowed)
}
