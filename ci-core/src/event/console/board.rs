//! Folds events into what the live board shows: the jobs that run, wait or are held, and how far the
//! run is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::estimate;
use crate::clock::Timestamp;
use crate::event::terminal::{columns, one_line};
use crate::event::{EventRecord, JobInfo, RunEvent};
use crate::outcome::{CancelReason, OutcomeKind};

/// The state behind the live board.
#[derive(Debug, Default)]
pub(super) struct Board {
    history: HashMap<Arc<str>, Duration>,
    plan: Vec<JobInfo>,
    /// The columns of the widest name, so that the board does not move when jobs come and go.
    pub(super) widest: usize,
    pub(super) begun: Timestamp,
    /// In the order in which they started.
    pub(super) running: Vec<Busy>,
    idle: HashMap<Arc<str>, Idle>,
    ready: HashSet<Arc<str>>,
    ended: HashSet<Arc<str>>,
    counts: [usize; OutcomeKind::ALL.len()],
    /// How many jobs ran at once at the most.
    slots: usize,
    pub(super) stopping: Option<CancelReason>,
    /// Whether the run goes on.
    pub(super) open: bool,
}

/// A job that runs.
#[derive(Debug)]
pub(super) struct Busy {
    pub(super) job: Arc<str>,
    pub(super) attempt: u32,
    pub(super) since: Timestamp,
    pub(super) step: Option<(u32, Arc<str>)>,
    /// What is asked, while a step of it waits for an approval.
    pub(super) held: Option<String>,
    /// How long it usually takes.
    pub(super) usual: Option<Duration>,
}

/// A job that does not run and shows why.
#[derive(Debug)]
pub(super) struct Idle {
    seq: u64,
    pub(super) why: Why,
}

/// Why a job does not run.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// Somebody has to approve.
    Held(String),
    /// It starts or tries again at a moment.
    Until(Timestamp),
    /// Others hold what it needs.
    For(String),
}

impl Board {
    /// An empty board; `history` says how long jobs usually take.
    pub(super) fn new(history: HashMap<Arc<str>, Duration>) -> Self {
        Self {
            history,
            ..Self::default()
        }
    }

    /// Takes an event.
    pub(super) fn apply(&mut self, record: &EventRecord) {
        let now = record.time;
        match &record.event {
            RunEvent::RunStarted { jobs, .. } => {
                self.plan.clone_from(jobs);
                let widths = jobs.iter().map(|job| columns(&one_line(&job.name)));
                self.widest = widths.max().unwrap_or(0);
                self.begun = now;
                self.open = true;
            }
            RunEvent::RunCanceling { reason } => self.stopping = Some(*reason),
            RunEvent::RunFinished { .. } => self.open = false,
            RunEvent::JobReady { job } => {
                self.idle.remove(job);
                self.ready.insert(Arc::clone(job));
            }
            RunEvent::JobHeld { job, prompt } => {
                let prompt = prompt.clone().unwrap_or_default();
                match self.busy(job) {
                    Some(busy) => busy.held = Some(prompt),
                    None => self.wait(record.seq, job, Why::Held(prompt)),
                }
            }
            RunEvent::JobApproved { job, .. } => {
                self.idle.remove(job);
                if let Some(busy) = self.busy(job) {
                    busy.held = None;
                }
            }
            RunEvent::JobDelayed { job, until } => self.wait(record.seq, job, Why::Until(*until)),
            RunEvent::JobWaiting { job, reason } => {
                self.wait(record.seq, job, Why::For(reason.clone()));
            }
            RunEvent::JobStarted { job, attempt, .. } => self.start(job, *attempt, now),
            RunEvent::StepStarted {
                job, step, name, ..
            } => {
                if let Some(busy) = self.busy(job) {
                    busy.step = Some((*step, Arc::clone(name)));
                }
            }
            RunEvent::JobRetrying { job, delay, .. } => {
                self.running.retain(|busy| busy.job != *job);
                let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                let until = Timestamp::from_millis(now.as_millis().saturating_add(delay));
                self.wait(record.seq, job, Why::Until(until));
            }
            RunEvent::JobFinished { job, result, .. } => {
                self.leave(job);
                if self.ended.insert(Arc::clone(job)) {
                    self.counts[result.kind() as usize] += 1;
                }
            }
            // The board shows no more of these than the transcript does.
            RunEvent::JobPrepared { .. }
            | RunEvent::Output { .. }
            | RunEvent::OutputDropped { .. }
            | RunEvent::Stored { .. }
            | RunEvent::TestResults { .. }
            | RunEvent::Coverage { .. }
            | RunEvent::CoverageJudged { .. }
            | RunEvent::Metrics { .. }
            | RunEvent::MetricsJudged { .. }
            | RunEvent::Findings { .. }
            | RunEvent::FindingsJudged { .. }
            | RunEvent::StepFinished { .. }
            | RunEvent::BudgetExceeded { .. }
            | RunEvent::Warning { .. } => {}
        }
    }

    fn busy(&mut self, job: &str) -> Option<&mut Busy> {
        self.running.iter_mut().find(|busy| *busy.job == *job)
    }

    fn wait(&mut self, seq: u64, job: &Arc<str>, why: Why) {
        self.ready.remove(job);
        self.idle.insert(Arc::clone(job), Idle { seq, why });
    }

    fn leave(&mut self, job: &Arc<str>) {
        self.ready.remove(job);
        self.idle.remove(job);
        self.running.retain(|busy| busy.job != *job);
    }

    fn start(&mut self, job: &Arc<str>, attempt: u32, now: Timestamp) {
        self.leave(job);
        self.running.push(Busy {
            job: Arc::clone(job),
            attempt,
            since: now,
            step: None,
            held: None,
            usual: self.history.get(job).copied(),
        });
        self.slots = self.slots.max(self.running.len());
    }

    /// Whether history knows any job.
    pub(super) fn knows_history(&self) -> bool {
        !self.history.is_empty()
    }

    /// How many steps a job has.
    pub(super) fn steps(&self, job: &str) -> Option<u32> {
        let info = self.plan.iter().find(|info| *info.name == *job)?;
        Some(info.steps)
    }

    /// The jobs that show why they do not run: held ones first, then as they began to wait.
    pub(super) fn idle(&self) -> Vec<(&Arc<str>, &Why)> {
        let mut idle: Vec<_> = self.idle.iter().collect();
        idle.sort_unstable_by_key(|(_, idle)| (!matches!(idle.why, Why::Held(_)), idle.seq));
        idle.into_iter()
            .map(|(job, idle)| (job, &idle.why))
            .collect()
    }

    /// How many jobs have ended, of how many.
    pub(super) fn progress(&self) -> (usize, usize) {
        (self.ended.len(), self.plan.len().max(self.ended.len()))
    }

    /// How many jobs wait for a slot and nothing else.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// How many jobs ended in which way, those that succeeded left out.
    pub(super) fn counts(&self) -> impl Iterator<Item = (OutcomeKind, usize)> {
        OutcomeKind::ALL
            .into_iter()
            .zip(self.counts)
            .filter(|(kind, count)| *kind != OutcomeKind::Success && *count > 0)
    }

    /// How long the rest of the run may take, as far as history knows.
    pub(super) fn rest(&self, now: Timestamp) -> Option<Duration> {
        if self.stopping.is_some() || self.history.is_empty() {
            return None;
        }
        estimate::rest(&self.plan, self.slots, |info| {
            if self.ended.contains(&info.name) {
                return Some(Duration::ZERO);
            }
            let usual = *self.history.get(&info.name)?;
            let busy = self.running.iter().find(|busy| busy.job == info.name);
            let spent = busy.map_or(Duration::ZERO, |busy| now.since(busy.since));
            Some(usual.saturating_sub(spent))
        })
    }
}
