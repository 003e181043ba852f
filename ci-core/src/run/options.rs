//! How a run is done: where, with what, and who watches.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Approver;
use crate::clock::Clock;
use crate::event::Sink;
use crate::executor::Executor;
use crate::scheduler::Demand;
use crate::settings::Settings;
use crate::step::{Step, StepRegistry};
use crate::store::RunStore;
use crate::workflow::RunFacts;

/// What a run does when only held jobs are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Hold {
    /// Waits for a decision.
    #[default]
    Wait,
    /// Ends as on hold; after the decision the run can be resumed.
    Finish,
}

/// How a run is done: where its jobs run, what keeps it, who watches.
///
/// ```
/// use ci_core::run::RunOptions;
/// use ci_core::workflow::RunFacts;
///
/// let options = RunOptions::new().slots(4).facts(RunFacts::default().branch("main"));
/// ```
#[must_use]
pub struct RunOptions {
    pub(super) executors: Vec<Arc<dyn Executor>>,
    pub(super) sinks: Vec<Box<dyn Sink>>,
    pub(super) store: Option<Arc<dyn RunStore>>,
    #[cfg(feature = "storage")]
    pub(super) storage: Option<Arc<crate::storage::Storage>>,
    pub(super) settings: Settings,
    pub(super) facts: RunFacts,
    pub(super) contexts: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) project_dir: Option<PathBuf>,
    pub(super) slots: Option<usize>,
    pub(super) capacity: Option<Demand>,
    pub(super) hold: Hold,
    pub(super) approver: Option<Arc<dyn Approver>>,
    pub(super) steps: StepRegistry,
    pub(super) only: Vec<String>,
    pub(super) supersede: bool,
    pub(super) clock: Clock,
    pub(super) grace: Duration,
    pub(super) teardown_limit: Duration,
    pub(super) poll_interval: Duration,
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Contexts hold secrets: their names only.
        f.debug_struct("RunOptions")
            .field(
                "executors",
                &self
                    .executors
                    .iter()
                    .map(|executor| executor.name().to_owned())
                    .collect::<Vec<_>>(),
            )
            .field("facts", &self.facts)
            .field("contexts", &self.contexts.keys().collect::<Vec<_>>())
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl RunOptions {
    /// One job for each processor at once; no executor, no store, nobody watching. Without an executor
    /// only jobs made of code can run; with the feature `local`, jobs then run on this machine.
    pub fn new() -> Self {
        Self {
            executors: Vec::new(),
            sinks: Vec::new(),
            store: None,
            #[cfg(feature = "storage")]
            storage: None,
            settings: Settings::default(),
            facts: RunFacts::default(),
            contexts: BTreeMap::new(),
            project_dir: None,
            slots: None,
            capacity: None,
            hold: Hold::default(),
            approver: None,
            steps: StepRegistry::default(),
            only: Vec::new(),
            supersede: false,
            clock: Clock::system(),
            grace: Duration::from_secs(30),
            teardown_limit: Duration::from_mins(5),
            poll_interval: Duration::from_millis(500),
        }
    }

    /// Adds a place where jobs run. The first one is the default.
    pub fn executor(mut self, executor: impl Executor + 'static) -> Self {
        self.executors.push(Arc::new(executor));
        self
    }

    /// Adds somebody who watches.
    pub fn sink(mut self, sink: impl Sink + 'static) -> Self {
        self.sinks.push(Box::new(sink));
        self
    }

    /// Keeps the run, so that it can be resumed, looked at and steered from other processes.
    pub fn store(mut self, store: Arc<dyn RunStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Where caches, workspaces and artifacts are kept.
    #[cfg(feature = "storage")]
    pub fn storage(mut self, storage: Arc<crate::storage::Storage>) -> Self {
        self.storage = Some(storage);
        self
    }

    /// Applies the project's settings.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Says what the run is for.
    pub fn facts(mut self, facts: RunFacts) -> Self {
        self.facts = facts;
        self
    }

    /// Gives a named context: variables that are secret, for the jobs that name it. A run does not begin
    /// with a job that names one it was not given.
    pub fn context(
        mut self,
        name: impl Into<String>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        self.contexts
            .entry(name.into())
            .or_default()
            .extend(variables);
        self
    }

    /// The directory of the project on this machine; by default the repository of the facts.
    pub fn project_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.project_dir = Some(dir.into());
        self
    }

    /// How many jobs run at once; by default one for each processor.
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = Some(slots);
        self
    }

    /// What there is of processors and memory for jobs that reserve some; by default all of this
    /// machine's.
    pub fn capacity(mut self, capacity: Demand) -> Self {
        self.capacity = Some(capacity);
        self
    }

    /// What happens when only held jobs are left.
    pub fn hold(mut self, hold: Hold) -> Self {
        self.hold = hold;
        self
    }

    /// Who decides about held jobs.
    pub fn approver(mut self, approver: impl Approver + 'static) -> Self {
        self.approver = Some(Arc::new(approver));
        self
    }

    /// Registers a step under a name, for specs that name it instead of holding it. A run does not begin
    /// with a job that names one which is not registered.
    pub fn step(mut self, name: impl Into<String>, step: impl Step + 'static) -> Self {
        let step: Arc<dyn Step> = Arc::new(step);
        let registry = std::mem::take(&mut self.steps);
        self.steps = registry.register(name, move |_| Ok::<_, String>(Arc::clone(&step)));
        self
    }

    /// Registers steps that are made from what the spec gives them.
    pub fn steps(mut self, registry: StepRegistry) -> Self {
        self.steps = registry;
        self
    }

    /// Runs only these jobs and what they need.
    pub fn only<S: Into<String>>(mut self, jobs: impl IntoIterator<Item = S>) -> Self {
        self.only = jobs.into_iter().map(Into::into).collect();
        self
    }

    /// Cancels the active runs in the store of the same workflow and branch: this one replaces them.
    pub fn supersede(mut self) -> Self {
        self.supersede = true;
        self
    }

    /// Where time comes from.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How long a step that was told to stop may take before its future is dropped. Longer than the
    /// grace of the executors, which ask a process to end before they force it.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long tearing down a session, and the steps that always run, may take after a job ended.
    pub fn teardown_limit(mut self, limit: Duration) -> Self {
        self.teardown_limit = limit;
        self
    }

    /// How often the store is asked for requests of other processes.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }
}
