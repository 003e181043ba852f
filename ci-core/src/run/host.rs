//! The run around its jobs: what they share, and what the driver asks of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::approver::{ApprovalRequest, Approver};
use super::attempt::attempt;
use super::book::Book;
use super::error::RunError;
use super::history::Decision;
use super::options::Hold;
use super::recorder::{Receipt, Recorder};
use super::services::{JobControl, JobServices};
use super::watch::Requests;
use crate::clock::{Clock, Timestamp};
use crate::event::RunEvent;
use crate::executor::{Executor, ReapReport};
use crate::id::{JobId, RunId};
use crate::job::Start;
use crate::outcome::{Failure, Outcome};
use crate::scheduler::drive::{AttemptEnd, Command, Host, Started};
use crate::scheduler::{Demand, Machine, Notice, Stop, Ticket};
use crate::secret::SecretSet;
use crate::step::{Action, Step, StepError, StepRegistry, StepSpec};
use crate::store::{OwnerId, RunStore};
use crate::workflow::{Budget, Plan, RunFacts};

/// What the jobs of a run share.
pub(super) struct RunHost {
    pub(super) run: RunId,
    pub(super) plan: Arc<Plan>,
    pub(super) facts: RunFacts,
    pub(super) workflow_env: BTreeMap<String, String>,
    pub(super) contexts: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) secrets: Arc<SecretSet>,
    pub(super) budgets: Vec<Budget>,
    pub(super) executors: Vec<Arc<dyn Executor>>,
    /// The executor of each job by its place in `executors`; jobs that are not named use the first.
    pub(super) placement: HashMap<JobId, usize>,
    /// What each job takes of the machine, where something says so.
    pub(super) demands: HashMap<JobId, Demand>,
    pub(super) store: Option<Arc<dyn RunStore>>,
    pub(super) owner: OwnerId,
    /// What others asked of the run through the store.
    pub(super) requests: tokio::sync::Mutex<Requests>,
    #[cfg(feature = "storage")]
    pub(super) storage: Option<Arc<crate::storage::Storage>>,
    pub(super) project_dir: Option<PathBuf>,
    pub(super) clock: Clock,
    pub(super) began: Timestamp,
    pub(super) hold: Hold,
    pub(super) approver: Option<Arc<dyn Approver>>,
    pub(super) registry: StepRegistry,
    pub(super) grace: Duration,
    pub(super) teardown_limit: Duration,
    pub(super) poll_interval: Duration,
    pub(super) recorder: Arc<Recorder>,
    pub(super) commands: mpsc::UnboundedSender<Command>,
    /// Steps that wait for a decision, and decisions that wait for a step.
    pub(super) holds: Mutex<Holds>,
    /// Decisions from before this process took the run over.
    pub(super) decisions: HashMap<JobId, Decision>,
    pub(super) controls: Controls,
    /// What test and coverage reports said.
    pub(super) book: Book,
    pub(super) warnings: Mutex<Vec<String>>,
    pub(super) random: AtomicU64,
}

/// Steps and decisions that wait for each other: either may come first.
#[derive(Default)]
pub(super) struct Holds {
    waiting: HashMap<JobId, oneshot::Sender<bool>>,
    early: HashMap<JobId, Decision>,
}

/// The running jobs that can be told to stop. A job registers when something first waits in it.
#[derive(Default)]
pub(super) struct Controls {
    registered: Mutex<HashMap<JobId, Arc<JobControl>>>,
    /// Stops that came before their job registered.
    early: Mutex<HashMap<JobId, Stop>>,
    any_early: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Controls {
    fn stop(&self, job: JobId, stop: Stop) {
        let registered = lock(&self.registered);
        if let Some(control) = registered.get(&job) {
            control.stop(stop);
        } else {
            lock(&self.early).insert(job, stop);
            self.any_early.store(true, Ordering::Release);
        }
    }
}

impl RunHost {
    /// Makes a running job known as one that can be stopped.
    pub(super) fn register(&self, job: JobId) -> Arc<JobControl> {
        let control = Arc::new(JobControl::default());
        let mut registered = lock(&self.controls.registered);
        registered.insert(job, Arc::clone(&control));
        if let Some(stop) = lock(&self.controls.early).remove(&job) {
            control.stop(stop);
        }
        control
    }

    pub(super) fn unregister(&self, job: JobId, control: &Arc<JobControl>) {
        let mut registered = lock(&self.controls.registered);
        if registered
            .get(&job)
            .is_some_and(|known| Arc::ptr_eq(known, control))
        {
            registered.remove(&job);
        }
    }

    /// The executor of a job.
    pub(super) fn executor(&self, job: JobId) -> Result<&Arc<dyn Executor>, StepError> {
        let index = self.placement.get(&job).copied().unwrap_or(0);
        self.executors.get(index).ok_or_else(|| {
            StepError::new("the run has no executor, and a step wants to run a command")
        })
    }

    pub(super) fn executor_name(&self, job: JobId) -> Arc<str> {
        let index = self.placement.get(&job).copied().unwrap_or(0);
        self.executors
            .get(index)
            .map_or("none", |executor| executor.name())
            .into()
    }

    /// The code of a step. What it attaches of a job with a matrix or shards is that of all its jobs.
    pub(super) fn resolve(&self, spec: &StepSpec) -> Result<Arc<dyn Step>, StepError> {
        let plan = &self.plan;
        let mut spec = Cow::Borrowed(spec);
        if let Action::AttachWorkspace(workspace) = &spec.action {
            let several = workspace
                .from
                .iter()
                .filter(|name| plan.find(name).is_none());
            let jobs = several.flat_map(|name| plan.members(name));
            let made: Vec<String> = jobs.map(|id| plan.job(id).name.to_string()).collect();
            if !made.is_empty()
                && let Action::AttachWorkspace(workspace) = &mut spec.to_mut().action
            {
                workspace.from.extend(made);
            }
        }
        crate::steps::builtin(&spec, &self.registry)
    }

    /// Keeps a warning for the report and shows it.
    pub(super) fn warn(&self, job: Option<Arc<str>>, message: String) {
        lock(&self.warnings).push(match &job {
            Some(job) => format!("{job}: {message}"),
            None => message.clone(),
        });
        self.recorder.note(RunEvent::Warning { job, message });
    }

    /// Warns of what an executor could not clean up.
    pub(super) fn warn_of_left(&self, executor: &dyn Executor, report: ReapReport) {
        for left in report.left {
            let text = format!("`{}` could not remove {left}", executor.name());
            self.warn(None, text);
        }
    }

    /// An outcome whose words hold no secret.
    pub(super) fn masked(&self, outcome: Outcome) -> Outcome {
        if outcome.is_success() || self.secrets.is_empty() {
            return outcome;
        }
        let mask = |words: &Arc<str>| Arc::from(self.secrets.mask(words));
        match outcome {
            Outcome::Failed(failure) => Outcome::Failed(Box::new(Failure {
                message: failure
                    .message
                    .as_deref()
                    .map(|words| self.secrets.mask(words)),
                ..*failure
            })),
            Outcome::InfrastructureFailure(words) => Outcome::InfrastructureFailure(mask(&words)),
            Outcome::Interrupted(words) => Outcome::Interrupted(mask(&words)),
            Outcome::Skipped(words) => Outcome::Skipped(mask(&words)),
            other => other,
        }
    }

    /// The warnings so far; they are kept no longer.
    pub(super) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.warnings))
    }

    pub(super) fn request(&self, command: Command) {
        // After the end of the run nobody listens, and nothing is left to ask for.
        let _ = self.commands.send(command);
    }

    /// What was decided about a job before this process took the run over, or before the job was held.
    pub(super) fn earlier_decision(&self, job: JobId) -> Option<Decision> {
        let known = self.decisions.get(&job).cloned();
        known.or_else(|| lock(&self.holds).early.remove(&job))
    }

    /// Has a step wait for a decision about its job; gives the one that was there first, if one was.
    pub(super) fn hold_step(&self, job: JobId) -> Result<Decision, oneshot::Receiver<bool>> {
        let mut holds = lock(&self.holds);
        holds.early.remove(&job).ok_or_else(|| {
            let (sender, receiver) = oneshot::channel();
            holds.waiting.insert(job, sender);
            receiver
        })
    }

    /// Asks the approver, if there is one, without waiting for the answer.
    pub(super) fn ask(&self, job: JobId, request: ApprovalRequest) {
        let Some(approver) = self.approver.clone() else {
            return;
        };
        let commands = self.commands.clone();
        tokio::spawn(async move {
            if let Some(approved) = approver.decide(&request).await {
                let _ = commands.send(Command::Decide {
                    job,
                    approved,
                    by: "approver".into(),
                });
            }
        });
    }

    pub(super) fn started(&self, ticket: Ticket) -> RunEvent {
        RunEvent::JobStarted {
            job: Arc::clone(&self.plan.job(ticket.job).name),
            attempt: ticket.attempt,
            executor: self.executor_name(ticket.job),
        }
    }

    /// Does what a notice asks for.
    fn act(&self, notice: &Notice) {
        match notice {
            Notice::Stop(job, stop) => self.controls.stop(*job, *stop),
            Notice::Held(job) => {
                let spec = self.plan.job(*job);
                let (name, prompt) = (Arc::clone(&spec.name), prompt_of(&spec.options.start));
                if let Some(decision) = self.earlier_decision(*job) {
                    self.request(Command::Decide {
                        job: *job,
                        approved: decision.approved,
                        by: decision.by,
                    });
                } else {
                    self.ask(*job, ApprovalRequest::new(self.run, name, prompt));
                }
            }
            Notice::OverBudget(index) => {
                if let Some(budget) = self.budgets.get(*index) {
                    lock(&self.warnings).push(format!(
                        "the stage `{}` is over its time budget of {} s",
                        budget.stage,
                        budget.limit.as_secs_f64()
                    ));
                }
            }
            _ => {}
        }
    }

    /// The event that stands for a notice.
    fn event(&self, machine: &Machine, notice: &mut Notice) -> Option<RunEvent> {
        let name = |job: JobId| Arc::clone(&self.plan.job(job).name);
        Some(match notice {
            Notice::Ready(job) => RunEvent::JobReady { job: name(*job) },
            Notice::Held(job) => {
                let prompt = prompt_of(&self.plan.job(*job).options.start);
                RunEvent::JobHeld {
                    job: name(*job),
                    prompt,
                }
            }
            Notice::Delayed(job, until) => {
                let millis = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
                let until = Timestamp::from_millis(self.began.as_millis().saturating_add(millis));
                RunEvent::JobDelayed {
                    job: name(*job),
                    until,
                }
            }
            Notice::Lacks(job, what) => RunEvent::JobWaiting {
                job: name(*job),
                reason: std::mem::take(what),
            },
            Notice::Retrying {
                job,
                attempt,
                outcome,
                delay,
            } => RunEvent::JobRetrying {
                job: name(*job),
                attempt: *attempt,
                result: std::mem::take(outcome),
                delay: *delay,
            },
            Notice::Done(job) => {
                let end = machine.record(*job);
                RunEvent::JobFinished {
                    job: name(*job),
                    result: end.outcome.clone(),
                    attempts: end.attempts,
                    duration: end.spent,
                    allowed: !end.outcome.is_success()
                        && self.plan.job(*job).tolerates(&end.outcome),
                    reused: false,
                    reports: self.book.reports(*job),
                }
            }
            Notice::OverBudget(index) => {
                let budget = self.budgets.get(*index)?;
                let (stage, limit) = (Arc::clone(&budget.stage), budget.limit);
                RunEvent::BudgetExceeded { stage, limit }
            }
            Notice::Stopping(Stop::Cancel(reason)) => RunEvent::RunCanceling { reason: *reason },
            Notice::Stopping(Stop::Limit(limit)) => RunEvent::Warning {
                job: None,
                message: limit.to_string(),
            },
            Notice::Stop(..) => return None,
        })
    }
}

fn prompt_of(start: &Start) -> Option<String> {
    match start {
        Start::Manual { prompt, .. } => prompt.clone(),
        _ => None,
    }
}

impl Host for RunHost {
    type Error = RunError;
    type Receipt = Box<Receipt>;
    type Spare = Option<Arc<JobServices>>;

    // Not async itself: a future less to go through for each job.
    fn attempt(
        self: &Arc<Self>,
        ticket: &mut Ticket,
        origin: Duration,
        spare: &mut Self::Spare,
    ) -> impl Future<Output = AttemptEnd> + Send {
        attempt(self, ticket, origin, spare)
    }

    fn record(
        self: &Arc<Self>,
        machine: &Machine,
        notices: &mut Vec<Notice>,
        started: &Started,
    ) -> Option<Box<Receipt>> {
        for notice in notices.iter() {
            self.act(notice);
        }
        if !self.recorder.is_on() {
            return None;
        }
        let mut events: Vec<RunEvent> = notices
            .iter_mut()
            .filter_map(|notice| self.event(machine, notice))
            .collect();
        // A job that needs leases says that it started when it has them.
        let at_once = started
            .iter()
            .filter(|ticket| !self.shares_groups(ticket.job));
        events.extend(at_once.map(|ticket| self.started(*ticket)));
        // What ended on hold has not ended: the run that resumes it decides.
        events.retain(|event| {
            !matches!(
                event,
                RunEvent::JobFinished {
                    result: Outcome::OnHold,
                    ..
                }
            )
        });
        self.recorder.queue(events)
    }

    async fn publish(&self, receipt: Box<Receipt>) -> Result<(), RunError> {
        Ok(self.recorder.publish(receipt).await?)
    }

    fn decide_step(&self, job: JobId, approved: bool, by: &str) -> bool {
        let mut holds = lock(&self.holds);
        let waiting = holds.waiting.remove(&job);
        let taken = waiting.is_some_and(|step| step.send(approved).is_ok());
        if !taken {
            let by = by.to_owned();
            holds.early.insert(job, Decision { approved, by });
        }
        taken
    }

    fn decided(&self, job: JobId, approved: bool, by: &str) -> Option<Box<Receipt>> {
        let (job, by) = (Arc::clone(&self.plan.job(job).name), by.to_owned());
        self.recorder
            .queue(vec![RunEvent::JobApproved { job, approved, by }])
    }

    fn ends_on_hold(&self) -> bool {
        self.hold == Hold::Finish
    }

    async fn look_again(&self) -> bool {
        match &self.store {
            Some(store) => super::watch::look(self, &**store).await,
            None => false,
        }
    }

    fn random(&self) -> f64 {
        // xorshift64* (Vigna 2016): jitter needs spread, not secrecy.
        let mut x = self.random.load(Ordering::Relaxed);
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random.store(x, Ordering::Relaxed);
        let high = u32::try_from(x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32).unwrap_or(0);
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }
}
