//! The state of all jobs of a run: told what happened, it answers with what may start.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::limits::Limits;
use super::notice::{JobEnd, Notice, Stop, Ticket};
use super::ready::ReadyQueue;
use super::resources::{Resources, Taken};
use super::stages::Stages;
use super::state::{IllegalTransition, JobState};
use super::timers::{Timer, Timers};
use super::transitions::severity;
use crate::id::JobId;
use crate::outcome::{CancelReason, Outcome, OutcomeKind, TimeLimit};
use crate::workflow::Plan;

/// A pure state machine over the jobs of a plan. Times are counted from the start of the run.
#[derive(Debug)]
pub struct Machine {
    pub(super) plan: Arc<Plan>,
    pub(super) ranks: Vec<u32>,
    pub(super) states: Vec<JobState>,
    /// On how many edges each job still waits.
    pub(super) waiting: Vec<u32>,
    pub(super) records: Vec<JobEnd>,
    pub(super) ready: ReadyQueue,
    pub(super) timers: Timers,
    pub(super) resources: Resources,
    pub(super) stages: Stages,
    /// Slots that are free; below zero for a moment when a paused job goes on.
    pub(super) free_slots: i64,
    pub(super) counts: Counts,
    pub(super) stopped: Option<Stop>,
    pub(super) fail_fast: bool,
    /// A failure of a fail-fast run was seen and the run is not stopped yet.
    pub(super) stop_due: bool,
    /// The jobs that run only after a failure and have seen one.
    pub(super) saw_failure: HashSet<JobId>,
    /// The jobs that wait for what another process holds, as people know.
    postponed: HashSet<JobId>,
    notices: Vec<Notice>,
    heard: bool,
    /// Room for the jobs that end with one, kept for the next.
    pub(super) ended: Vec<JobId>,
}

/// How many jobs are in the states that decide whether the run goes on.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) undone: usize,
    /// Ready, running or waiting: jobs that will go on by themselves.
    pub(super) live: usize,
    pub(super) held: usize,
    pub(super) held_optional: usize,
}

impl Machine {
    /// All jobs blocked, nothing begun.
    #[must_use]
    pub fn new(plan: Arc<Plan>, limits: Limits) -> Self {
        let jobs = plan.jobs.len();
        // Without history every job counts alike; with it, an unknown job counts as the usual one.
        let usual = median(limits.history.values().copied()).unwrap_or(1);
        let ranks = plan.dag.ranks(&plan.order, |job| {
            limits.history.get(&job).copied().unwrap_or(usual).max(1)
        });
        let mut timers = Timers::default();
        if let Some(limit) = limits.timeout {
            timers.set(limit, Timer::Run);
        }
        Self {
            ranks,
            states: vec![JobState::Blocked; jobs],
            waiting: plan.dag.jobs().map(|job| plan.dag.in_degree(job)).collect(),
            // Made one by one: to copy one costs more.
            records: (0..jobs).map(|_| JobEnd::default()).collect(),
            ready: ReadyQueue::default(),
            timers,
            resources: Resources::new(limits.capacity, limits.demands, limits.pools),
            stages: Stages::new(&plan, &limits.budgets),
            free_slots: i64::try_from(limits.slots).unwrap_or(i64::MAX),
            counts: Counts {
                undone: jobs,
                live: 0,
                held: 0,
                held_optional: 0,
            },
            stopped: None,
            fail_fast: limits.fail_fast,
            stop_due: false,
            saw_failure: HashSet::new(),
            postponed: HashSet::new(),
            notices: Vec::new(),
            heard: limits.heard,
            ended: Vec::new(),
            plan,
        }
    }

    // ===== what happened =====

    /// Says how a job ended in an earlier life of the run, before [`start`](Self::start).
    pub fn restore(&mut self, job: JobId, end: JobEnd) -> Result<(), IllegalTransition> {
        self.records[job.index()] = end;
        self.set(job, JobState::Done)
    }

    /// Says how many attempts of a job failed in an earlier life of the run.
    pub fn restore_attempts(&mut self, job: JobId, attempts: u32) {
        self.records[job.index()].attempts = attempts;
    }

    /// Begins: jobs that wait for nothing go on.
    pub fn start(&mut self, now: Duration) -> Result<(), IllegalTransition> {
        let free: Vec<JobId> = self
            .plan
            .dag
            .jobs()
            .filter(|job| self.plan.dag.in_degree(*job) == 0)
            .collect();
        // Of what ended in an earlier life the others hear when all that it waits for has: it may have ended
        // before a job that runs again now.
        for job in &free {
            if self.state(*job) == JobState::Done {
                self.settle_dependents(*job, now)?;
            }
        }
        for job in free {
            if self.state(job) == JobState::Blocked {
                self.unblock(job, now)?;
            }
        }
        Ok(())
    }

    /// The next job to run, if a slot and what it needs are free.
    #[inline]
    pub fn pop(&mut self, now: Duration) -> Result<Option<Ticket>, IllegalTransition> {
        let popped = self.pop_job(now)?;
        Ok(popped.map(|job| Ticket {
            job,
            attempt: self.records[job.index()].attempts,
            at: now,
        }))
    }

    fn pop_job(&mut self, now: Duration) -> Result<Option<JobId>, IllegalTransition> {
        while self.free_slots > 0 {
            let Some(job) = self.ready.pop() else {
                return Ok(None);
            };
            if self.state(job) != JobState::Ready {
                continue;
            }
            if let Taken::Lacks(what) = self.resources.take(job) {
                self.say(|| Notice::Lacks(job, what));
                continue;
            }
            self.set(job, JobState::Running)?;
            self.free_slots -= 1;
            self.records[job.index()].attempts += 1;
            if let Some((stage, over)) = self.stages.started(job, now) {
                self.timers.set(over, Timer::Budget(stage));
            }
            return Ok(Some(job));
        }
        Ok(None)
    }

    /// An attempt of a running job ended. `random`, in 0..1, chooses the jitter of a pause.
    pub fn finish(
        &mut self,
        job: JobId,
        outcome: Outcome,
        spent: Duration,
        now: Duration,
        random: impl FnOnce() -> f64,
    ) -> Result<(), IllegalTransition> {
        self.release(job);
        // To look into an empty set costs more than all else here.
        if !self.postponed.is_empty() {
            self.postponed.remove(&job);
        }
        let record = &mut self.records[job.index()];
        record.spent += spent;
        let attempt = record.attempts;
        let retry = &self.plan.jobs[job.index()].options.retry;
        if retry.max > 0 && self.stopped.is_none() && retry.wants(&outcome, attempt) {
            let delay = retry.backoff.delay(attempt, random());
            self.say(|| Notice::Retrying {
                job,
                attempt,
                outcome,
                delay,
            });
            return self.wait_until(job, now, delay);
        }
        self.end(job, outcome, now)
    }

    /// A job that was popped cannot start after all: another process holds what it `lacks`. The attempt
    /// does not count, and the job tries again after `pause`. People hear of it once.
    pub fn postpone(
        &mut self,
        job: JobId,
        lacks: String,
        pause: Duration,
        now: Duration,
    ) -> Result<(), IllegalTransition> {
        self.release(job);
        let record = &mut self.records[job.index()];
        record.attempts = record.attempts.saturating_sub(1);
        match self.stopped {
            Some(stop) if !self.plan.job(job).options.always => self.end(job, stop.outcome(), now),
            _ => {
                self.set(job, JobState::Waiting)?;
                let next = now + pause.max(Duration::from_millis(1));
                self.timers.set(next, Timer::Release(job));
                if self.postponed.insert(job) {
                    self.say(|| Notice::Lacks(job, lacks));
                }
                Ok(())
            }
        }
    }

    /// A running job waits for a person: its slot is free meanwhile.
    pub fn pause(&mut self) {
        self.free_slots += 1;
    }

    /// A paused job goes on.
    pub fn unpause(&mut self) {
        self.free_slots -= 1;
    }

    /// Somebody decided about a held job. False if the job is not held.
    pub fn decide(
        &mut self,
        job: JobId,
        approved: bool,
        now: Duration,
    ) -> Result<bool, IllegalTransition> {
        if self.state(job) != JobState::Held {
            return Ok(false);
        }
        if approved {
            self.make_ready(job)?;
        } else {
            self.end(job, Outcome::Canceled(CancelReason::Rejected), now)?;
        }
        Ok(true)
    }

    /// Stops one job.
    pub fn stop_job(
        &mut self,
        job: JobId,
        stop: Stop,
        now: Duration,
    ) -> Result<(), IllegalTransition> {
        match self.state(job) {
            JobState::Done => Ok(()),
            JobState::Running => {
                self.demand(Notice::Stop(job, stop));
                Ok(())
            }
            _ => self.end(job, stop.outcome(), now),
        }
    }

    /// Stops the run: what has not begun will not, what runs is stopped. Teardown jobs still run,
    /// unless `teardown_too`.
    pub fn stop(
        &mut self,
        stop: Stop,
        teardown_too: bool,
        now: Duration,
    ) -> Result<(), IllegalTransition> {
        if self.stopped.is_none() {
            self.stopped = Some(stop);
            self.say(|| Notice::Stopping(stop));
        }
        for job in self.plan.dag.jobs() {
            if teardown_too || !self.plan.job(job).options.always {
                self.stop_job(job, stop, now)?;
            }
        }
        Ok(())
    }

    /// Time has come to `now`: does what is due.
    pub fn advance(&mut self, now: Duration) -> Result<(), IllegalTransition> {
        while let Some(timer) = self.timers.due(now) {
            match timer {
                Timer::Release(job) if self.state(job) == JobState::Waiting => {
                    if self.postponed.contains(&job) {
                        self.set(job, JobState::Ready)?;
                        self.enqueue(job);
                    } else {
                        self.make_ready(job)?;
                    }
                }
                Timer::Approval(job) if self.state(job) == JobState::Held => {
                    self.end(job, Outcome::TimedOut(TimeLimit::Approval), now)?;
                }
                Timer::Budget(stage) => self.over_budget(stage, now)?,
                Timer::Run if self.counts.undone > 0 => {
                    self.stop(Stop::Limit(TimeLimit::Workflow), false, now)?;
                }
                Timer::Release(_) | Timer::Approval(_) | Timer::Run => {}
            }
        }
        Ok(())
    }

    /// Gives up the held jobs that nobody has to wait for, if nothing else goes on by itself.
    pub fn skip_optional(&mut self, now: Duration) -> Result<(), IllegalTransition> {
        if !self.is_on_hold() {
            return Ok(());
        }
        let held = self
            .plan
            .dag
            .jobs()
            .filter(|job| self.state(*job) == JobState::Held);
        let optional: Vec<JobId> = held.filter(|job| !self.holds_run(*job)).collect();
        for job in &optional {
            self.end(
                *job,
                Outcome::Skipped("nobody started this manual job".into()),
                now,
            )?;
        }
        Ok(())
    }

    /// Says what happened, if somebody hears it.
    pub(super) fn say(&mut self, notice: impl FnOnce() -> Notice) {
        if self.heard {
            self.notices.push(notice());
        }
    }

    /// Says what is to be done.
    pub(super) fn demand(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    // ===== what is =====

    /// Swaps what people should hear and the driver has to do since the last call into `buffer`,
    /// which is empty: two buffers take turns and nothing is allocated.
    pub fn swap_notices(&mut self, buffer: &mut Vec<Notice>) {
        if !self.notices.is_empty() {
            std::mem::swap(&mut self.notices, buffer);
        }
    }

    /// The next moment at which [`advance`](Self::advance) has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// Whether every job has ended.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.counts.undone == 0
    }

    /// Whether the run was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Whether a held job is there that nobody has to wait for.
    #[must_use]
    pub fn has_optional(&self) -> bool {
        self.counts.held_optional > 0
    }

    /// Whether a timer was set since the last call.
    pub fn take_timer_changed(&mut self) -> bool {
        self.timers.take_changed()
    }

    /// Whether nothing goes on by itself and jobs are held.
    #[must_use]
    pub fn is_on_hold(&self) -> bool {
        self.counts.live == 0 && self.counts.held > 0
    }

    /// The state of a job.
    #[must_use]
    pub fn state(&self, job: JobId) -> JobState {
        self.states[job.index()]
    }

    /// How a job ended, as far as it has.
    #[must_use]
    pub fn record(&self, job: JobId) -> &JobEnd {
        &self.records[job.index()]
    }

    /// How the jobs ended, in the order of their ids, for who keeps that.
    #[must_use]
    pub fn into_records(self) -> Vec<JobEnd> {
        self.records
    }

    /// What each stage with a budget has spent, in the order of the budgets; `None` if it never began.
    pub fn spent(&self) -> impl Iterator<Item = Option<Duration>> {
        self.stages.spent()
    }

    /// The outcome of the run, as far as its jobs have ended.
    #[must_use]
    pub fn outcome(&self) -> OutcomeKind {
        let mut worst = OutcomeKind::Success;
        for job in self.plan.dag.jobs() {
            let record = &self.records[job.index()];
            let kind = match self.state(job) {
                JobState::Done if self.plan.job(job).tolerates(&record.outcome) => continue,
                JobState::Done => record.outcome.kind(),
                JobState::Held => OutcomeKind::OnHold,
                _ => continue,
            };
            if severity(kind) > severity(worst) {
                worst = kind;
            }
        }
        match (self.stopped, worst) {
            (Some(Stop::Limit(_)), _) => OutcomeKind::TimedOut,
            (Some(Stop::Cancel(CancelReason::FailFast)) | None, OutcomeKind::TimedOut) => {
                OutcomeKind::Failed
            }
            (Some(Stop::Cancel(CancelReason::FailFast)) | None, kind) => kind,
            (Some(Stop::Cancel(_)), _) => OutcomeKind::Canceled,
        }
    }
}

fn median(values: impl Iterator<Item = u32>) -> Option<u32> {
    let mut values: Vec<u32> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}
