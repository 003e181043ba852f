//! How a step, a job or a run ended.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How a step, a job or a run ended. A failed step is data; an `Err` means that the engine could not
/// do its work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(into = "Record", from = "Record")]
#[non_exhaustive]
pub enum Outcome {
    /// All that was asked for was done.
    #[default]
    Success,
    /// The work ran and said no.
    Failed(Box<Failure>),
    /// A time limit ended it.
    TimedOut(TimeLimit),
    /// Somebody or something asked for it to stop.
    Canceled(CancelReason),
    /// It was not meant to run here: a condition, or a manual job that nobody started.
    Skipped(Arc<str>),
    /// It was meant to run, and what it depends on did not allow it.
    NotRun(Arc<str>),
    /// It waits for an approval, and the run ended without waiting on.
    OnHold,
    /// The machine under it was taken away (a reclaimed spot instance).
    Interrupted(Arc<str>),
    /// The engine or an executor could not do its work.
    InfrastructureFailure(Arc<str>),
}

/// An outcome on its way from a step to the record of its job: a success is one word that fits into a
/// register, because nearly all are successes and each is handed on many times.
pub(crate) type Verdict = Result<(), Box<Outcome>>;

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Ok(()),
            other => Err(Box::new(other)),
        }
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        verdict.map_or_else(|outcome| *outcome, |()| Self::Success)
    }
}

/// The name of an outcome, without its details; these names are a contract of the JSON output.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// All that was asked for was done.
    Success,
    /// The work ran and said no.
    Failed,
    /// A time limit ended it.
    TimedOut,
    /// Somebody or something asked for it to stop.
    Canceled,
    /// It was not meant to run here.
    Skipped,
    /// It was meant to run, and what it depends on did not allow it.
    NotRun,
    /// It waits for an approval, and the run ended without waiting on.
    OnHold,
    /// The machine under it was taken away.
    Interrupted,
    /// The engine or an executor could not do its work.
    InfrastructureFailure,
}

impl OutcomeKind {
    /// Every kind, in declaration order.
    pub const ALL: [Self; 9] = [
        Self::Success,
        Self::Failed,
        Self::TimedOut,
        Self::Canceled,
        Self::Skipped,
        Self::NotRun,
        Self::OnHold,
        Self::Interrupted,
        Self::InfrastructureFailure,
    ];

    /// Whether a run that ended so can go on: it was not done.
    #[must_use]
    pub const fn can_go_on(self) -> bool {
        matches!(self, Self::OnHold | Self::Interrupted)
    }

    /// The name used in JSON and on the command line, such as `timed_out`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
            Self::NotRun => "not_run",
            Self::OnHold => "on_hold",
            Self::Interrupted => "interrupted",
            Self::InfrastructureFailure => "infrastructure_failure",
        }
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why work that ran did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Failure {
    /// The exit code, where a process ended by itself.
    pub exit_code: Option<i32>,
    /// The number of the signal that ended the process, where one did.
    pub signal: Option<i32>,
    /// What to tell a person, where it says more than the code does.
    pub message: Option<String>,
}

impl Failure {
    /// A process that ended with `code`.
    #[must_use]
    pub fn exit(code: i32) -> Self {
        Self {
            exit_code: Some(code),
            ..Self::default()
        }
    }

    /// A process that a signal ended.
    #[must_use]
    pub fn signal(number: i32) -> Self {
        Self {
            signal: Some(number),
            ..Self::default()
        }
    }

    /// A failure that is no process exit, in words.
    #[must_use]
    pub fn message(text: impl Into<String>) -> Self {
        Self {
            message: Some(text.into()),
            ..Self::default()
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.message, self.exit_code, self.signal) {
            (Some(message), _, _) => f.write_str(message),
            (None, Some(code), _) => write!(f, "exit code {code}"),
            (None, None, Some(number)) => write!(f, "ended by signal {number}"),
            (None, None, None) => f.write_str("failed"),
        }
    }
}

/// Which clock ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimeLimit {
    /// The limit of the whole run.
    Workflow,
    /// The limit of the job.
    Job,
    /// The limit of the step.
    Step,
    /// The longest silence allowed between two pieces of output.
    NoOutput,
    /// The deadline of an approval.
    Approval,
    /// The budget of a group of jobs.
    Budget,
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Workflow => "the time limit of the workflow ran out",
            Self::Job => "the time limit of the job ran out",
            Self::Step => "the time limit of the step ran out",
            Self::NoOutput => "no output for too long",
            Self::Approval => "the deadline of the approval passed",
            Self::Budget => "the time budget of its group ran out",
        })
    }
}

/// Why something was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CancelReason {
    /// A person or the embedding program asked.
    Requested,
    /// Another job failed and the workflow is fail-fast.
    FailFast,
    /// A newer commit of the same branch or request replaced this run.
    Superseded,
    /// The approval was refused.
    Rejected,
    /// The process that drives the run was told to end.
    Shutdown,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "canceled on request",
            Self::FailFast => "canceled because another job failed",
            Self::Superseded => "superseded by a newer run",
            Self::Rejected => "the approval was refused",
            Self::Shutdown => "the engine was told to end",
        })
    }
}

impl Outcome {
    /// A failure in words.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(Box::new(Failure::message(message)))
    }

    /// The outcome of a process that ended with `code`: success for zero.
    #[must_use]
    pub fn from_exit_code(code: i32) -> Self {
        if code == 0 {
            Self::Success
        } else {
            Self::Failed(Box::new(Failure::exit(code)))
        }
    }

    /// The outcome's name.
    #[must_use]
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Success => OutcomeKind::Success,
            Self::Failed(_) => OutcomeKind::Failed,
            Self::TimedOut(_) => OutcomeKind::TimedOut,
            Self::Canceled(_) => OutcomeKind::Canceled,
            Self::Skipped(_) => OutcomeKind::Skipped,
            Self::NotRun(_) => OutcomeKind::NotRun,
            Self::OnHold => OutcomeKind::OnHold,
            Self::Interrupted(_) => OutcomeKind::Interrupted,
            Self::InfrastructureFailure(_) => OutcomeKind::InfrastructureFailure,
        }
    }

    /// Whether this is [`Outcome::Success`].
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Success)
    }

    /// The exit code behind the outcome: zero for success, the process's own for a failure with one.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Success => Some(0),
            Self::Failed(failure) => failure.exit_code,
            _ => None,
        }
    }

    /// The details in words; `None` where the name says it all.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Success | Self::OnHold => None,
            Self::Failed(failure) => Some(failure.to_string()),
            Self::TimedOut(limit) => Some(limit.to_string()),
            Self::Canceled(reason) => Some(reason.to_string()),
            Self::Skipped(why)
            | Self::NotRun(why)
            | Self::Interrupted(why)
            | Self::InfrastructureFailure(why) => Some(why.to_string()),
        }
    }
}

impl From<()> for Outcome {
    fn from((): ()) -> Self {
        Self::Success
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) => write!(f, "{}: {reason}", self.kind()),
            None => self.kind().fmt(f),
        }
    }
}

/// How a step or a job ended, as one flat object: `{"outcome": "failed", "exit_code": 1}`.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Outcome")]
struct Record {
    /// Its name.
    outcome: OutcomeKind,
    /// The exit code behind it: zero for success, the process's own for a failure with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    /// The number of the signal that ended the process, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    /// Which clock ran out, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<TimeLimit>,
    /// Why it was canceled, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancel: Option<CancelReason>,
    /// The details in words, where the name does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Outcome> for Record {
    fn from(outcome: Outcome) -> Self {
        let mut record = Self {
            outcome: outcome.kind(),
            exit_code: outcome.exit_code(),
            signal: None,
            limit: None,
            cancel: None,
            reason: outcome.reason(),
        };
        match outcome {
            Outcome::Failed(failure) => {
                record.signal = failure.signal;
                record.reason = failure.message;
            }
            Outcome::TimedOut(limit) => record.limit = Some(limit),
            Outcome::Canceled(reason) => record.cancel = Some(reason),
            _ => {}
        }
        record
    }
}

impl From<Record> for Outcome {
    fn from(record: Record) -> Self {
        let why = || Arc::from(record.reason.clone().unwrap_or_default());
        match record.outcome {
            OutcomeKind::Success => Self::Success,
            OutcomeKind::Failed => Self::Failed(Box::new(Failure {
                exit_code: record.exit_code,
                signal: record.signal,
                message: record.reason,
            })),
            OutcomeKind::TimedOut => Self::TimedOut(record.limit.unwrap_or(TimeLimit::Job)),
            OutcomeKind::Canceled => {
                Self::Canceled(record.cancel.unwrap_or(CancelReason::Requested))
            }
            OutcomeKind::Skipped => Self::Skipped(why()),
            OutcomeKind::NotRun => Self::NotRun(why()),
            OutcomeKind::OnHold => Self::OnHold,
            OutcomeKind::Interrupted => Self::Interrupted(why()),
            OutcomeKind::InfrastructureFailure => Self::InfrastructureFailure(why()),
        }
    }
}

/// A set of outcome kinds, such as those that a dependency accepts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OutcomeSet(u16);

impl OutcomeSet {
    /// Only success.
    pub const SUCCESS: Self = Self(1);
    /// Every outcome: what teardown jobs accept.
    pub const ANY: Self = Self((1 << OutcomeKind::ALL.len()) - 1);

    /// The set of `kinds`.
    #[must_use]
    pub fn of(kinds: &[OutcomeKind]) -> Self {
        Self(
            kinds
                .iter()
                .fold(0, |bits, kind| bits | (1 << *kind as u16)),
        )
    }

    /// Whether `kind` is in the set.
    #[must_use]
    pub const fn contains(self, kind: OutcomeKind) -> bool {
        self.0 & (1 << kind as u16) != 0
    }

    /// The kinds in the set, in declaration order.
    pub fn iter(self) -> impl Iterator<Item = OutcomeKind> {
        OutcomeKind::ALL
            .into_iter()
            .filter(move |kind| self.contains(*kind))
    }
}

impl Default for OutcomeSet {
    fn default() -> Self {
        Self::SUCCESS
    }
}

impl fmt::Debug for OutcomeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for OutcomeSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for OutcomeSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of(&Vec::<OutcomeKind>::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_survive_json() -> Result<(), serde_json::Error> {
        let all = [
            Outcome::Success,
            Outcome::from_exit_code(3),
            Outcome::Failed(Box::new(Failure::signal(9))),
            Outcome::failed("no route"),
            Outcome::TimedOut(TimeLimit::NoOutput),
            Outcome::Canceled(CancelReason::Superseded),
            Outcome::Skipped("branch".into()),
            Outcome::NotRun("`a` failed".into()),
            Outcome::OnHold,
            Outcome::Interrupted("spot".into()),
            Outcome::InfrastructureFailure("disk full".into()),
        ];
        for outcome in all {
            let text = serde_json::to_string(&outcome)?;
            assert_eq!(serde_json::from_str::<Outcome>(&text)?, outcome, "{text}");
        }
        Ok(())
    }

    #[test]
    fn an_outcome_is_two_words() {
        // A million jobs keep one each.
        assert!(size_of::<Outcome>() <= 24);
    }
}
