//! What a step may see and do while it runs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::StepError;
use crate::clock::Clock;
use crate::event::{
    CoverageTotals, FindingCounts, FindingRecord, MetricValue, ReportFile, StoredKind, TestRecord,
};
use crate::id::RunId;
use crate::job::JobSpec;
use crate::outcome::{CancelReason, Failure, Outcome};
use crate::session::{Command, ExecIo, ExitStatus, Output, Session};
use crate::workflow::RunFacts;

/// What the run gives to the steps of one attempt of a job. The engine implements it; tests may too.
#[async_trait]
pub trait StepServices: Send + Sync {
    /// The run.
    fn run(&self) -> RunId;
    /// The job.
    fn job(&self) -> &JobSpec;
    /// Counts from 1.
    fn attempt(&self) -> u32;
    /// What the run is for.
    fn facts(&self) -> &RunFacts;
    /// Where time comes from.
    fn clock(&self) -> &Clock;
    /// The variables that every step of the job sees from now on, secrets included.
    fn env(&self) -> StepEnv;
    /// Sets a variable for the steps that follow.
    fn set_env(&self, name: &str, value: &str);
    /// The job's session, prepared now if it was not yet.
    async fn session(&self) -> Result<Arc<dyn Session>, StepError>;
    /// The output of the step at `index`: while it runs, the same one every time.
    fn output(&self, index: u32) -> Output;
    /// The token of the step at `index`: while it runs, the same one every time.
    fn cancellation(&self, index: u32) -> CancellationToken;
    /// Reports what a step did.
    fn record(&self, index: u32, record: StepRecord);
    /// `text` with every secret of the run masked; as it is where nobody knows of secrets.
    fn mask(&self, text: &str) -> String {
        text.to_owned()
    }
    /// Waits for a decision about the job, which shows as held meanwhile.
    async fn decide(&self, prompt: Option<&str>) -> Result<bool, StepError>;
    /// The jobs that this one waits for, directly or not, in an order in which each stands after
    /// those it waits for itself.
    fn upstream(&self) -> Vec<Arc<str>>;
    /// Runs a command beside the steps until the job ends.
    fn background(&self, command: Command, output: Output);
    /// Where caches, workspaces and artifacts are, if the run has such a place.
    #[cfg(feature = "storage")]
    fn storage(&self) -> Option<Arc<crate::storage::Storage>>;
}

/// Variables of a step, shared until somebody changes them.
pub type StepEnv = Arc<BTreeMap<String, String>>;

/// Something that a step did and that people want to know.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StepRecord {
    /// It put something away or brought it back.
    Stored {
        /// What kind of thing.
        kind: StoredKind,
        /// Its name: a path or a cache key.
        name: String,
        /// Its size in bytes.
        bytes: u64,
        /// The content's address in the storage, where it has one.
        digest: Option<String>,
    },
    /// It read test results.
    Tests {
        /// The files, also those that could not be read.
        files: Vec<ReportFile>,
        /// The tests in their order; one that a report has several times stands there as often.
        tests: Vec<TestRecord>,
        /// What the reports say went wrong outside of any test.
        problems: Vec<String>,
    },
    /// It read coverage reports.
    Coverage {
        /// The files, also those that could not be read.
        files: Vec<ReportFile>,
        /// What they came to together.
        totals: CoverageTotals,
    },
    /// It read values that were measured.
    Metrics {
        /// The files, also those that could not be read.
        files: Vec<ReportFile>,
        /// The values in their order.
        values: Vec<MetricValue>,
    },
    /// It read the reports of scanners and linters.
    Findings {
        /// The files, also those that could not be read.
        files: Vec<ReportFile>,
        /// All findings, counted.
        counts: FindingCounts,
        /// The worst of them.
        worst: Vec<FindingRecord>,
    },
    /// Something worth a warning.
    Warning(String),
}

/// What a step may see and do while it runs. Cheap to clone.
#[derive(Clone)]
pub struct StepContext {
    services: Arc<dyn StepServices>,
    index: u32,
    /// What the services gave, so that it can be lent out.
    output: OnceLock<Output>,
    cancel: OnceLock<CancellationToken>,
}

impl fmt::Debug for StepContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepContext")
            .field("job", &self.services.job().name)
            .field("step", &self.index)
            .finish_non_exhaustive()
    }
}

impl StepContext {
    /// The context of the step at `index` of the job behind `services`.
    #[must_use]
    pub fn new(services: Arc<dyn StepServices>, index: u32) -> Self {
        Self {
            services,
            index,
            output: OnceLock::new(),
            cancel: OnceLock::new(),
        }
    }

    /// The run.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        self.services.run()
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> &JobSpec {
        self.services.job()
    }

    /// The attempt of the job, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.services.attempt()
    }

    /// The step's place in the job, from 0.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// What the run is for.
    #[must_use]
    pub fn facts(&self) -> &RunFacts {
        self.services.facts()
    }

    /// Where time comes from.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.services.clock()
    }

    /// The services behind the context, for steps that are built in.
    pub(crate) fn services(&self) -> &dyn StepServices {
        &*self.services
    }

    /// The variables that the step sees, secrets included.
    #[must_use]
    pub fn env(&self) -> StepEnv {
        let env = self.services.env();
        let own = self
            .job()
            .steps
            .get(self.index as usize)
            .map(|step| &step.env);
        match own {
            Some(own) if !own.is_empty() => {
                let mut merged = (*env).clone();
                merged.extend(
                    own.iter()
                        .map(|(name, value)| (name.clone(), value.clone())),
                );
                Arc::new(merged)
            }
            _ => env,
        }
    }

    /// Sets a variable for the steps that follow in the job.
    pub fn set_env(&self, name: &str, value: &str) {
        self.services.set_env(name, value);
    }

    /// The job's session, prepared now if it was not yet.
    pub async fn session(&self) -> Result<Arc<dyn Session>, StepError> {
        self.services.session().await
    }

    /// The step's output.
    #[must_use]
    pub fn output(&self) -> &Output {
        self.output.get_or_init(|| self.services.output(self.index))
    }

    /// Writes a line to the step's log in the name of the engine.
    pub async fn say(&self, line: impl AsRef<str>) {
        self.output().say(line).await;
    }

    /// Canceled when the step has to stop.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        self.cancel
            .get_or_init(|| self.services.cancellation(self.index))
    }

    /// Reports something that the step did.
    pub fn record(&self, record: StepRecord) {
        self.services.record(self.index, record);
    }

    /// `text` with every secret of the run masked. The engine masks what is said and recorded by itself;
    /// this is for names that are kept and shown after the run.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        self.services.mask(text)
    }

    /// Runs a command in the job's session with the step's variables, and gives how it ended.
    pub async fn exec(&self, command: Command) -> Result<ExitStatus, StepError> {
        self.exec_into(command, self.output()).await
    }

    /// Runs a command like [`exec`](Self::exec), with an output of its own.
    pub(crate) async fn exec_into(
        &self,
        mut command: Command,
        output: &Output,
    ) -> Result<ExitStatus, StepError> {
        let session = self.session().await?;
        for (name, value) in self.env().iter() {
            let entry = command.env.entry(name.clone());
            entry.or_insert_with(|| value.clone());
        }
        let io = ExecIo::new(output.clone(), self.cancellation().clone());
        Ok(session.exec(&command, io).await?)
    }

    /// Runs a command like [`exec`](Self::exec) and gives the outcome that stands for its end.
    pub async fn run(&self, command: Command) -> Result<Outcome, StepError> {
        Ok(match self.exec(command).await? {
            ExitStatus::Code(code) => Outcome::from_exit_code(code),
            ExitStatus::Signal(number) => Outcome::Failed(Box::new(Failure::signal(number))),
            ExitStatus::OutOfMemory => Outcome::failed("ended because memory ran out"),
            ExitStatus::Stopped => Outcome::Canceled(CancelReason::Requested),
        })
    }

    /// Runs a script with `sh -e`: short for `run(Command::sh(script))`.
    pub async fn sh(&self, script: impl Into<String>) -> Result<Outcome, StepError> {
        self.run(Command::sh(script)).await
    }

    /// Holds the job until somebody decides: `true` for go on. Times out after `deadline` with `None`.
    pub async fn approval(
        &self,
        prompt: Option<&str>,
        deadline: Option<Duration>,
    ) -> Result<Option<bool>, StepError> {
        let decision = self.services.decide(prompt);
        match deadline {
            None => decision.await.map(Some),
            Some(limit) => match tokio::time::timeout(limit, decision).await {
                Ok(decided) => decided.map(Some),
                Err(_) => Ok(None),
            },
        }
    }
}
