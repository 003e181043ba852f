//! What the run gives to the steps of one attempt of a job.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::approver::ApprovalRequest;
use super::env::job_env;
use super::history::Decision;
use super::host::RunHost;
use super::log::StepLog;
use super::options::Hold;
use super::stated::Stated;
use crate::clock::Clock;
use crate::event::RunEvent;
use crate::executor::{ExecutorErrorKind, PrepareRequest};
use crate::id::RunId;
use crate::job::JobSpec;
use crate::scheduler::drive::Command as Request;
use crate::scheduler::{Demand, Stop, Ticket};
use crate::session::{Command, ExecIo, ExitStatus, Output, OutputOptions, Session};
use crate::step::{StepEnv, StepError, StepRecord, StepServices};
use crate::store::LogKey;
use crate::workflow::RunFacts;

/// The services of one attempt.
pub(super) struct JobServices {
    host: Arc<RunHost>,
    ticket: Ticket,
    /// What steps of code often do without; made when something first asks for it.
    used: OnceLock<Box<Used>>,
}

/// What an attempt holds once its steps do more than compute.
#[derive(Default)]
pub(super) struct Used {
    env: Mutex<Option<StepEnv>>,
    session: OnceCell<Arc<dyn Session>>,
    control: OnceLock<Arc<JobControl>>,
    /// Stands for the job's token while the steps run that always do.
    cleanup: Mutex<Option<CancellationToken>>,
    step: Mutex<StepIo>,
    background: Mutex<Vec<JoinHandle<()>>>,
    background_token: OnceLock<CancellationToken>,
    /// What finds the coverage in the output, where the job has a pattern for it.
    pub(super) stated: OnceLock<Option<Arc<Stated>>>,
}

/// The output and the token of the step that runs now, as far as it has asked for them.
#[derive(Default)]
struct StepIo {
    index: u32,
    output: Option<Output>,
    cancel: Option<CancellationToken>,
}

impl StepIo {
    /// That of the step at `index`. Nothing if that step is over: some task of it is late.
    fn of(&mut self, index: u32) -> Option<&mut Self> {
        if index > self.index {
            *self = Self {
                index,
                ..Self::default()
            };
        }
        (index == self.index).then_some(self)
    }
}

/// How a running job is stopped.
#[derive(Debug, Default)]
pub(super) struct JobControl {
    token: CancellationToken,
    stop: OnceLock<Stop>,
}

impl JobControl {
    /// Stops the job. The first reason counts.
    pub(super) fn stop(&self, stop: Stop) {
        let _ = self.stop.set(stop);
        self.token.cancel();
    }

    /// Cancels the token of the job for a reason that is noted elsewhere.
    pub(super) fn cancel(&self) {
        self.token.cancel();
    }

    /// Why the job is stopped, if it is.
    pub(super) fn reason(&self) -> Option<Stop> {
        self.stop.get().copied()
    }

    /// Ready when the job is stopped.
    pub(super) async fn stopped(&self) -> Stop {
        self.token.cancelled().await;
        self.reason()
            .unwrap_or(Stop::Cancel(crate::outcome::CancelReason::Requested))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl JobServices {
    /// The services of an attempt. Those of an earlier one serve again where they can: jobs that only
    /// compute pass them on, and nothing is allocated.
    pub(super) fn of(host: &Arc<RunHost>, ticket: Ticket, spare: Option<Arc<Self>>) -> Arc<Self> {
        if let Some(mut spare) = spare
            && let Some(services) = Arc::get_mut(&mut spare)
        {
            services.ticket = ticket;
            services.used = OnceLock::new();
            return spare;
        }
        Arc::new(Self {
            host: Arc::clone(host),
            ticket,
            used: OnceLock::new(),
        })
    }

    /// The services themselves, if the attempt left nothing in them.
    pub(super) fn if_unused(self: Arc<Self>) -> Option<Arc<Self>> {
        self.used.get().is_none().then_some(self)
    }

    pub(super) fn used(&self) -> &Used {
        self.used.get_or_init(Box::default)
    }

    pub(super) fn host(&self) -> &Arc<RunHost> {
        &self.host
    }

    pub(super) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// The control of the job, known to the run from the first time somebody asks for it.
    pub(super) fn control(&self) -> &Arc<JobControl> {
        self.used()
            .control
            .get_or_init(|| self.host.register(self.ticket.job))
    }

    /// Where the job works, once its session is prepared.
    pub(super) fn working_dir(&self) -> Option<String> {
        let session = self.used.get()?.session.get()?;
        let info = session.info();
        let dir = self.job().options.working_dir.as_deref();
        Some(dir.map_or_else(|| info.work_dir.clone(), |dir| info.resolve(dir)))
    }

    /// Whether and why the job was stopped.
    pub(super) fn stop_reason(&self) -> Option<Stop> {
        self.used.get()?.control.get()?.reason()
    }

    /// The output of the step at `index`, if the step has asked for it.
    pub(super) fn opened_output(&self, index: u32) -> Option<Output> {
        lock(&self.used.get()?.step).of(index)?.output.clone()
    }

    /// From now on steps get a token that is not canceled yet.
    pub(super) fn begin_cleanup(&self) {
        lock(&self.used().cleanup).get_or_insert_with(CancellationToken::new);
    }

    /// Ends what runs in the background and tears the session down, on a task and a deadline of its
    /// own. Gives a warning if that went wrong.
    pub(super) async fn tear_down(&self) -> Option<String> {
        let used = self.used.get()?;
        if let Some(control) = used.control.get() {
            self.host.unregister(self.ticket.job, control);
        }
        // Nothing runs in the background without a session.
        let session = Arc::clone(used.session.get()?);
        if let Some(token) = used.background_token.get() {
            token.cancel();
        }
        let background = std::mem::take(&mut *lock(&used.background));
        let limit = self.host.teardown_limit;
        let teardown = tokio::spawn(async move {
            let work = async {
                session
                    .teardown()
                    .await
                    .map_err(|error| crate::error::chain(&error))?;
                for task in background {
                    let _ = task.await;
                }
                Ok(())
            };
            match tokio::time::timeout(limit, work).await {
                Ok(result) => result,
                Err(_) => Err(format!("it took longer than {} s", limit.as_secs())),
            }
        });
        let result = teardown
            .await
            .unwrap_or_else(|panic| Err(panic.to_string()));
        result
            .err()
            .map(|why| format!("tearing down failed: {why}"))
    }

    fn options(&self) -> OutputOptions {
        OutputOptions::new(Arc::clone(&self.host.secrets), self.host.clock.clone())
    }

    /// Opens the log of the step at `index`.
    fn open_output(&self, index: u32) -> Output {
        let key = LogKey {
            run: self.host.run,
            job: Arc::clone(&self.job().name),
            attempt: self.ticket.attempt,
            step: index,
        };
        let stated = self.stated().cloned();
        let log = StepLog::open(self.host.store.as_deref(), &self.host.recorder, key, stated);
        match log {
            Ok(log) => Output::new(&self.options(), Box::new(log)),
            Err(error) => {
                self.record(
                    index,
                    StepRecord::Warning(format!("no log: {}", crate::error::chain(&error))),
                );
                Output::discard()
            }
        }
    }

    async fn prepare(&self) -> Result<Arc<dyn Session>, StepError> {
        let host = &self.host;
        let begun = host.clock.elapsed();
        let env = self.env();
        let executor = host.executor(self.ticket.job)?;
        let mut request = PrepareRequest::new(host.run, self.job(), &env);
        request.attempt = self.ticket.attempt;
        request.project_dir.clone_from(&host.project_dir);
        request.output = self.open_output(0);
        request.cancel = self.control().token.clone();
        let demand = host.demands.get(&self.ticket.job).copied();
        let demand = demand.unwrap_or(Demand::NONE);
        request.cpu_milli = Some(demand.cpu_milli).filter(|cpu| *cpu > 0);
        request.memory_mib = Some(demand.memory_mib).filter(|memory| *memory > 0);
        let output = request.output.clone();
        let session = match executor.prepare(request).await {
            Ok(session) => session,
            Err(error) if error.kind() == ExecutorErrorKind::Skipped => {
                return Err(StepError::skipped(error.to_string()));
            }
            Err(error) => {
                for hint in error.hints() {
                    output.say(format!("hint: {hint}")).await;
                }
                let text = format!("`{}` could not prepare the job", executor.name());
                return Err(StepError::new(text).with_source(error));
            }
        };
        host.recorder.note(RunEvent::JobPrepared {
            job: Arc::clone(&self.job().name),
            duration: host.clock.elapsed().saturating_sub(begun),
        });
        Ok(Arc::from(session))
    }
}

#[async_trait]
impl StepServices for JobServices {
    fn run(&self) -> RunId {
        self.host.run
    }

    fn job(&self) -> &JobSpec {
        self.host.plan.job(self.ticket.job)
    }

    fn attempt(&self) -> u32 {
        self.ticket.attempt
    }

    fn facts(&self) -> &RunFacts {
        &self.host.facts
    }

    fn clock(&self) -> &Clock {
        &self.host.clock
    }

    fn env(&self) -> StepEnv {
        let host = &self.host;
        let make = || {
            job_env(
                host.run,
                self.job(),
                &host.workflow_env,
                &host.facts,
                &host.contexts,
            )
        };
        Arc::clone(lock(&self.used().env).get_or_insert_with(make))
    }

    fn set_env(&self, name: &str, value: &str) {
        let mut env = self.env();
        Arc::make_mut(&mut env).insert(name.to_owned(), value.to_owned());
        *lock(&self.used().env) = Some(env);
    }

    async fn session(&self) -> Result<Arc<dyn Session>, StepError> {
        let session = &self.used().session;
        session.get_or_try_init(|| self.prepare()).await.cloned()
    }

    fn output(&self, index: u32) -> Output {
        let mut step = lock(&self.used().step);
        match step.of(index) {
            Some(step) => step
                .output
                .get_or_insert_with(|| self.open_output(index))
                .clone(),
            None => self.open_output(index),
        }
    }

    fn cancellation(&self, index: u32) -> CancellationToken {
        let used = self.used();
        let child = || match &*lock(&used.cleanup) {
            Some(token) => token.child_token(),
            None => self.control().token.child_token(),
        };
        match lock(&used.step).of(index) {
            Some(step) => step.cancel.get_or_insert_with(child).clone(),
            None => child(),
        }
    }

    fn record(&self, index: u32, record: StepRecord) {
        let job = Arc::clone(&self.job().name);
        let secrets = &self.host.secrets;
        self.host.recorder.note(match record {
            StepRecord::Stored {
                kind,
                name,
                bytes,
                digest,
            } => {
                let name = secrets.mask(&name);
                RunEvent::Stored {
                    job,
                    step: index,
                    kind,
                    name,
                    bytes,
                    digest,
                }
            }
            StepRecord::Tests {
                files,
                tests,
                problems,
            } => return self.note_tests(index, files, tests, problems),
            StepRecord::Coverage { files, totals } => {
                return self.note_coverage(index, files, totals);
            }
            StepRecord::Metrics { files, values } => {
                return self.note_metrics(index, files, values);
            }
            StepRecord::Findings {
                files,
                counts,
                worst,
            } => return self.note_findings(index, files, counts, worst),
            StepRecord::Warning(message) => {
                self.host.warn(Some(job), secrets.mask(&message));
                return;
            }
        });
    }

    fn mask(&self, text: &str) -> String {
        self.host.secrets.mask(text)
    }

    async fn decide(&self, prompt: Option<&str>) -> Result<bool, StepError> {
        let host = &self.host;
        let job = Arc::clone(&self.job().name);
        let tell = |decision: Decision| {
            let job = Arc::clone(&self.job().name);
            let Decision { approved, by } = decision;
            host.recorder
                .note(RunEvent::JobApproved { job, approved, by });
            Ok(approved)
        };
        if let Some(decision) = host.earlier_decision(self.ticket.job) {
            return tell(decision);
        }
        let prompt = prompt.map(str::to_owned);
        if host.hold == Hold::Finish && host.approver.is_none() {
            host.recorder.note(RunEvent::JobHeld { job, prompt });
            return Err(StepError::on_hold());
        }
        let receiver = match host.hold_step(self.ticket.job) {
            Ok(decision) => return tell(decision),
            Err(receiver) => receiver,
        };
        host.recorder.note(RunEvent::JobHeld {
            job: Arc::clone(&job),
            prompt: prompt.clone(),
        });
        host.ask(self.ticket.job, ApprovalRequest::new(host.run, job, prompt));
        // A job that waits for a person gives its slot to others, also if this future is dropped.
        let pause = Pause::new(host);
        let decided = receiver.await;
        drop(pause);
        decided.map_err(|_| StepError::new("the approval was given up"))
    }

    fn upstream(&self) -> Vec<Arc<str>> {
        let plan = &self.host.plan;
        plan.upstream(self.ticket.job)
            .into_iter()
            .map(|job| Arc::clone(&plan.job(job).name))
            .collect()
    }

    fn background(&self, command: Command, output: Output) {
        let used = self.used();
        let Some(session) = used.session.get().cloned() else {
            return;
        };
        let io = ExecIo::new(
            output.clone(),
            used.background_token
                .get_or_init(CancellationToken::new)
                .clone(),
        );
        let task = tokio::spawn(async move {
            let end = match session.exec(&command, io).await {
                Ok(status) => format!("the background command {}", in_words(status)),
                Err(error) => {
                    format!(
                        "the background command failed: {}",
                        crate::error::chain(&error)
                    )
                }
            };
            output.say(end).await;
            let _ = output.finish().await;
        });
        lock(&used.background).push(task);
    }

    #[cfg(feature = "storage")]
    fn storage(&self) -> Option<Arc<crate::storage::Storage>> {
        self.host.storage.clone()
    }
}

/// How a background command ended.
fn in_words(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("ended with exit code {code}"),
        ExitStatus::Signal(number) => format!("was ended by signal {number}"),
        ExitStatus::OutOfMemory => "ended because memory ran out".to_owned(),
        ExitStatus::Stopped => "was stopped at the end of the job".to_owned(),
    }
}

/// A slot that is free while a job waits for a person.
struct Pause<'a>(&'a RunHost);

impl<'a> Pause<'a> {
    fn new(host: &'a RunHost) -> Self {
        host.request(Request::Pause);
        Self(host)
    }
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.0.request(Request::Unpause);
    }
}
