//! Steps as data.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CodeStep, SessionUse, Step};

/// A step of a job as data: what to do, and the policies that hold for every kind of step.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StepSpec {
    /// What people see; by default made from the action.
    pub name: Option<Arc<str>>,
    /// What the step does.
    pub action: Action,
    /// After which outcomes of the steps before it the step runs.
    pub when: StepWhen,
    /// The longest the step may take.
    pub timeout: Option<Duration>,
    /// The longest the step may be silent.
    pub no_output_timeout: Option<Duration>,
    /// A script: where it succeeds in the session, the step is left out and counts as a success.
    pub skip_if: Option<String>,
    /// Whether the job goes on, as if the step had succeeded, when it fails.
    pub allow_failure: bool,
    /// Variables for this step only.
    pub env: BTreeMap<String, String>,
}

/// When a step runs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepWhen {
    /// Only while every step before it succeeded.
    #[default]
    OnSuccess,
    /// Only after a step failed.
    OnFail,
    /// Always; also after the job was canceled or ran out of time.
    Always,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Action {
    /// Runs a command.
    Run(CommandSpec),
    /// Puts the sources of the project into the working directory.
    Checkout(CheckoutSpec),
    /// Brings back a cache.
    RestoreCache(RestoreCacheSpec),
    /// Saves a cache.
    SaveCache(SaveCacheSpec),
    /// Adds files to the workspace of the run.
    PersistWorkspace(WorkspaceSpec),
    /// Brings the workspace of the run, as far as the jobs this one depends on have filled it.
    AttachWorkspace(WorkspaceSpec),
    /// Keeps files as artifacts.
    StoreArtifacts(PathsSpec),
    /// Keeps test results and marks them for the test report.
    StoreTestResults(PathsSpec),
    /// Keeps coverage reports and marks them for the coverage report.
    StoreCoverage(PathsSpec),
    /// Keeps values that were measured, and reads them.
    StoreMetrics(PathsSpec),
    /// Keeps the reports of scanners and linters, and reads them.
    StoreFindings(PathsSpec),
    /// Waits until a service answers.
    WaitFor(WaitSpec),
    /// Waits until somebody approves.
    Approval(ApprovalSpec),
    /// A step that the embedding program registered under a name.
    Custom(CustomSpec),
    /// A step of the embedding program itself.
    Code(CodeStep),
}

/// A command in a shell, or a program with arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandSpec {
    /// The script, or the program and its arguments.
    pub program: crate::session::Program,
    /// The directory, absolute or relative to the working directory of the job.
    pub dir: Option<String>,
    /// Whether the job goes on at once while the command runs until the job ends.
    pub background: bool,
    /// The image of a container of its own, beside the job's; only executors of containers have it.
    pub image: Option<String>,
}

/// Where the sources come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CheckoutSpec {
    /// A local path or URL; by default the repository of the run.
    pub source: Option<String>,
    /// A commit, tag or branch; by default the revision of the run.
    pub revision: Option<String>,
    /// The directory to fill; by default the working directory.
    pub path: Option<String>,
    /// Whether submodules come along.
    pub submodules: bool,
    /// How many commits of history to fetch where the transport allows it; all by default.
    pub depth: Option<u32>,
}

/// Which of the caches that match a key wins. The vendors differ.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CacheLookup {
    /// The cache of exactly that key; then the newest whose key starts with it.
    #[default]
    ExactFirst,
    /// The newest whose key starts with the given key, exact or not.
    NewestByPrefix,
    /// Only the cache of exactly that key.
    ExactOnly,
}

/// Which cache to bring back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RestoreCacheSpec {
    /// Key templates, tried in order.
    pub keys: Vec<String>,
    /// How a key matches.
    pub lookup: CacheLookup,
}

/// What to save in a cache.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SaveCacheSpec {
    /// The key template. A cache that exists already is left as it is.
    pub key: String,
    /// Files, directories and globs; `~` is the home.
    pub paths: Vec<String>,
}

/// Files of the workspace that jobs of a run hand down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WorkspaceSpec {
    /// The directory the paths are relative to.
    pub root: String,
    /// Files, directories and globs to add; not used when attaching.
    pub paths: Vec<String>,
    /// What is left out of them.
    pub exclude: Vec<String>,
    /// The jobs whose files are attached; those of all jobs before this one if empty. Each has to be a
    /// job of the workflow; one that does not stand before this one gives nothing. Not used when adding.
    pub from: Vec<String>,
}

/// Files to keep after the job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PathsSpec {
    /// Files, directories and globs.
    pub paths: Vec<String>,
    /// What is left out.
    pub exclude: Vec<String>,
    /// Where they stand among the artifacts; by default their own path.
    pub destination: Option<String>,
}

/// A service to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitSpec {
    /// What has to answer.
    pub probe: WaitProbe,
    /// How long to wait in all.
    pub deadline: Duration,
    /// The pause between two tries.
    pub interval: Duration,
}

/// How to tell that a service answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitProbe {
    /// A TCP connection to `host:port` is accepted.
    Tcp(String),
    /// `GET` of this URL answers with a status from 200 to 399.
    Http(String),
    /// This script succeeds in the session.
    Command(String),
}

/// An approval to wait for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ApprovalSpec {
    /// What the person who approves is asked.
    pub prompt: Option<String>,
    /// How long to wait before the step times out; for ever by default.
    pub deadline: Option<Duration>,
}

/// A step that the embedding program registered under a name.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CustomSpec {
    /// The name it was registered under.
    pub step: String,
    /// What it is given.
    pub with: serde_json::Value,
}

impl StepSpec {
    /// A step that does `action`.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            name: None,
            action,
            when: StepWhen::default(),
            timeout: None,
            no_output_timeout: None,
            skip_if: None,
            allow_failure: false,
            env: BTreeMap::new(),
        }
    }

    /// A script, run by the shell of the job (`sh -e` by default).
    #[must_use]
    pub fn run(script: impl Into<String>) -> Self {
        Self::new(Action::Run(CommandSpec {
            program: crate::session::Program::Shell {
                shell: Vec::new(),
                script: script.into(),
            },
            dir: None,
            background: false,
            image: None,
        }))
    }

    /// A program and its arguments, with no shell between.
    #[must_use]
    pub fn argv<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        Self::new(Action::Run(CommandSpec {
            program: crate::session::Program::Argv(words.into_iter().map(Into::into).collect()),
            dir: None,
            background: false,
            image: None,
        }))
    }

    /// A step of the embedding program.
    #[must_use]
    pub fn code(step: impl Step + 'static) -> Self {
        Self::new(Action::Code(CodeStep::new(step)))
    }

    /// Brings the sources of the run's repository at its revision.
    #[must_use]
    pub fn checkout() -> Self {
        Self::new(Action::Checkout(CheckoutSpec::default()))
    }

    /// Brings back the first cache that matches one of the key templates.
    #[must_use]
    pub fn restore_cache<S: Into<String>>(keys: impl IntoIterator<Item = S>) -> Self {
        let keys = keys.into_iter().map(Into::into).collect();
        Self::new(Action::RestoreCache(RestoreCacheSpec {
            keys,
            lookup: CacheLookup::default(),
        }))
    }

    /// Saves `paths` under a key template.
    #[must_use]
    pub fn save_cache<S: Into<String>>(
        key: impl Into<String>,
        paths: impl IntoIterator<Item = S>,
    ) -> Self {
        let paths = paths.into_iter().map(Into::into).collect();
        Self::new(Action::SaveCache(SaveCacheSpec {
            key: key.into(),
            paths,
        }))
    }

    /// Adds `paths` under `root` to the workspace of the run.
    #[must_use]
    pub fn persist_workspace<S: Into<String>>(
        root: impl Into<String>,
        paths: impl IntoIterator<Item = S>,
    ) -> Self {
        let paths = paths.into_iter().map(Into::into).collect();
        Self::new(Action::PersistWorkspace(WorkspaceSpec {
            root: root.into(),
            paths,
            ..WorkspaceSpec::default()
        }))
    }

    /// Brings the workspace of the run to `root`.
    #[must_use]
    pub fn attach_workspace(root: impl Into<String>) -> Self {
        let root = root.into();
        Self::new(Action::AttachWorkspace(WorkspaceSpec {
            root,
            ..WorkspaceSpec::default()
        }))
    }

    /// Keeps files as artifacts.
    #[must_use]
    pub fn store_artifacts<S: Into<String>>(paths: impl IntoIterator<Item = S>) -> Self {
        Self::new(Action::StoreArtifacts(PathsSpec::new(paths)))
    }

    /// Keeps test results.
    #[must_use]
    pub fn store_test_results<S: Into<String>>(paths: impl IntoIterator<Item = S>) -> Self {
        Self::new(Action::StoreTestResults(PathsSpec::new(paths)))
    }

    /// Keeps coverage reports.
    #[must_use]
    pub fn store_coverage<S: Into<String>>(paths: impl IntoIterator<Item = S>) -> Self {
        Self::new(Action::StoreCoverage(PathsSpec::new(paths)))
    }

    /// Keeps values that were measured: JSON, `OpenMetrics`, criterion's and pytest-benchmark's files.
    #[must_use]
    pub fn store_metrics<S: Into<String>>(paths: impl IntoIterator<Item = S>) -> Self {
        Self::new(Action::StoreMetrics(PathsSpec::new(paths)))
    }

    /// Keeps the reports of scanners and linters: SARIF and the other forms that are known.
    #[must_use]
    pub fn store_findings<S: Into<String>>(paths: impl IntoIterator<Item = S>) -> Self {
        Self::new(Action::StoreFindings(PathsSpec::new(paths)))
    }

    /// Waits up to `deadline` until `probe` answers.
    #[must_use]
    pub fn wait_for(probe: WaitProbe, deadline: Duration) -> Self {
        let interval = Duration::from_millis(250);
        Self::new(Action::WaitFor(WaitSpec {
            probe,
            deadline,
            interval,
        }))
    }

    /// Waits until somebody approves.
    #[must_use]
    pub fn approval(prompt: impl Into<String>) -> Self {
        Self::new(Action::Approval(ApprovalSpec {
            prompt: Some(prompt.into()),
            deadline: None,
        }))
    }

    /// Names the step.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says after which outcomes the step runs.
    #[must_use]
    pub fn when(mut self, when: StepWhen) -> Self {
        self.when = when;
        self
    }

    /// Limits how long the step may take.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Limits how long the step may be silent.
    #[must_use]
    pub fn no_output_timeout(mut self, limit: Duration) -> Self {
        self.no_output_timeout = Some(limit);
        self
    }

    /// Leaves the step out where this script succeeds in the session of the job.
    #[must_use]
    pub fn skip_if(mut self, script: impl Into<String>) -> Self {
        self.skip_if = Some(script.into());
        self
    }

    /// Lets the job go on when the step fails.
    #[must_use]
    pub fn allow_failure(mut self) -> Self {
        self.allow_failure = true;
        self
    }

    /// Sets a variable for this step.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Lets a command run beside the following steps, until the job ends. Other actions ignore it.
    #[must_use]
    pub fn background(mut self) -> Self {
        if let Action::Run(command) = &mut self.action {
            command.background = true;
        }
        self
    }

    /// Runs a script with this shell, given as its words. Other actions ignore it.
    #[must_use]
    pub fn shell<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        if let Action::Run(CommandSpec {
            program: crate::session::Program::Shell { shell, .. },
            ..
        }) = &mut self.action
        {
            *shell = words.into_iter().map(Into::into).collect();
        }
        self
    }

    /// Runs a command in a container of this image, beside the job's. Other actions ignore it.
    #[must_use]
    pub fn image(mut self, name: impl Into<String>) -> Self {
        if let Action::Run(command) = &mut self.action {
            command.image = Some(name.into());
        }
        self
    }

    /// Runs a command in this directory. Other actions ignore it.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<String>) -> Self {
        if let Action::Run(command) = &mut self.action {
            command.dir = Some(dir.into());
        }
        self
    }

    /// What people see: the given name, or one made from the action.
    #[must_use]
    pub fn display_name(&self) -> Arc<str> {
        if let Some(name) = &self.name {
            return Arc::clone(name);
        }
        match &self.action {
            Action::Run(command) => match &command.program {
                crate::session::Program::Shell { script, .. } => {
                    script.trim().lines().next().unwrap_or("run").into()
                }
                crate::session::Program::Argv(words) => words.join(" ").into(),
            },
            Action::Code(code) => code.step().name().into(),
            Action::Custom(custom) => custom.step.as_str().into(),
            other => other.kind().replace('_', " ").into(),
        }
    }
}

impl PathsSpec {
    /// Keeps `paths` under their own names.
    #[must_use]
    pub fn new<S: Into<String>>(paths: impl IntoIterator<Item = S>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
}

impl Action {
    /// When the step wants the session of its job.
    #[must_use]
    pub fn session_use(&self) -> SessionUse {
        match self {
            Self::Code(code) => code.step().session_use(),
            Self::Approval(_) => SessionUse::OnDemand,
            _ => SessionUse::AtStart,
        }
    }

    /// The key that stands for the action in a spec file, such as `save_cache`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Checkout(_) => "checkout",
            Self::RestoreCache(_) => "restore_cache",
            Self::SaveCache(_) => "save_cache",
            Self::PersistWorkspace(_) => "persist_workspace",
            Self::AttachWorkspace(_) => "attach_workspace",
            Self::StoreArtifacts(_) => "store_artifacts",
            Self::StoreTestResults(_) => "store_test_results",
            Self::StoreCoverage(_) => "store_coverage",
            Self::StoreMetrics(_) => "store_metrics",
            Self::StoreFindings(_) => "store_findings",
            Self::WaitFor(_) => "wait_for",
            Self::Approval(_) => "approval",
            Self::Custom(_) => "use",
            Self::Code(_) => "code",
        }
    }
}
