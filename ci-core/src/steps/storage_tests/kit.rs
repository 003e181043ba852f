//! A run of one job in a temporary directory, for the tests beside this file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::archive::{ArchiveError, ArchiveErrorKind, Limits, PackRoot, pack_stream, unpack};
use crate::clock::Clock;
use crate::event::StoredKind;
use crate::id::RunId;
use crate::job::JobSpec;
use crate::outcome::Outcome;
use crate::secret::SecretSet;
use crate::session::{
    Command, ExecIo, ExitStatus, LogSink, Output, OutputChunk, OutputOptions, Session,
    SessionError, SessionErrorKind, SessionInfo, Stream, TreeReader, TreeSelection,
};
use crate::step::{Step, StepContext, StepEnv, StepError, StepRecord, StepServices};
use crate::storage::Storage;
use crate::workflow::RunFacts;

/// A machine: a working directory and a home.
pub(super) struct Machine {
    info: SessionInfo,
    root: tempfile::TempDir,
}

impl Machine {
    pub(super) fn new() -> Arc<Self> {
        let root = tempfile::tempdir().unwrap();
        let (work, home) = (root.path().join("work"), root.path().join("home"));
        fs::create_dir(&work).unwrap();
        fs::create_dir(&home).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let info = SessionInfo::new("test", text(&work), text(&home));
        Arc::new(Self { info, root })
    }

    /// A path as a job would write it, on this machine.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.info.resolve(path).into()
    }

    /// A directory that is neither below the working directory nor below the home.
    pub(super) fn elsewhere(&self) -> String {
        self.root.path().join("else").to_str().unwrap().to_owned()
    }

    pub(super) fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(super) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }
}

fn trouble(error: ArchiveError) -> SessionError {
    let kind = match error.kind() {
        ArchiveErrorKind::NotFound => SessionErrorKind::NotFound,
        ArchiveErrorKind::Refused | ArchiveErrorKind::Glob => SessionErrorKind::Refused,
        _ => SessionErrorKind::Other,
    };
    SessionError::new(kind, "the copy failed").with_source(error)
}

#[async_trait]
impl Session for Machine {
    fn info(&self) -> &SessionInfo {
        &self.info
    }

    async fn exec(&self, command: &Command, io: ExecIo) -> Result<ExitStatus, SessionError> {
        let words = command.words();
        let dir = command.dir.as_deref().unwrap_or(".");
        let done = tokio::process::Command::new(words[0])
            .args(&words[1..])
            .current_dir(self.path(dir))
            .output()
            .await
            .unwrap();
        io.output.write(Stream::Stdout, &done.stdout).await;
        io.output.write(Stream::Stderr, &done.stderr).await;
        Ok(ExitStatus::Code(done.status.code().unwrap()))
    }

    async fn copy_in(&self, tree: TreeReader, dir: &str) -> Result<(), SessionError> {
        let dir = self.path(dir);
        let work = move || unpack(tree, &dir, &Limits::default());
        let done = tokio::task::spawn_blocking(work).await.unwrap();
        done.map(drop).map_err(trouble)
    }

    async fn copy_out(&self, selection: &TreeSelection) -> Result<TreeReader, SessionError> {
        let roots = selection.roots.iter().map(|root| {
            PackRoot::new(root.prefix.clone(), self.path(&root.dir))
                .include(root.include.clone())
                .exclude(root.exclude.clone())
        });
        pack_stream(roots.collect()).map_err(trouble)
    }

    async fn teardown(&self) -> Result<(), SessionError> {
        Ok(())
    }
}

/// What a test decides about the job, and what the step did.
pub(super) struct Job {
    pub(super) run: RunId,
    pub(super) spec: JobSpec,
    pub(super) attempt: u32,
    pub(super) facts: RunFacts,
    pub(super) env: BTreeMap<String, String>,
    pub(super) upstream: Vec<Arc<str>>,
    pub(super) machine: Arc<Machine>,
    pub(super) storage: Option<Arc<Storage>>,
    pub(super) cancel: CancellationToken,
    pub(super) secrets: Arc<SecretSet>,
    clock: Clock,
    records: Mutex<Vec<StepRecord>>,
    log: Log,
}

/// Everything that was said.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl LogSink for Log {
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(&chunk.bytes);
        Ok(())
    }
}

impl Job {
    /// A job called `name` on a machine of its own.
    pub(super) fn new(run: RunId, name: &str, storage: &Arc<Storage>) -> Self {
        Self {
            run,
            spec: JobSpec::new(name),
            attempt: 1,
            facts: RunFacts::default(),
            env: BTreeMap::new(),
            upstream: Vec::new(),
            machine: Machine::new(),
            storage: Some(Arc::clone(storage)),
            cancel: CancellationToken::new(),
            secrets: Arc::default(),
            clock: Clock::system(),
            records: Mutex::default(),
            log: Log::default(),
        }
    }

    /// Runs a step of the job.
    pub(super) async fn run(self, step: impl Step) -> Done {
        let job = Arc::new(self);
        let services: Arc<dyn StepServices> = Arc::clone(&job) as _;
        let cx = StepContext::new(services, 0);
        let result = step.run(&cx).await;
        cx.output().finish().await.expect("a log");
        let said = String::from_utf8(job.log.0.lock().unwrap().clone()).unwrap();
        let records = job.records.lock().unwrap().clone();
        Done {
            result,
            said,
            records,
            machine: Arc::clone(&job.machine),
        }
    }
}

/// What a step did.
pub(super) struct Done {
    pub(super) result: Result<Outcome, StepError>,
    pub(super) said: String,
    pub(super) records: Vec<StepRecord>,
    pub(super) machine: Arc<Machine>,
}

impl Done {
    /// The machine and the records of a step that succeeded.
    pub(super) fn ok(self) -> Self {
        assert_eq!(
            self.result.as_ref().unwrap(),
            &Outcome::Success,
            "{}",
            self.said
        );
        self
    }

    /// The words of a step that failed.
    pub(super) fn failure(&self) -> String {
        match &self.result {
            Ok(outcome @ Outcome::Failed(_)) => outcome.reason().unwrap(),
            other => panic!("expected a failure, found {other:?}"),
        }
    }

    /// The kinds and names of what was put away or brought back.
    pub(super) fn stored(&self) -> Vec<(StoredKind, &str)> {
        let stored = self.records.iter().filter_map(|record| match record {
            StepRecord::Stored { kind, name, .. } => Some((*kind, name.as_str())),
            _ => None,
        });
        stored.collect()
    }

    pub(super) fn warnings(&self) -> Vec<&str> {
        let warnings = self.records.iter().filter_map(|record| match record {
            StepRecord::Warning(words) => Some(words.as_str()),
            _ => None,
        });
        warnings.collect()
    }
}

#[async_trait]
impl StepServices for Job {
    fn run(&self) -> RunId {
        self.run
    }

    fn job(&self) -> &JobSpec {
        &self.spec
    }

    fn attempt(&self) -> u32 {
        self.attempt
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

    fn set_env(&self, _name: &str, _value: &str) {}

    async fn session(&self) -> Result<Arc<dyn Session>, StepError> {
        Ok(Arc::clone(&self.machine) as _)
    }

    fn output(&self, _index: u32) -> Output {
        let options = OutputOptions::new(Arc::clone(&self.secrets), self.clock.clone());
        Output::new(&options, Box::new(self.log.clone()))
    }

    fn cancellation(&self, _index: u32) -> CancellationToken {
        self.cancel.clone()
    }

    fn record(&self, _index: u32, record: StepRecord) {
        self.records.lock().unwrap().push(record);
    }

    fn mask(&self, text: &str) -> String {
        self.secrets.mask(text)
    }

    async fn decide(&self, _prompt: Option<&str>) -> Result<bool, StepError> {
        Ok(true)
    }

    fn upstream(&self) -> Vec<Arc<str>> {
        self.upstream.clone()
    }

    fn background(&self, _command: Command, _output: Output) {}

    fn storage(&self) -> Option<Arc<Storage>> {
        self.storage.clone()
    }
}

/// A storage in a directory of its own.
pub(super) fn storage() -> (tempfile::TempDir, Arc<Storage>) {
    let temp = tempfile::tempdir().unwrap();
    let storage = Storage::open(temp.path()).unwrap();
    (temp, Arc::new(storage))
}

/// The secrets of a run.
pub(super) fn secrets(values: &[&str]) -> Arc<SecretSet> {
    let named = values.iter().map(|&value| ("TOKEN", value));
    Arc::new(SecretSet::new(named).0)
}

pub(super) fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}
