//! The driver: the one place that waits, and the workers that it keeps busy.
//!
//! A worker runs one job after the other. When a job ends it tells the machine and takes the next job
//! that may start itself, so that a chain of short jobs never leaves its thread; other jobs that may
//! start go to new workers. The driver only waits for what no worker sees: timers, requests from
//! outside, and the end.
//!
//! What happened is made known when it is durable, and a job that could not start before it happened
//! waits for that. One that has long been ready and only wanted for a worker begins meanwhile: nothing
//! of what is on its way to the disk let it go.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::{IllegalTransition, Machine, Notice, Stop, Ticket};
use crate::clock::Clock;
use crate::id::JobId;
use crate::outcome::Verdict;

/// How long ago the last commit may lie for a job to begin before the next: it says that the run is still
/// this process's. Who was away for longer may have lost it.
const FRESH: Duration = Duration::from_secs(1);

/// What the driver needs of the run around it.
pub(crate) trait Host: Send + Sync + 'static {
    /// Why a run cannot go on.
    type Error: From<IllegalTransition> + Send;
    /// What was recorded in one turn and is to be made known.
    type Receipt: Send;
    /// What a worker keeps from one job for the next.
    type Spare: Default + Send;

    /// Runs one attempt of a job to its end. The ticket's time, which is counted from `origin`, is moved
    /// to when the attempt began if something had to be waited for.
    fn attempt(
        self: &Arc<Self>,
        ticket: &mut Ticket,
        origin: Duration,
        spare: &mut Self::Spare,
    ) -> impl Future<Output = AttemptEnd> + Send;

    /// Takes note of what changed, in the order in which it did: called under the machine's lock, must
    /// not wait. `started` are the jobs that are about to start.
    fn record(
        self: &Arc<Self>,
        machine: &Machine,
        notices: &mut Vec<Notice>,
        started: &Started,
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

    /// Looks once more for what others asked, before a run ends on hold. True if somebody did.
    fn look_again(&self) -> impl Future<Output = bool> + Send;

    /// A number in 0..1.
    fn random(&self) -> f64;
}

/// How an attempt of a job ended. Two words, which come back in registers: what is written to memory in
/// parts and read at once as a whole has the processor wait.
#[derive(Debug)]
pub(crate) enum AttemptEnd {
    /// It ran.
    Ended(Verdict),
    /// It could not start.
    Postponed(Box<Lack>),
}

/// What an attempt could not start for want of, as others hold it.
#[derive(Debug)]
pub(crate) struct Lack {
    /// In words.
    pub(crate) what: String,
    /// When to try again.
    pub(crate) pause: Duration,
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

pub(super) struct Drive<H: Host> {
    pub(super) host: Arc<H>,
    clock: Clock,
    pub(super) origin: Duration,
    pub(super) wake: Notify,
    state: Mutex<State<H::Error>>,
}

pub(super) struct State<E> {
    machine: Option<Machine>,
    notices: Vec<Notice>,
    pub(super) workers: usize,
    failure: Option<E>,
    /// How many turns there were.
    turns: u64,
    /// The last turn of which all is known, and of all before it.
    known: u64,
    /// When it became known.
    known_at: Duration,
    /// By job, the turn in which it last became ready.
    ready_in: Vec<u64>,
}

/// The jobs that may start after one change of the machine. Mostly there is one at most, and nothing is
/// allocated.
#[derive(Debug, Default)]
pub(crate) struct Started {
    pub(super) first: Option<Ticket>,
    pub(super) others: Vec<Ticket>,
}

impl Started {
    pub(super) fn one(ticket: Ticket) -> Self {
        Self {
            first: Some(ticket),
            others: Vec::new(),
        }
    }

    fn push(&mut self, ticket: Ticket) {
        if self.first.is_none() {
            self.first = Some(ticket);
        } else {
            self.others.push(ticket);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Ticket> {
        self.first.iter().chain(&self.others)
    }
}

/// What follows from one change of the machine, besides the jobs that may start.
pub(super) struct Turn<R> {
    pub(super) number: u64,
    /// Whether the first of those jobs need not wait until this turn is known.
    pub(super) is_free: bool,
    pub(super) receipt: Option<R>,
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
            workers: 0,
            failure: None,
            turns: 0,
            known: 0,
            known_at: Duration::ZERO,
            ready_in: Vec::new(),
        }),
    });
    // A run that was stopped before it began begins nothing but its teardown.
    let (mut stops, mut asked) = (Vec::new(), Vec::new());
    while let Ok(command) = commands.try_recv() {
        match command {
            Command::Stop { stop, teardown_too } => stops.push((stop, teardown_too)),
            command => asked.push(command),
        }
    }
    let start = |machine: &mut Machine, now| {
        machine.start(now)?;
        let mut stops = stops.into_iter();
        stops.try_for_each(|(stop, teardown_too)| machine.stop(stop, teardown_too, now))
    };
    Arc::clone(&drive).turn_and_spawn(start).await;
    for command in asked {
        Arc::clone(&drive).obey(command).await;
    }
    let mut open = true;
    loop {
        // Before anything ends on hold: it may be decided already.
        while let Ok(command) = commands.try_recv() {
            Arc::clone(&drive).obey(command).await;
        }
        let deadline = match drive.check() {
            Check::Over => break,
            Check::OnHold => {
                // Somebody may also have asked while it looked.
                if drive.host.look_again().await || !commands.is_empty() {
                    continue;
                }
                break;
            }
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
    /// Every job has ended, and no worker is busy.
    Over,
    /// The run ends on hold.
    OnHold,
    /// The run cannot go on and has not been stopped.
    Failed,
    /// Only jobs are left for which nobody has to wait.
    Quiet,
    /// It goes on; the next timer is at this moment.
    Goes(Option<Duration>),
}

impl<H: Host> Drive<H> {
    pub(super) fn lock(&self) -> MutexGuard<'_, State<H::Error>> {
        // A panic in a transition leaves at worst one job in a wrong state; the others can still end.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Duration {
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
                return Check::OnHold;
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

    /// Changes the machine, puts what may start now into `started`, and records both. `ended` workers'
    /// jobs are done with it, unless there is something to publish first.
    pub(super) fn turn(
        &self,
        ended: usize,
        started: &mut Started,
        change: impl FnOnce(&mut Machine, Duration) -> Result<(), IllegalTransition>,
    ) -> Turn<H::Receipt> {
        let now = self.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        let number = state.turns + 1;
        started.first = None;
        started.others.clear();
        let Some(machine) = &mut state.machine else {
            return Turn {
                number,
                is_free: false,
                receipt: None,
            };
        };
        let mut result = change(machine, now);
        while result.is_ok() && state.failure.is_none() {
            match machine.pop(now) {
                Ok(Some(ticket)) => {
                    state.workers += 1;
                    started.push(ticket);
                }
                Ok(None) => break,
                Err(illegal) => result = Err(illegal),
            }
        }
        machine.swap_notices(&mut state.notices);
        state.turns = number;
        let receipt = self.host.record(machine, &mut state.notices, started);
        let mut is_free = false;
        if receipt.is_some() {
            note_ready(&mut state.ready_in, &state.notices, number);
            let fresh = now.saturating_sub(state.known_at) <= FRESH;
            // Whether all that let the job go is known for good.
            is_free = started.first.is_some_and(|ticket| {
                let ready_in = state.ready_in.get(ticket.job.index());
                fresh && ticket.attempt == 1 && ready_in.is_some_and(|it| *it <= state.known)
            });
        }
        state.notices.clear();
        // What no worker sees may have changed: the next timer, or that nothing goes on by itself.
        let mut wake = machine.take_timer_changed() || machine.is_done() || machine.is_on_hold();
        if receipt.is_none() {
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
        Turn {
            number,
            is_free,
            receipt,
        }
    }

    async fn turn_and_spawn(
        self: Arc<Self>,
        change: impl FnOnce(&mut Machine, Duration) -> Result<(), IllegalTransition>,
    ) {
        let mut started = Started::default();
        let turn = self.turn(0, &mut started, change);
        if let Some(receipt) = turn.receipt {
            self.make_known(turn.number, receipt).await;
        }
        for ticket in started.iter() {
            self.spawn(*ticket);
        }
    }

    /// Publishes a turn, and with it all before it.
    pub(super) async fn make_known(&self, turn: u64, receipt: H::Receipt) {
        if self.publish(receipt).await {
            let now = self.now();
            let mut state = self.lock();
            state.known = state.known.max(turn);
            state.known_at = now;
        }
    }

    /// Whether it was published; if not, the run cannot go on.
    async fn publish(&self, receipt: H::Receipt) -> bool {
        let Err(failure) = self.host.publish(receipt).await else {
            return true;
        };
        self.lock().failure.get_or_insert(failure);
        self.wake.notify_one();
        false
    }

    pub(super) fn spawn(self: &Arc<Self>, ticket: Ticket) {
        tokio::spawn(super::worker::work(Arc::clone(self), ticket));
    }
}

/// Notes in which turn jobs became ready; others never did.
fn note_ready(ready_in: &mut Vec<u64>, notices: &[Notice], turn: u64) {
    for notice in notices {
        if let Notice::Ready(job) = notice {
            let index = job.index();
            if index >= ready_in.len() {
                ready_in.resize(index + 1, u64::MAX);
            }
            ready_in[index] = turn;
        }
    }
}
