//! A job without an engine: the services of a step on a temporary directory and the local `sh`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::dispatch::builtin;
use crate::clock::Clock;
use crate::id::RunId;
use crate::job::JobSpec;
use crate::outcome::Outcome;
use crate::session::{
    Command, ExecIo, ExitStatus, LogSink, Output, OutputChunk, OutputOptions, Session,
    SessionError, SessionErrorKind, SessionInfo, Stream, TreeReader, TreeSelection,
};
use crate::step::{StepContext, StepEnv, StepError, StepRecord, StepRegistry, StepServices};
use crate::workflow::RunFacts;

/// A job whose steps run one at a time.
pub(super) struct Bench {
    services: Services,
    temp: Arc<tempfile::TempDir>,
}

impl Bench {
    pub(super) fn new(job: JobSpec) -> Self {
        let temp = Arc::new(tempfile::tempdir().unwrap());
        let work_dir = temp.path().join("work");
        std::fs::create_dir(&work_dir).unwrap();
        let clock = Clock::system();
        let log = Log::default();
        let options = OutputOptions::new(Arc::default(), clock.clone());
        let output = Output::new(&options, Box::new(log.clone()));
        let services = Services {
            job,
            facts: RunFacts::default(),
            clock,
            env: BTreeMap::new(),
            info: session_info(&work_dir, temp.path()),
            cancel: CancellationToken::new(),
            output,
            log,
            decision: None,
            asked_for_session: Arc::default(),
            background: Arc::default(),
        };
        Self { services, temp }
    }

    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.services.env.insert(name.into(), value.into());
        self
    }

    pub(super) fn facts(mut self, facts: RunFacts) -> Self {
        self.services.facts = facts;
        self
    }

    pub(super) fn decision(mut self, approved: bool) -> Self {
        self.services.decision = Some(approved);
        self
    }

    /// Makes the session look like one on another machine.
    pub(super) fn elsewhere(mut self) -> Self {
        self.services.info.host_work_dir = None;
        self
    }

    /// Makes `dir` the working directory of the session.
    pub(super) fn in_dir(mut self, dir: &Path) -> Self {
        self.services.info = session_info(dir, self.temp.path());
        self
    }

    pub(super) fn work_dir(&self) -> PathBuf {
        PathBuf::from(&self.services.info.work_dir)
    }

    pub(super) fn cancellation(&self) -> CancellationToken {
        self.services.cancel.clone()
    }

    pub(super) async fn run(&self, index: u32) -> Result<Outcome, StepError> {
        let step = &self.services.job.steps[index as usize];
        let step = builtin(step, &StepRegistry::new())?;
        let cx = StepContext::new(Arc::new(self.services.clone()), index);
        step.run(&cx).await
    }

    pub(super) async fn log(&self) -> String {
        self.services.output.finish().await.expect("a log");
        String::from_utf8_lossy(&lock(&self.services.log.0)).into_owned()
    }

    pub(super) fn background(&self) -> Vec<Command> {
        lock(&self.services.background).clone()
    }

    pub(super) fn session_was_asked_for(&self) -> bool {
        self.services.asked_for_session.load(Ordering::Relaxed)
    }
}

fn session_info(work_dir: &Path, home: &Path) -> SessionInfo {
    let words = |path: &Path| path.to_str().unwrap().to_owned();
    let mut info = SessionInfo::new("bench", words(work_dir), words(home));
    info.host_work_dir = Some(work_dir.to_owned());
    info
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl LogSink for Log {
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()> {
        lock(&self.0).extend_from_slice(&chunk.bytes);
        Ok(())
    }
}

#[derive(Clone)]
struct Services {
    job: JobSpec,
    facts: RunFacts,
    clock: Clock,
    env: BTreeMap<String, String>,
    info: SessionInfo,
    cancel: CancellationToken,
    output: Output,
    log: Log,
    decision: Option<bool>,
    asked_for_session: Arc<AtomicBool>,
    background: Arc<Mutex<Vec<Command>>>,
}

#[async_trait]
impl StepServices for Services {
    fn run(&self) -> RunId {
        RunId::new()
    }

    fn job(&self) -> &JobSpec {
        &self.job
    }

    fn attempt(&self) -> u32 {
        1
    }

    fn facts(&self) -> &RunFacts {
        &self.facts
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn env(&self) -> StepEnv {
        Arc::new(self.env.clone())
    }

    fn set_env(&self, _: &str, _: &str) {}

    async fn session(&self) -> Result<Arc<dyn Session>, StepError> {
        self.asked_for_session.store(true, Ordering::Relaxed);
        Ok(Arc::new(LocalSession(self.info.clone())))
    }

    fn output(&self, _: u32) -> Output {
        self.output.clone()
    }

    fn cancellation(&self, _: u32) -> CancellationToken {
        self.cancel.clone()
    }

    fn record(&self, _: u32, _: StepRecord) {}

    async fn decide(&self, _: Option<&str>) -> Result<bool, StepError> {
        match self.decision {
            Some(decision) => Ok(decision),
            None => std::future::pending().await,
        }
    }

    fn upstream(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn background(&self, command: Command, _: Output) {
        lock(&self.background).push(command);
    }

    #[cfg(feature = "storage")]
    fn storage(&self) -> Option<Arc<crate::storage::Storage>> {
        None
    }
}

/// Commands as processes of this machine, watched from a blocking thread: so a test that pauses the
/// clock does not run ahead of them.
struct LocalSession(SessionInfo);

#[async_trait]
impl Session for LocalSession {
    fn info(&self) -> &SessionInfo {
        &self.0
    }

    async fn exec(&self, command: &Command, io: ExecIo) -> Result<ExitStatus, SessionError> {
        let words: Vec<String> = command.words().into_iter().map(str::to_owned).collect();
        let dir = self.0.resolve(command.dir.as_deref().unwrap_or("."));
        let (env, cancel) = (command.env.clone(), io.cancel.clone());
        let ended = tokio::task::spawn_blocking(move || execute(&words, &dir, &env, &cancel))
            .await
            .unwrap();
        let (status, output) = ended
            .map_err(|error| SessionError::new(SessionErrorKind::NotFound, error.to_string()))?;
        io.output.write(Stream::Stdout, &output).await;
        Ok(status)
    }

    async fn copy_in(&self, tree: TreeReader, dir: &str) -> Result<(), SessionError> {
        let dir = self.0.resolve(dir);
        let unpack = move || tar::Archive::new(tree).unpack(dir);
        tokio::task::spawn_blocking(unpack)
            .await
            .unwrap()
            .map_err(|error| SessionError::new(SessionErrorKind::Other, error.to_string()))
    }

    async fn copy_out(&self, _: &TreeSelection) -> Result<TreeReader, SessionError> {
        Err(SessionError::new(
            SessionErrorKind::Refused,
            "the bench copies nothing out",
        ))
    }

    async fn teardown(&self) -> Result<(), SessionError> {
        Ok(())
    }
}

fn execute(
    words: &[String],
    dir: &str,
    env: &BTreeMap<String, String>,
    cancel: &CancellationToken,
) -> std::io::Result<(ExitStatus, Vec<u8>)> {
    let (mut reader, writer) = std::io::pipe()?;
    let mut child = std::process::Command::new(&words[0])
        .args(&words[1..])
        .current_dir(dir)
        .envs(env)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()?;
    let output = std::thread::spawn(move || {
        let mut output = Vec::new();
        let _ = reader.read_to_end(&mut output);
        output
    });
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break exit_status(status);
        }
        if cancel.is_cancelled() {
            child.kill()?;
            child.wait()?;
            break ExitStatus::Stopped;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    Ok((status, output.join().unwrap()))
}

fn exit_status(status: std::process::ExitStatus) -> ExitStatus {
    use std::os::unix::process::ExitStatusExt as _;

    match (status.code(), status.signal()) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, signal) => ExitStatus::Signal(signal.unwrap_or_default()),
    }
}
