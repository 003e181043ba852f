//! A channel that records what it got and answers as it is told, and runs told in a few words.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::event::{EventRecord, JobResult, RunEvent, Sink};
use crate::id::RunId;
use crate::notify::*;
use crate::outcome::{Outcome, OutcomeKind};
use crate::settings::NotifyRule;

/// What a try comes to.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Taken,
    Error(SendError),
    Never,
    Panic,
}

/// A channel that records what it got, with the seconds since it was made.
#[derive(Clone)]
pub(super) struct Recorder {
    pub(super) origin: Instant,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    got: Arc<Mutex<Vec<(Duration, Message)>>>,
    states: bool,
}

impl Recorder {
    /// Answers the first tries like that, and then takes everything.
    pub(super) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            origin: Instant::now(),
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            got: Arc::default(),
            states: false,
        }
    }

    pub(super) fn states() -> Self {
        Self {
            states: true,
            ..Self::new([])
        }
    }

    /// All tries.
    pub(super) fn got(&self) -> Vec<(Duration, Message)> {
        self.got
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The tries as `SECOND: subject`.
    pub(super) fn told(&self) -> Vec<String> {
        let tries = self.got();
        let words = tries
            .iter()
            .map(|(at, message)| format!("{:.1}: {}", at.as_secs_f64(), text::subject(message)));
        words.collect()
    }
}

#[async_trait]
impl Channel for Recorder {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        let at = self.origin.elapsed();
        self.got.lock().unwrap().push((at, message.clone()));
        let answer = self.answers.lock().unwrap().pop_front();
        match answer.unwrap_or(Answer::Taken) {
            Answer::Taken => Ok(()),
            Answer::Error(error) => Err(error),
            Answer::Never => std::future::pending().await,
            Answer::Panic => panic!("a channel of a test"),
        }
    }

    fn shows_states(&self) -> bool {
        self.states
    }
}

/// A run whose events a test tells.
pub(super) struct Told {
    pub(super) run: RunId,
    sink: NotifySink,
    notifier: Notifier,
    seq: u64,
}

impl Told {
    pub(super) fn start(plan: NotifyPlan, about: About) -> Self {
        let (sink, notifier) = Notifier::start(plan, about);
        let mut told = Self {
            run: RunId::new(),
            sink,
            notifier,
            seq: 0,
        };
        told.event(RunEvent::RunStarted {
            workflow: "ci".into(),
            jobs: Vec::new(),
            resumed: false,
        });
        told
    }

    pub(super) fn event(&mut self, event: RunEvent) {
        self.seq += 1;
        let record = EventRecord {
            run: self.run,
            seq: self.seq,
            time: Timestamp::from_millis(1_790_000_000_000),
            event,
        };
        self.sink.event(&record).unwrap();
    }

    pub(super) fn job(&mut self, name: &str, result: Outcome) {
        self.event(RunEvent::JobFinished {
            job: name.into(),
            result,
            attempts: 1,
            duration: Duration::from_secs(1),
            allowed: false,
            reused: false,
            reports: None,
        });
    }

    pub(super) fn ends(&mut self, outcome: OutcomeKind) {
        self.event(RunEvent::RunFinished {
            run: self.run,
            outcome,
            jobs: Vec::new(),
            budgets: Vec::new(),
            duration: Duration::from_secs(3),
        });
    }

    pub(super) async fn finish(self) -> NotifyReport {
        drop(self.sink);
        self.notifier.finish().await
    }
}

/// Everything that is told about the run to the channel `c`.
pub(super) fn rule() -> NotifyRule {
    NotifyRule {
        to: vec!["c".into()],
        ..NotifyRule::default()
    }
}

/// The same about all jobs.
pub(super) fn job_rule() -> NotifyRule {
    NotifyRule {
        jobs: vec!["*".into()],
        ..rule()
    }
}

/// Tries without jitter.
pub(super) fn delivery() -> Delivery {
    let mut delivery = Delivery::default();
    delivery.backoff.jitter = 0.0;
    delivery
}

pub(super) fn notice(what: NoticeKind) -> Notice {
    Notice {
        run: "0193f2a4-7c1e-7000-8000-000000000000".parse().unwrap(),
        workflow: "ci".into(),
        branch: Some("main".into()),
        tag: None,
        revision: Some("a1b2c3".into()),
        url: Some("https://ci.example.org/runs/1".into()),
        time: Timestamp::from_millis(1_790_000_000_000),
        what,
    }
}

pub(super) fn ended(name: &str, outcome: &Outcome) -> JobResult {
    JobResult {
        name: name.into(),
        outcome: outcome.kind(),
        exit_code: outcome.exit_code(),
        reason: outcome.reason(),
        attempts: 1,
        duration: Duration::from_secs(1),
        allowed: false,
        reports: None,
    }
}

pub(super) fn message(notices: Vec<Notice>) -> Message {
    Message {
        id: "m-1".into(),
        notices: notices.into_iter().map(Arc::new).collect(),
        left_out: 0,
    }
}
