//! How jobs change their state: the one place that does it, and what follows for others.

use std::sync::Arc;
use std::time::Duration;

use super::machine::Machine;
use super::notice::{Notice, Stop};
use super::state::{IllegalTransition, JobState};
use super::timers::Timer;
use crate::graph::Edge;
use crate::id::JobId;
use crate::job::Start;
use crate::outcome::{CancelReason, Outcome, OutcomeKind, OutcomeSet, TimeLimit};

impl Machine {
    /// The one place where a job changes its state.
    pub(super) fn set(&mut self, job: JobId, to: JobState) -> Result<(), IllegalTransition> {
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
    pub(super) fn unblock(&mut self, job: JobId, now: Duration) -> Result<(), IllegalTransition> {
        if let Some(why) = self.plan.skipped.get(&job) {
            let why = Arc::clone(why);
            return self.end(job, Outcome::Skipped(why), now);
        }
        let options = &self.plan.jobs[job.index()].options;
        if let Some(stop) = self.stopped.filter(|_| !options.always) {
            return self.end(job, stop.outcome(), now);
        }
        if options.only_after_failure && !self.saw_failure.contains(&job) {
            return self.end(job, no_failure(), now);
        }
        self.open(job, now)
    }

    /// Nothing speaks against the job: it starts as it is meant to start.
    fn open(&mut self, job: JobId, now: Duration) -> Result<(), IllegalTransition> {
        match &self.plan.jobs[job.index()].options.start {
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
                self.demand(Notice::Held(job));
                Ok(())
            }
        }
    }

    pub(super) fn make_ready(&mut self, job: JobId) -> Result<(), IllegalTransition> {
        self.set(job, JobState::Ready)?;
        self.enqueue(job);
        self.say(|| Notice::Ready(job));
        Ok(())
    }

    pub(super) fn enqueue(&mut self, job: JobId) {
        let priority = self.plan.jobs[job.index()].options.priority;
        self.ready.push(job, priority, self.ranks[job.index()]);
    }

    pub(super) fn wait_until(
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
        self.say(|| Notice::Delayed(job, now + pause));
        Ok(())
    }

    /// A running job gives back its slot and what else it holds.
    pub(super) fn release(&mut self, job: JobId) {
        self.free_slots += 1;
        let mut woken = Vec::new();
        self.resources.give(job, |waiting| woken.push(waiting));
        for waiting in woken {
            self.enqueue(waiting);
        }
    }

    /// A job ends, and with it those that cannot run any more. A list instead of recursion: a chain
    /// may be a million jobs long.
    pub(super) fn end(
        &mut self,
        job: JobId,
        outcome: Outcome,
        now: Duration,
    ) -> Result<(), IllegalTransition> {
        self.mark_done(job, outcome, now)?;
        if self.waiting[job.index()] == 0 {
            self.settle_dependents(job, now)?;
        }
        if std::mem::take(&mut self.stop_due) {
            self.stop(Stop::Cancel(CancelReason::FailFast), false, now)?;
        }
        Ok(())
    }

    /// Tells those who wait for a job that it has ended, and all that it waits for. One that ended before
    /// those, because it cannot run any more, is told of when they have: else a teardown would run
    /// beside what it tears down.
    pub(super) fn settle_dependents(
        &mut self,
        job: JobId,
        now: Duration,
    ) -> Result<(), IllegalTransition> {
        let mut ended = std::mem::take(&mut self.ended);
        ended.push(job);
        while let Some(job) = ended.pop() {
            let outcome = &self.records[job.index()].outcome;
            let kind = outcome.kind();
            let as_success = self.plan.job(job).tolerates(outcome);
            let failed = !as_success && severity(kind) >= severity(OutcomeKind::TimedOut);
            for at in 0..self.plan.dag.edges(job).len() {
                let Edge { to, accept } = self.plan.dag.edges(job)[at];
                if failed && self.plan.job(to).options.only_after_failure {
                    self.saw_failure.insert(to);
                }
                let count = &mut self.waiting[to.index()];
                *count = count.saturating_sub(1);
                let free = *count == 0;
                match self.state(to) {
                    JobState::Blocked => {}
                    JobState::Done if free => {
                        ended.push(to);
                        continue;
                    }
                    _ => continue,
                }
                let accepted =
                    accept.contains(kind) || (as_success && accept.contains(OutcomeKind::Success));
                // What is on hold has not ended: nothing that waits for it may decide without it.
                let on_hold = kind == OutcomeKind::OnHold && self.stopped.is_none();
                if accepted && !free && !on_hold {
                    continue;
                }
                if let Some(outcome) = self.verdict(to, job, accepted, accept) {
                    self.mark_done(to, outcome, now)?;
                    if free {
                        ended.push(to);
                    }
                } else {
                    self.open(to, now)?;
                }
            }
        }
        self.ended = ended;
        Ok(())
    }

    /// How a job ends without running, after `dependency` ended; `None` if it may go on.
    pub(super) fn verdict(
        &self,
        job: JobId,
        dependency: JobId,
        accepted: bool,
        accept: OutcomeSet,
    ) -> Option<Outcome> {
        let plan = &self.plan;
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
            let fits = !plan.job(job).options.only_after_failure || self.saw_failure.contains(&job);
            return (!fits).then(no_failure);
        }
        let name = &plan.job(dependency).name;
        let wanted: Vec<_> = accept.iter().map(OutcomeKind::as_str).collect();
        let words = format!(
            "`{name}` ended as {kind}, and this needs {}",
            wanted.join(" or ")
        );
        Some(Outcome::NotRun(words.into()))
    }

    pub(super) fn mark_done(
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
        self.stages.ended(job, now);
        let fails = self.fail_fast
            && self.stopped.is_none()
            && matches!(severity(outcome.kind()), 2..)
            && !self.plan.job(job).tolerates(&outcome);
        self.records[job.index()].outcome = outcome;
        self.say(|| Notice::Done(job));
        if fails {
            // The jobs that depend on this one are being walked: the others are stopped after that.
            self.stop_due = true;
        }
        Ok(())
    }

    pub(super) fn holds_run(&self, job: JobId) -> bool {
        !matches!(
            self.plan.job(job).options.start,
            Start::Manual { optional: true, .. }
        )
    }

    /// The time budget of a stage is over.
    pub(super) fn over_budget(
        &mut self,
        index: u32,
        now: Duration,
    ) -> Result<(), IllegalTransition> {
        let Some(jobs) = self.stages.over(index) else {
            return Ok(());
        };
        self.demand(Notice::OverBudget(index as usize));
        for job in jobs {
            self.stop_job(job, Stop::Limit(TimeLimit::Budget), now)?;
        }
        Ok(())
    }
}

/// How a job ends that runs only after a failure, when nothing that it needs failed.
fn no_failure() -> Outcome {
    Outcome::Skipped("no job that it needs failed".into())
}

/// How bad an outcome is for the run.
pub(super) fn severity(kind: OutcomeKind) -> u8 {
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
