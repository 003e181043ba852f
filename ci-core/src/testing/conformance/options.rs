//! What the conformance kit has to know of an executor.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::machine;
use crate::job::JobSpec;

/// Whether a process whose command line holds these words is running on the machine of the session,
/// looked up from outside of the session.
pub type StillRunning = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// What the conformance kit has to know of an executor, and how much it asks of it.
#[non_exhaustive]
pub struct ConformanceOptions {
    /// The job that sessions are prepared for: its image, labels and the like.
    pub job: JobSpec,
    /// The directory of the project that sessions are prepared with.
    pub project_dir: Option<PathBuf>,
    /// The shell that the checks are written for, as words; `sh -e -c` by default.
    pub shell: Vec<String>,
    /// How long the executor waits after asking a process to end before it forces it.
    pub grace: Duration,
    /// How long preparing a session may take; ten minutes by default.
    pub start_up: Duration,
    /// How long anything else may take that should be quick; 30 seconds by default, because test
    /// machines are busy.
    pub patience: Duration,
    /// How long one check may take; ten minutes by default.
    pub longest: Duration,
    /// How many bytes the check of large output writes; 100 MiB by default.
    pub big_output: u64,
    /// How much the process may grow meanwhile, in bytes; 64 MiB by default. `None` where other work
    /// in the process makes the measure useless.
    pub memory: Option<u64>,
    /// The size of the one large file that is copied, in bytes; 50 MiB by default.
    pub big_file: usize,
    /// How many small files are copied; 10,000 by default.
    pub many_files: usize,
    /// Whether the executor can tell a signal from the exit code `128 + signal` of a shell; `true` by
    /// default. See [`ExitStatus::from_shell_code`](crate::session::ExitStatus::from_shell_code).
    pub exact_signals: bool,
    /// Looks for processes from outside. Checks that need it are skipped without it.
    pub still_running: Option<StillRunning>,
    /// Checks that are left out, and why. The report shows them; a name that no check has fails.
    pub skip: Vec<(String, String)>,
    /// If not empty, the only checks that run; the report shows the others as skipped.
    pub only: Vec<String>,
}

impl fmt::Debug for ConformanceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConformanceOptions")
            .field("grace", &self.grace)
            .field("big_output", &self.big_output)
            .field("exact_signals", &self.exact_signals)
            .field("still_running", &self.still_running.is_some())
            .field("skip", &self.skip)
            .finish_non_exhaustive()
    }
}

impl ConformanceOptions {
    /// The full suite for an executor with this grace period.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self {
            job: JobSpec::new("conformance"),
            project_dir: None,
            shell: ["sh", "-e", "-c"].map(str::to_owned).to_vec(),
            grace,
            start_up: Duration::from_mins(10),
            patience: Duration::from_secs(30),
            longest: Duration::from_mins(10),
            big_output: 100 << 20,
            memory: Some(64 << 20),
            big_file: 50 << 20,
            many_files: 10_000,
            exact_signals: true,
            still_running: None,
            skip: Vec::new(),
            only: Vec::new(),
        }
    }

    /// Leaves a check out.
    #[must_use]
    pub fn skip(mut self, check: impl Into<String>, reason: impl Into<String>) -> Self {
        self.skip.push((check.into(), reason.into()));
        self
    }

    /// Runs this check (and those named before) and no other.
    #[must_use]
    pub fn only(mut self, check: impl Into<String>) -> Self {
        self.only.push(check.into());
        self
    }

    /// Sets what looks for processes from outside.
    #[must_use]
    pub fn still_running(mut self, look: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.still_running = Some(Box::new(look));
        self
    }

    /// Looks for processes on this machine, containers on it included, where it can: on Linux, as a
    /// user who may see them.
    #[must_use]
    pub fn watch_this_machine(mut self) -> Self {
        if machine::CAN_LOOK {
            self.still_running = Some(Box::new(machine::runs));
        }
        self
    }
}
