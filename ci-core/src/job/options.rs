//! All of a job that most jobs leave at its default.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::LazyLock;

use super::{AllowFailure, Condition, GroupUse, Matrix, ReportRules, Retry, Start, Timeouts};

/// The policies and settings of a job. Jobs that set nothing share one value.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct JobOptions {
    /// Variables of every step.
    pub env: BTreeMap<String, String>,
    /// The named contexts whose secrets the job gets, which its run has to be given.
    pub contexts: Vec<String>,
    /// What the job needs of the machine it runs on.
    pub requires: Requirements,
    /// The shell of its scripts, as words; `sh -e -c` when empty.
    pub shell: Vec<String>,
    /// The directory its steps start in, relative to the session's own; `~` is the home.
    pub working_dir: Option<String>,
    /// Whether the job is part of the run.
    pub condition: Option<Condition>,
    /// When the job starts once its dependencies allow it.
    pub start: Start,
    /// Whether the job runs even after the run was canceled or ran out of time: for teardown.
    pub always: bool,
    /// Whether the job runs only if one of the jobs that it needs failed in a way that is not allowed.
    pub only_after_failure: bool,
    /// Which failures count as success.
    pub allow_failure: AllowFailure,
    /// Which failures are worth another attempt.
    pub retry: Retry,
    /// Its time limits.
    pub timeouts: Timeouts,
    /// The groups it belongs to.
    pub groups: Vec<GroupUse>,
    /// Jobs with a higher number go first; the critical path decides between equals.
    pub priority: i32,
    /// The values the job is repeated for.
    pub matrix: Option<Matrix>,
    /// Into how many equal shards the job is split.
    pub parallelism: Option<u32>,
    /// The stage or group it is shown in and whose time budget it uses.
    pub stage: Option<Arc<str>>,
    /// Whether a local job gets a home directory of its own; by default it does.
    pub private_home: Option<bool>,
    /// How its reports are judged.
    pub reports: ReportRules,
    /// Settings that only some executor understands, by name.
    pub extra: BTreeMap<String, serde_json::Value>,
}

/// What a job needs of the machine it runs on. With the project settings it decides the executor.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Requirements {
    /// The executor by name, where the job insists on one.
    pub executor: Option<String>,
    /// The container image.
    pub image: Option<String>,
    /// Containers beside the job's own.
    pub services: Vec<ServiceSpec>,
    /// The vendor's name for a size of machine, such as `large`.
    pub resource_class: Option<String>,
    /// Labels or tags that the executor must have.
    pub labels: Vec<String>,
    /// Operating system and architecture, such as `linux/arm64`.
    pub platform: Option<String>,
    /// Processor cores, in thousandths.
    pub cpu_milli: Option<u32>,
    /// Memory, in MiB.
    pub memory_mib: Option<u32>,
}

/// A container beside the job's own, such as a database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ServiceSpec {
    /// The image.
    pub image: String,
    /// The names it is reached under.
    pub aliases: Vec<String>,
    /// Its variables.
    pub env: BTreeMap<String, String>,
    /// What replaces the image's entry point.
    pub entrypoint: Vec<String>,
    /// What replaces the image's command.
    pub command: Vec<String>,
}

impl ServiceSpec {
    /// A container of `image`, reached as `alias`.
    #[must_use]
    pub fn new(image: impl Into<String>, alias: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            aliases: vec![alias.into()],
            ..Self::default()
        }
    }
}

static DEFAULT: LazyLock<Arc<JobOptions>> = LazyLock::new(Arc::default);

impl JobOptions {
    /// The one value that all jobs share that set nothing.
    pub(super) fn shared_default() -> Arc<Self> {
        Arc::clone(&DEFAULT)
    }

    /// Whether this is that value.
    pub(super) fn is_shared_default(&self) -> bool {
        std::ptr::eq(self, Arc::as_ptr(&DEFAULT))
    }
}
