//! Which channels a notice goes to: the rules, as a pure function.

use super::{Change, Notice, NoticeKind};
use crate::outcome::OutcomeKind;
use crate::settings::NotifyRule;
use crate::wildcard;

/// Whether the notice goes to the channels of the rule. `states` says whether the channel shows states.
pub(super) fn fits(rule: &NotifyRule, notice: &Notice, states: bool) -> bool {
    let branch_fits = rule.branches.is_empty()
        || notice
            .branch
            .as_deref()
            .is_some_and(|branch| any(&rule.branches, branch));
    branch_fits && subject_fits(rule, notice) && end_fits(rule, notice, states)
}

/// A rule with jobs is about jobs, one without about the run.
fn subject_fits(rule: &NotifyRule, notice: &Notice) -> bool {
    match notice.job() {
        Some(job) if !rule.jobs.is_empty() => any(&rule.jobs, job),
        // Whoever wants to hear that something waits does not have to know the names of all jobs.
        Some(_) => matches!(notice.what, NoticeKind::JobHeld { .. }),
        None => rule.jobs.is_empty(),
    }
}

fn end_fits(rule: &NotifyRule, notice: &Notice, states: bool) -> bool {
    let listed = |outcome: OutcomeKind| rule.outcomes.contains(&outcome);
    match notice.outcome() {
        // A state that begins has to end: a rule for some ends is not for beginnings.
        None => states && rule.outcomes.is_empty() && !rule.changed,
        // Only whoever asks hears that something waits; states show it.
        Some(OutcomeKind::OnHold) if matches!(notice.what, NoticeKind::JobHeld { .. }) => {
            listed(OutcomeKind::OnHold)
                || (states && rule.outcomes.is_empty() && !rule.jobs.is_empty() && !rule.changed)
        }
        Some(outcome) => {
            (rule.outcomes.is_empty() || listed(outcome))
                && (!rule.changed || notice.change() != Change::Same)
        }
    }
}

fn any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| wildcard::fits(pattern, name))
}
