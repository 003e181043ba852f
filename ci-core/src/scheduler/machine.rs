//! The state of all jobs of a run: told what happened, it answers with what may start.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::ready::ReadyQueue;
use super::resources::{Demand, Pool, Resources, Taken};
use super::state::{IllegalTransition, JobState};
use super::timers::{Timer, Timers};
use crate::id::JobId;
use crate::job::Start;
use crate::outcome::{CancelReason, Outcome, OutcomeKind, OutcomeSet, TimeLimit};
use crate::workflow::{OverBudget, Plan};

/// A pure state machine over the jobs of a plan. Times are counted from the start of the run.
#[derive(Debug)]
pub struct Machine {
    plan: Arc<Plan>,
    ranks: Vec<u32>,
    states: Vec<JobState>,
    /// On how many edges each job still waits.
    waiting: Vec<u32>,
    records: Vec<JobEnd>,
    ready: ReadyQueue,
    timers: Timers,
    resources: Resources,
    stages: Vec<Stage>,
    stage_of: HashMap<JobId, u32>,
    /// Slots that are free; below zero for a moment when a paused job goes on.
    free_slots: i64,
    counts: Counts,
    stopped: Option<Stop>,
    fail_fast: bool,
    /// A failure of a fail-fast run was seen and the run is not stopped yet.
    stop_due: bool,
    notices: Vec<Notice>,
}

/// How a job ended, and what it took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobEnd {
    /// How it ended; meaningful once it has.
    pub outcome: Outcome,
    /// How many attempts began.
    pub attempts: u32,
    /// How long the attempts took together.
    pub spent: Duration,
}

/// How many jobs are in the states that decide whether the run goes on.
#[derive(Debug, Default)]
struct Counts {
    undone: usize,
    /// Ready, running or waiting: jobs that will go on by themselves.
    live: usize,
    held: usize,
    held_optional: usize,
}

/// A stage with a time budget.
#[derive(Debug)]
struct Stage {
    limit: Duration,
    over: OverBudget,
    started: Option<Duration>,
    ended: Duration,
    undone: usize,
}

/// What a machine is told about its surroundings.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// How many jobs run at once.
    pub slots: usize,
    /// What there is of processors and memory.
    pub capacity: Demand,
    /// What each job takes of it; jobs that are not named take nothing.
    pub demands: HashMap<JobId, Demand>,
    /// Groups and limits of executors.
    pub pools: Vec<Pool>,
    /// How long each job usually takes, in milliseconds; for the critical path.
    pub history: HashMap<JobId, u32>,
    /// Whether the first failure stops the run.
    pub fail_fast: bool,
    /// The time limit of the run.
    pub timeout: Option<Duration>,
    /// The time budgets of stages.
    pub budgets: Vec<crate::workflow::Budget>,
}

impl Limits {
    /// `slots` jobs at once and no other limit.
    #[must_use]
    pub fn slots(slots: usize) -> Self {
        Self {
            slots: slots.max(1),
            capacity: Demand::NONE,
            demands: HashMap::new(),
            pools: Vec::new(),
            history: HashMap::new(),
            fail_fast: false,
            timeout: None,
            budgets: Vec::new(),
        }
    }
}

/// Leave to run an attempt of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The job.
    pub job: JobId,
    /// Counts from 1.
    pub attempt: u32,
    /// When it was given.
    pub at: Duration,
}

/// Why something is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Somebody or something asked.
    Cancel(CancelReason),
    /// A time limit ran out.
    Limit(TimeLimit),
}

impl Stop {
    /// The outcome of what was stopped.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Cancel(reason) => Outcome::Canceled(reason),
            Self::Limit(limit) => Outcome::TimedOut(limit),
        }
    }
}

/// Something that people should hear, or that the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The job waits for a slot.
    Ready(JobId),
    /// The job waits for an approval.
    Held(JobId),
    /// The job waits until this moment.
    Delayed(JobId, Duration),
    /// The job waits for something that others hold.
    Lacks(JobId, String),
    /// The attempt failed; another starts after the pause.
    Retrying {
        /// The job.
        job: JobId,
        /// The attempt that failed.
        attempt: u32,
        /// How.
        outcome: Outcome,
        /// The pause.
        delay: Duration,
    },
    /// The job ended for good.
    Done(JobId),
    /// To do: stop the running attempt of this job.
    Stop(JobId, Stop),
    /// The stage (by its place among the budgets) is over its budget.
    OverBudget(usize),
    /// The run is stopped.
    Stopping(Stop),
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
        let mut stage_of = HashMap::new();
        let mut stages = Vec::new();
        for (index, budget) in (0u32..).zip(&limits.budgets) {
            let members = plan
                .dag
                .jobs()
                .filter(|job| plan.job(*job).options.stage.as_ref() == Some(&budget.stage));
            let before = stage_of.len();
            stage_of.extend(members.map(|job| (job, index)));
            stages.push(Stage {
                limit: budget.limit,
                over: budget.over,
                started: None,
                ended: Duration::ZERO,
                undone: stage_of.len() - before,
            });
        }
        let mut timers = Timers::default();
        if let Some(limit) = limits.timeout {
            timers.set(limit, Timer::Run);
        }
        Self {
            ranks,
            states: vec![JobState::Blocked; jobs],
            waiting: plan.dag.jobs().map(|job| plan.dag.in_degree(job)).collect(),
            records: vec![JobEnd::default(); jobs],
            ready: ReadyQueue::default(),
            timers,
            resources: Resources::new(limits.capacity, limits.demands, limits.pools),
            stages,
            stage_of,
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
            notices: Vec::new(),
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
        let restored: Vec<JobId> = self
            .plan
            .dag
            .jobs()
            .filter(|job| self.state(*job) == JobState::Done)
            .collect();
        let free: Vec<JobId> = self
            .plan
            .dag
            .jobs()
            .filter(|job| self.plan.dag.in_degree(*job) == 0)
            .collect();
        for job in restored {
            self.settle_dependents(job, now)?;
        }
        for job in free {
            if self.state(job) == JobState::Blocked {
                self.unblock(job, now)?;
            }
        }
        Ok(())
    }

    /// The next job to run, if a slot and what it needs are free.
    pub fn pop(&mut self, now: Duration) -> Result<Option<Ticket>, IllegalTransition> {
        while self.free_slots > 0 {
            let Some(job) = self.ready.pop() else {
                return Ok(None);
            };
            if self.state(job) != JobState::Ready {
                continue;
            }
            if let Taken::Lacks(what) = self.resources.take(job) {
                self.notices.push(Notice::Lacks(job, what));
                continue;
            }
            self.set(job, JobState::Running)?;
            self.free_slots -= 1;
            let record = &mut self.records[job.index()];
            record.attempts += 1;
            let attempt = record.attempts;
            self.stage_started(job, now);
            return Ok(Some(Ticket {
                job,
                attempt,
                at: now,
            }));
        }
        Ok(None)
    }

    /// An attempt of a running job ended. `random` in 0..1 chooses the jitter of a pause.
    pub fn finish(
        &mut self,
        job: JobId,
        outcome: Outcome,
        spent: Duration,
        now: Duration,
        random: f64,
    ) -> Result<(), IllegalTransition> {
        self.release(job);
        let record = &mut self.records[job.index()];
        record.spent += spent;
        let attempt = record.attempts;
        let retry = &self.plan.jobs[job.index()].options.retry;
        if retry.max > 0 && self.stopped.is_none() && retry.wants(&outcome, attempt) {
            let delay = retry.backoff.delay(attempt, random);
            self.notices.push(Notice::Retrying {
                job,
                attempt,
                outcome,
                delay,
            });
            return self.wait_until(job, now, delay);
        }
        self.end(job, outcome, now)
    }

    /// A job that was popped cannot start after all: another process holds what it needs. The attempt
    /// does not count, and the job tries again after `pause`.
    pub fn postpone(
        &mut self,
        job: JobId,
        pause: Duration,
        now: Duration,
    ) -> Result<(), IllegalTransition> {
        self.release(job);
        let record = &mut self.records[job.index()];
        record.attempts = record.attempts.saturating_sub(1);
        match self.stopped {
            Some(stop) if !self.plan.job(job).options.always => self.end(job, stop.outcome(), now),
            _ => self.wait_until(job, now, pause.max(Duration::from_millis(1))),
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
                self.notices.push(Notice::Stop(job, stop));
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
            self.notices.push(Notice::Stopping(stop));
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
                    self.make_ready(job)?;
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

    // ===== what is =====

    /// Swaps what people should hear and the driver has to do since the last call into `buffer`,
    /// which is empty: two buffers take turns and nothing is allocated.
    pub fn swap_notices(&mut self, buffer: &mut Vec<Notice>) {
        std::mem::swap(&mut self.notices, buffer);
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

    /// What each stage with a budget has spent, in the order of the budgets; `None` if it never began.
    pub fn spent(&self) -> impl Iterator<Item = Option<Duration>> {
        self.stages.iter().map(|stage| {
            stage
                .started
                .map(|started| stage.ended.saturating_sub(started))
        })
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

    // ===== how =====

    /// The one place where a job changes its state.
    fn set(&mut self, job: JobId, to: JobState) -> Result<(), IllegalTransition> {
        let from = std::mem::replace(&mut self.states[job.index()], to);
        if !from.may_become(to) {
            self.states[job.index()] = from;
            return Err(IllegalTransition { from, to });
        }
        let live = |state| {
            matches!(
                state,
                JobState::Ready | JobState::Running | JobState::Waiting
            )
        };
        self.counts.live += usize::from(live(to));
        self.counts.live -= usize::from(live(from));
        if to == JobState::Held || from == JobState::Held {
            let optional = usize::from(!self.holds_run(job));
            let (held, all) = (&mut self.counts.held_optional, &mut self.counts.held);
            if to == JobState::Held {
                (*held, *all) = (*held + optional, *all + 1);
            } else {
                (*held, *all) = (*held - optional, *all - 1);
            }
        }
        self.counts.undone -= usize::from(to == JobState::Done);
        Ok(())
    }

    /// The dependencies of a job allow it.
    fn unblock(&mut self, job: JobId, now: Duration) -> Result<(), IllegalTransition> {
        if let Some(why) = self.plan.skipped.get(&job) {
            let why = Arc::clone(why);
            return self.end(job, Outcome::Skipped(why), now);
        }
        let options = &self.plan.jobs[job.index()].options;
        if let Some(stop) = self.stopped.filter(|_| !options.always) {
            return self.end(job, stop.outcome(), now);
        }
        match &options.start {
            Start::Auto => self.make_ready(job),
            Start::Delayed(delay) => {
                let delay = *delay;
                self.wait_until(job, now, delay)
            }
            Start::Manual { deadline, .. } => {
                if let Some(limit) = deadline {
                    self.timers.set(now + *limit, Timer::Approval(job));
                }
                self.set(job, JobState::Held)?;
                self.notices.push(Notice::Held(job));
                Ok(())
            }
        }
    }

    fn make_ready(&mut self, job: JobId) -> Result<(), IllegalTransition> {
        self.set(job, JobState::Ready)?;
        self.enqueue(job);
        self.notices.push(Notice::Ready(job));
        Ok(())
    }

    fn enqueue(&mut self, job: JobId) {
        let priority = self.plan.jobs[job.index()].options.priority;
        self.ready.push(job, priority, self.ranks[job.index()]);
    }

    fn wait_until(
        &mut self,
        job: JobId,
        now: Duration,
        pause: Duration,
    ) -> Result<(), IllegalTransition> {
        if pause.is_zero() {
            return self.make_ready(job);
        }
        self.set(job, JobState::Waiting)?;
        self.timers.set(now + pause, Timer::Release(job));
        self.notices.push(Notice::Delayed(job, now + pause));
        Ok(())
    }

    /// A running job gives back its slot and what else it holds.
    fn release(&mut self, job: JobId) {
        self.free_slots += 1;
        let mut woken = Vec::new();
        self.resources.give(job, |waiting| woken.push(waiting));
        for waiting in woken {
            self.enqueue(waiting);
        }
    }

    /// A job ends, and with it those that cannot run any more. A list instead of recursion: a chain
    /// may be a million jobs long.
    fn end(
        &mut self,
        job: JobId,
        outcome: Outcome,
        now: Duration,
    ) -> Result<(), IllegalTransition> {
        self.mark_done(job, outcome, now)?;
        self.settle_dependents(job, now)?;
        if std::mem::take(&mut self.stop_due) {
            self.stop(Stop::Cancel(CancelReason::FailFast), false, now)?;
        }
        Ok(())
    }

    fn settle_dependents(&mut self, job: JobId, now: Duration) -> Result<(), IllegalTransition> {
        let plan = Arc::clone(&self.plan);
        let mut ended = vec![job];
        while let Some(job) = ended.pop() {
            let spec = plan.job(job);
            let outcome = &self.records[job.index()].outcome;
            let kind = outcome.kind();
            let as_success = spec.tolerates(outcome);
            for edge in plan.dag.edges(job) {
                let to = edge.to;
                let count = &mut self.waiting[to.index()];
                *count = count.saturating_sub(1);
                let free = *count == 0;
                if self.state(to) != JobState::Blocked {
                    continue;
                }
                let accepted = edge.accept.contains(kind)
                    || (as_success && edge.accept.contains(OutcomeKind::Success));
                // What is on hold has not ended: nothing that waits for it may decide without it.
                let on_hold = kind == OutcomeKind::OnHold;
                if accepted && !free && !on_hold {
                    continue;
                }
                if let Some(outcome) = self.verdict(&plan, to, job, accepted, edge.accept) {
                    self.mark_done(to, outcome, now)?;
                    ended.push(to);
                } else {
                    self.unblock(to, now)?;
                }
            }
        }
        Ok(())
    }

    /// How a job ends without running, after `dependency` ended; `None` if it may go on.
    fn verdict(
        &self,
        plan: &Plan,
        job: JobId,
        dependency: JobId,
        accepted: bool,
        accept: OutcomeSet,
    ) -> Option<Outcome> {
        if let Some(why) = plan.skipped.get(&job) {
            return Some(Outcome::Skipped(Arc::clone(why)));
        }
        if let Some(stop) = self.stopped.filter(|_| !plan.job(job).options.always) {
            return Some(stop.outcome());
        }
        let kind = self.records[dependency.index()].outcome.kind();
        if kind == OutcomeKind::OnHold && self.stopped.is_none() {
            return Some(Outcome::OnHold);
        }
        if accepted {
            return None;
        }
        let name = &plan.job(dependency).name;
        let wanted: Vec<_> = accept.iter().map(OutcomeKind::as_str).collect();
        let words = format!(
            "`{name}` ended as {kind}, and this needs {}",
            wanted.join(" or ")
        );
        Some(Outcome::NotRun(words.into()))
    }

    fn mark_done(
        &mut self,
        job: JobId,
        outcome: Outcome,
        now: Duration,
    ) -> Result<(), IllegalTransition> {
        if self.state(job) == JobState::Ready {
            let mut woken = Vec::new();
            self.resources.forget(job, |waiting| woken.push(waiting));
            for waiting in woken {
                self.enqueue(waiting);
            }
        }
        self.set(job, JobState::Done)?;
        self.stage_ended(job, now);
        let fails = self.fail_fast
            && self.stopped.is_none()
            && matches!(severity(outcome.kind()), 2..)
            && !self.plan.job(job).tolerates(&outcome);
        self.records[job.index()].outcome = outcome;
        self.notices.push(Notice::Done(job));
        if fails {
            // The jobs that depend on this one are being walked: the others are stopped after that.
            self.stop_due = true;
        }
        Ok(())
    }

    fn holds_run(&self, job: JobId) -> bool {
        !matches!(
            self.plan.job(job).options.start,
            Start::Manual { optional: true, .. }
        )
    }

    fn stage_started(&mut self, job: JobId, now: Duration) {
        let Some(index) = self.stage_of.get(&job).copied() else {
            return;
        };
        let stage = &mut self.stages[index as usize];
        if stage.started.is_none() {
            stage.started = Some(now);
            self.timers.set(now + stage.limit, Timer::Budget(index));
        }
    }

    fn stage_ended(&mut self, job: JobId, now: Duration) {
        let Some(index) = self.stage_of.get(&job).copied() else {
            return;
        };
        let stage = &mut self.stages[index as usize];
        stage.ended = now;
        stage.undone = stage.undone.saturating_sub(1);
    }

    fn over_budget(&mut self, index: u32, now: Duration) -> Result<(), IllegalTransition> {
        let stage = &self.stages[index as usize];
        if stage.undone == 0 {
            return Ok(());
        }
        self.notices.push(Notice::OverBudget(index as usize));
        if stage.over == OverBudget::Fail {
            let members = self.stage_of.iter().filter(|(_, stage)| **stage == index);
            let mut members: Vec<JobId> = members.map(|(job, _)| *job).collect();
            members.sort_unstable();
            for job in members {
                self.stop_job(job, Stop::Limit(TimeLimit::Budget), now)?;
            }
        }
        Ok(())
    }
}

/// How bad an outcome is for the run.
fn severity(kind: OutcomeKind) -> u8 {
    match kind {
        OutcomeKind::Success | OutcomeKind::Skipped | OutcomeKind::NotRun => 0,
        OutcomeKind::OnHold => 1,
        OutcomeKind::Canceled => 2,
        OutcomeKind::TimedOut => 3,
        OutcomeKind::Failed => 4,
        OutcomeKind::Interrupted => 5,
        OutcomeKind::InfrastructureFailure => 6,
    }
}

fn median(values: impl Iterator<Item = u32>) -> Option<u32> {
    let mut values: Vec<u32> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}
