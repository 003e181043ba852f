//! The driver: the one place that waits, and the workers that it keeps busy.
//!
//! A worker runs one job after the other. When a job ends it tells the machine and takes the next job
//! that may start itself, so that a chain of short jobs never leaves its thread; other jobs that may
//! start go to new workers. The driver only waits for what no worker sees: timers, requests from
//! outside, and the end.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::{IllegalTransition, Machine, Notice, Stop, Ticket};
use crate::clock::Clock;
use crate::id::JobId;
use crate::outcome::Verdict;

/// After so many jobs in a row a worker lets other tasks of its thread run.
const JOBS_BEFORE_YIELD: u32 = 128;

/// What the driver needs of the run around it.
pub(crate) trait Host: Send + Sync + 'static {
    /// Why a run cannot go on.
    type Error: From<IllegalTransition> + Send;
    /// What was recorded in one turn and is to be made known.
    type Receipt: Send;
    /// What a worker keeps from one job for the next.
    type Spare: Default + Send;

    /// Runs one attempt of a job to its end. The ticket's time is counted from `origin`.
    fn attempt(
        self: &Arc<Self>,
        ticket: Ticket,
        origin: Duration,
        spare: &mut Self::Spare,
    ) -> impl Future<Output = AttemptEnd> + Send;

    /// Takes note of what changed, in the order in which it did: called under the machine's lock, must
    /// not wait. `started` are the jobs that are about to start.
    fn record(
        self: &Arc<Self>,
        machine: &Machine,
        notices: &mut Vec<Notice>,
        started: &[Ticket],
    ) -> Option<Self::Receipt>;

    /// Makes known what was recorded once it is durable.
    fn publish(
        &self,
        receipt: Self::Receipt,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Hands a decision to a step of `job` that waits for one. False if none does: then it is kept for
    /// when the job is held or a step of it asks. Called under the machine's lock, must not wait.
    fn decide_step(&self, job: JobId, approved: bool, by: &str) -> bool;

    /// Says who decided about a job.
    fn decided(&self, job: JobId, approved: bool, by: &str) -> Option<Self::Receipt>;

    /// Whether a run in which only held jobs are left ends.
    fn ends_on_hold(&self) -> bool;

    /// A number in 0..1.
    fn random(&self) -> f64;
}

/// How an attempt of a job ended.
#[derive(Debug)]
pub(crate) enum AttemptEnd {
    /// It ran.
    Ended {
        /// How it ended.
        verdict: Verdict,
        /// When it began, counted like the ticket's time.
        begun: Duration,
    },
    /// It could not start; try again after the pause.
    Postponed(Duration),
}

/// What is asked of a run from outside its workers.
#[derive(Debug)]
pub(crate) enum Command {
    /// Stop the run; with `teardown_too` its teardown jobs as well.
    Stop { stop: Stop, teardown_too: bool },
    /// Stop a job.
    StopJob { job: JobId, stop: Stop },
    /// Decide about a held job or step.
    Decide {
        job: JobId,
        approved: bool,
        by: String,
    },
    /// A running job waits for a person.
    Pause,
    /// It goes on.
    Unpause,
}

/// A run that ended: its machine, or why it could not go on.
pub(crate) type Driven<E> = (Machine, Option<E>);

struct Drive<H: Host> {
    host: Arc<H>,
    clock: Clock,
    origin: Duration,
    wake: Notify,
    state: Mutex<State<H::Error>>,
}

struct State<E> {
    machine: Option<Machine>,
    notices: Vec<Notice>,
    started: Vec<Ticket>,
    workers: usize,
    failure: Option<E>,
}

/// What follows from one change of the machine.
struct Turn<R> {
    /// The first job that may start.
    next: Option<Ticket>,
    /// The others.
    others: Vec<Ticket>,
    receipt: Option<R>,
}

/// Drives the machine until every job has ended and every worker is idle.
pub(crate) async fn drive<H: Host>(
    host: Arc<H>,
    machine: Machine,
    clock: Clock,
    mut commands: mpsc::UnboundedReceiver<Command>,
) -> Option<Driven<H::Error>> {
    let drive = Arc::new(Drive {
        host,
        origin: clock.elapsed(),
        clock,
        wake: Notify::new(),
        state: Mutex::new(State {
            machine: Some(machine),
            notices: Vec::new(),
            started: Vec::new(),
            workers: 0,
            failure: None,
        }),
    });
    Arc::clone(&drive).turn_and_spawn(Machine::start).await;
    let mut open = true;
    loop {
        // Before anything ends on hold: it may be decided already.
        while let Ok(command) = commands.try_recv() {
            Arc::clone(&drive).obey(command).await;
        }
        let deadline = match drive.check() {
            Check::Over => break,
            Check::Failed => {
                Arc::clone(&drive)
                    .turn_and_spawn(|machine, now| {
                        machine.stop(
                            Stop::Cancel(crate::outcome::CancelReason::Shutdown),
                            true,
                            now,
                        )
                    })
                    .await;
                None
            }
            Check::Quiet => {
                Arc::clone(&drive)
                    .turn_and_spawn(Machine::skip_optional)
                    .await;
                continue;
            }
            Check::Goes(deadline) => deadline,
        };
        tokio::select! {
            biased;
            command = commands.recv(), if open => match command {
                Some(command) => Arc::clone(&drive).obey(command).await,
                None => open = false,
            },
            () = drive.wake.notified() => {}
            () = drive.sleep_until(deadline), if deadline.is_some() => {
                Arc::clone(&drive).turn_and_spawn(Machine::advance).await;
            }
        }
    }
    let mut state = drive.lock();
    let failure = state.failure.take();
    state.machine.take().map(|machine| (machine, failure))
}

enum Check {
    /// Every job has ended, or the run ends on hold, and no worker is busy.
    Over,
    /// The run cannot go on and has not been stopped.
    Failed,
    /// Only jobs are left for which nobody has to wait.
    Quiet,
    /// It goes on; the next timer is at this moment.
    Goes(Option<Duration>),
}

impl<H: Host> Drive<H> {
    fn lock(&self) -> MutexGuard<'_, State<H::Error>> {
        // A panic in a transition leaves at worst one job in a wrong state; the others can still end.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.clock.elapsed().saturating_sub(self.origin)
    }

    async fn sleep_until(&self, deadline: Option<Duration>) {
        if let Some(deadline) = deadline {
            self.clock.sleep_until(self.origin + deadline).await;
        }
    }

    fn check(&self) -> Check {
        let state = self.lock();
        let Some(machine) = &state.machine else {
            return Check::Over;
        };
        if state.workers == 0 && (machine.is_done() || state.failure.is_some()) {
            return Check::Over;
        }
        if state.failure.is_some() && !machine.is_stopped() {
            return Check::Failed;
        }
        if machine.is_on_hold() {
            if machine.has_optional() {
                return Check::Quiet;
            }
            if state.workers == 0 && self.host.ends_on_hold() {
                return Check::Over;
            }
        }
        Check::Goes(machine.next_deadline())
    }

    async fn obey(self: Arc<Self>, command: Command) {
        match command {
            Command::Stop { stop, teardown_too } => {
                self.turn_and_spawn(|machine, now| machine.stop(stop, teardown_too, now))
                    .await;
            }
            Command::StopJob { job, stop } => {
                self.turn_and_spawn(|machine, now| machine.stop_job(job, stop, now))
                    .await;
            }
            Command::Decide { job, approved, by } => self.decide(job, approved, &by).await,
            Command::Pause => {
                self.turn_and_spawn(|machine, _| {
                    machine.pause();
                    Ok(())
                })
                .await;
            }
            Command::Unpause => {
                self.turn_and_spawn(|machine, _| {
                    machine.unpause();
                    Ok(())
                })
                .await;
            }
        }
    }

    async fn decide(self: Arc<Self>, job: JobId, approved: bool, by: &str) {
        let (held, taken) = {
            let state = self.lock();
            let held = state
                .machine
                .as_ref()
                .is_some_and(|machine| machine.state(job) == super::JobState::Held);
            let taken = !held && self.host.decide_step(job, approved, by);
            (held, taken)
        };
        if held {
            // The decision is durable before the job it lets go.
            if let Some(receipt) = self.host.decided(job, approved, by) {
                self.publish(receipt).await;
            }
            self.turn_and_spawn(|machine, now| machine.decide(job, approved, now).map(drop))
                .await;
        } else if taken && let Some(receipt) = self.host.decided(job, approved, by) {
            self.publish(receipt).await;
        }
    }

    fn turn(
        &self,
        change: impl FnOnce(&mut Machine, Duration) -> Result<(), IllegalTransition>,
    ) -> Turn<H::Receipt> {
        self.turn_with(0, change)
    }

    /// Changes the machine, takes what may start now, and records both. `ended` workers' jobs are
    /// done with it, unless there is something to publish first.
    fn turn_with(
        &self,
        ended: usize,
        change: impl FnOnce(&mut Machine, Duration) -> Result<(), IllegalTransition>,
    ) -> Turn<H::Receipt> {
        let now = self.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        let mut turn = Turn {
            next: None,
            others: Vec::new(),
            receipt: None,
        };
        let Some(machine) = &mut state.machine else {
            return turn;
        };
        let mut result = change(machine, now);
        while result.is_ok() && state.failure.is_none() {
            match machine.pop(now) {
                Ok(Some(ticket)) => state.started.push(ticket),
                Ok(None) => break,
                Err(illegal) => result = Err(illegal),
            }
        }
        state.workers += state.started.len();
        machine.swap_notices(&mut state.notices);
        turn.receipt = self
            .host
            .record(machine, &mut state.notices, &state.started);
        state.notices.clear();
        let mut started = state.started.drain(..);
        turn.next = started.next();
        turn.others.extend(started);
        // What no worker sees may have changed: the next timer, or that nothing goes on by itself.
        let mut wake = machine.take_timer_changed() || machine.is_done() || machine.is_on_hold();
        if turn.receipt.is_none() {
            state.workers -= ended;
            wake |= ended > 0 && state.workers == 0;
        }
        if let Err(illegal) = result {
            state.failure.get_or_insert(illegal.into());
            wake = true;
        }
        drop(guard);
        if wake {
            self.wake.notify_one();
        }
        turn
    }

    async fn turn_and_spawn(
        self: Arc<Self>,
        change: impl FnOnce(&mut Machine, Duration) -> Result<(), IllegalTransition>,
    ) {
        let turn = self.turn(change);
        if let Some(receipt) = turn.receipt {
            self.publish(receipt).await;
        }
        for ticket in turn.next.into_iter().chain(turn.others) {
            self.spawn(ticket);
        }
    }

    async fn publish(&self, receipt: H::Receipt) {
        if let Err(failure) = self.host.publish(receipt).await {
            self.lock().failure.get_or_insert(failure);
            self.wake.notify_one();
        }
    }

    fn spawn(self: &Arc<Self>, ticket: Ticket) {
        tokio::spawn(work(Arc::clone(self), ticket));
    }
}

/// Runs jobs one after the other until none may start.
async fn work<H: Host>(drive: Arc<Drive<H>>, first: Ticket) {
    let mut next = Some(first);
    let mut since_yield = 0;
    let mut spare = H::Spare::default();
    while let Some(ticket) = next {
        let end = drive.host.attempt(ticket, drive.origin, &mut spare).await;
        let turn = drive.turn_with(1, |machine, now| match end {
            AttemptEnd::Ended { verdict, begun } => {
                let (spent, random) = (now.saturating_sub(begun), || drive.host.random());
                machine.finish(ticket.job, verdict.into(), spent, now, random)
            }
            AttemptEnd::Postponed(pause) => machine.postpone(ticket.job, pause, now),
        });
        next = turn.next;
        if let Some(receipt) = turn.receipt {
            let leaving = Leaving(&drive);
            drive.publish(receipt).await;
            drop(leaving);
            // Publishing took time that is not the job's.
            let now = drive.now();
            next = next.map(|ticket| Ticket { at: now, ..ticket });
        }
        for ticket in turn.others {
            drive.spawn(ticket);
        }
        since_yield += 1;
        if since_yield == JOBS_BEFORE_YIELD {
            since_yield = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Counts a job as done when its end has been published, also if publishing panics: only then may the
/// run be over.
struct Leaving<'a, H: Host>(&'a Drive<H>);

impl<H: Host> Drop for Leaving<'_, H> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.workers -= 1;
        let idle = state.workers == 0;
        drop(state);
        if idle {
            self.0.wake.notify_one();
        }
    }
}
