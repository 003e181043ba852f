//! The policies of a job, as values.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::outcome::{Failure, Outcome};

/// Whether a job that fails may count as a success for the run and for the jobs that depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AllowFailure {
    /// A failure is a failure.
    #[default]
    Never,
    /// Every failure is allowed.
    Always,
    /// Only failures with one of these exit codes are allowed.
    ExitCodes(Vec<i32>),
}

impl AllowFailure {
    /// Whether `outcome` is a failure that this policy allows.
    #[must_use]
    pub fn allows(&self, outcome: &Outcome) -> bool {
        match self {
            Self::Never => false,
            Self::Always => matches!(
                outcome,
                Outcome::Failed(_)
                    | Outcome::TimedOut(_)
                    | Outcome::Interrupted(_)
                    | Outcome::InfrastructureFailure(_)
            ),
            Self::ExitCodes(codes) => matches!(
                outcome,
                Outcome::Failed(failure) if failure.exit_code.is_some_and(|code| codes.contains(&code))
            ),
        }
    }
}

/// When a job starts, once its dependencies allow it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Start {
    /// At once.
    #[default]
    Auto,
    /// After this time has passed.
    Delayed(Duration),
    /// When somebody approves it.
    Manual {
        /// What the person who approves is asked.
        prompt: Option<String>,
        /// Whether the run waits for the decision. A run does not wait for an optional manual job:
        /// it ends when nothing else is left, and the job is skipped.
        optional: bool,
        /// How long to wait before the job times out; for ever by default.
        deadline: Option<Duration>,
    },
}

/// Runs a job again after some failures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Retry {
    /// How many times at most, after the first attempt.
    pub max: u32,
    /// How long to wait before each new attempt.
    pub backoff: Backoff,
    /// Which failures are worth another attempt; empty means all of them.
    pub on: Vec<RetryOn>,
}

impl Retry {
    /// Up to `max` more attempts after any failure, with no pause.
    #[must_use]
    pub fn times(max: u32) -> Self {
        Self {
            max,
            ..Self::default()
        }
    }

    /// Waits between attempts.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Restricts the failures that are worth another attempt. May be called several times.
    #[must_use]
    pub fn on(mut self, on: RetryOn) -> Self {
        self.on.push(on);
        self
    }

    /// Whether a job that ended in `outcome` after `attempts` attempts runs again.
    #[must_use]
    pub fn wants(&self, outcome: &Outcome, attempts: u32) -> bool {
        let Some(class) = FailureClass::of(outcome) else {
            return false;
        };
        attempts <= self.max
            && (self.on.is_empty() || self.on.iter().any(|on| on.matches(class, outcome)))
    }
}

/// A kind of failure that a retry policy picks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RetryOn {
    /// A class of failures.
    Class(FailureClass),
    /// An exit code.
    ExitCode(i32),
    /// A signal number.
    Signal(i32),
}

impl RetryOn {
    fn matches(self, class: FailureClass, outcome: &Outcome) -> bool {
        let failure: Option<&Failure> = match outcome {
            Outcome::Failed(failure) => Some(failure),
            _ => None,
        };
        match self {
            Self::Class(wanted) => wanted == class,
            Self::ExitCode(code) => failure.is_some_and(|failure| failure.exit_code == Some(code)),
            Self::Signal(number) => failure.is_some_and(|failure| failure.signal == Some(number)),
        }
    }
}

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureClass {
    /// The work ran and said no.
    Script,
    /// A time limit ended it.
    Timeout,
    /// The machine under it was taken away.
    Interrupted,
    /// The engine or an executor could not do its work.
    Infrastructure,
}

impl FailureClass {
    /// The class of `outcome`; `None` for outcomes that are no failures.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Failed(_) => Some(Self::Script),
            Outcome::TimedOut(_) => Some(Self::Timeout),
            Outcome::Interrupted(_) => Some(Self::Interrupted),
            Outcome::InfrastructureFailure(_) => Some(Self::Infrastructure),
            _ => None,
        }
    }
}

/// The pause before another attempt: `initial · factor^(n-1)`, at most `limit`, and by up to `jitter`
/// of itself shorter or longer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Backoff {
    /// Before the second attempt.
    pub initial: Duration,
    /// By how much each pause is longer than the one before.
    pub factor: f64,
    /// The longest pause.
    pub limit: Duration,
    /// The share of the pause that is random, from 0 to 1.
    pub jitter: f64,
}

impl Eq for Backoff {}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::ZERO,
            factor: 2.0,
            limit: Duration::from_mins(5),
            jitter: 0.0,
        }
    }
}

impl Backoff {
    /// Starts with `initial` and doubles, up to five minutes.
    #[must_use]
    pub fn exponential(initial: Duration) -> Self {
        Self {
            initial,
            ..Self::default()
        }
    }

    /// Makes the share `jitter` (0 to 1) of each pause random.
    #[must_use]
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.jitter = jitter.clamp(0.0, 1.0);
        self
    }

    /// The pause after attempt `attempt` (from 1), with `random` in 0..1 choosing the jitter.
    #[must_use]
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        let exponent = f64::from(attempt.saturating_sub(1).min(64));
        let base = self.initial.as_secs_f64() * self.factor.max(1.0).powf(exponent);
        let capped = base.min(self.limit.as_secs_f64());
        let spread = 1.0 + self.jitter * (2.0 * random.clamp(0.0, 1.0) - 1.0);
        Duration::try_from_secs_f64(capped * spread).unwrap_or(self.limit)
    }
}

/// The time limits of a job. The run and each step may have their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Timeouts {
    /// The job as a whole, preparing included.
    pub job: Option<Duration>,
    /// Each step that names no limit of its own.
    pub step: Option<Duration>,
    /// The longest silence of a step that names no limit of its own.
    pub no_output: Option<Duration>,
}

/// A named group of which only so many jobs run at once, in every run that shares the store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupUse {
    /// The group's name.
    pub name: Arc<str>,
    /// How many jobs of the group run at once; 1 is a mutex.
    pub limit: u32,
}

impl GroupUse {
    /// A group of which one job runs at a time.
    #[must_use]
    pub fn mutex(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            limit: 1,
        }
    }

    /// A group of which `limit` jobs run at a time.
    #[must_use]
    pub fn counted(name: impl Into<Arc<str>>, limit: u32) -> Self {
        Self {
            name: name.into(),
            limit,
        }
    }
}

/// The values that a job is repeated for: one job for each combination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Matrix {
    /// Each dimension with its values, in the order given.
    pub dimensions: Vec<(String, Vec<String>)>,
    /// Combinations to leave out: those that have all of the given values.
    pub exclude: Vec<BTreeMap<String, String>>,
    /// Combinations to add.
    pub include: Vec<BTreeMap<String, String>>,
}

impl Matrix {
    /// No dimension yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a dimension.
    #[must_use]
    pub fn dimension<S: Into<String>>(
        mut self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = S>,
    ) -> Self {
        self.dimensions
            .push((name.into(), values.into_iter().map(Into::into).collect()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_is_capped_and_spreads() {
        let backoff = Backoff::exponential(Duration::from_secs(1)).jitter(0.5);
        assert_eq!(backoff.delay(1, 0.5), Duration::from_secs(1));
        assert_eq!(backoff.delay(3, 0.5), Duration::from_secs(4));
        assert_eq!(backoff.delay(1, 0.0), Duration::from_millis(500));
        assert_eq!(backoff.delay(1, 1.0), Duration::from_millis(1500));
        assert_eq!(backoff.delay(40, 0.5), Duration::from_mins(5));
    }

    #[test]
    fn retry_matches_on_class_code_and_signal() {
        let exit = Outcome::from_exit_code(7);
        let killed = Outcome::Failed(Box::new(Failure::signal(9)));
        assert!(Retry::times(1).wants(&exit, 1));
        assert!(!Retry::times(1).wants(&exit, 2));
        assert!(!Retry::times(1).wants(&Outcome::Success, 1));
        assert!(!Retry::times(1).on(RetryOn::ExitCode(8)).wants(&exit, 1));
        assert!(Retry::times(1).on(RetryOn::ExitCode(7)).wants(&exit, 1));
        assert!(Retry::times(1).on(RetryOn::Signal(9)).wants(&killed, 1));
        assert!(
            !Retry::times(1)
                .on(RetryOn::Class(FailureClass::Timeout))
                .wants(&killed, 1)
        );
    }
}
