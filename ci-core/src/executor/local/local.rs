//! The executor of this machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;

use super::session::{LocalSession, SessionPlan};
use super::tree::{self, Marks};
use super::{dirs, env, process};
use crate::executor::{
    Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapReport, ReapScope,
};
use crate::session::Session;
use crate::step::Action;

/// Runs jobs as processes on this machine.
///
/// A job works in the directory of the project, or in an empty one of its own if one of its steps
/// checks the sources out. It gets a home directory of its own, and of this process's variables only
/// those that say where programs are, how to show text and how to reach the network.
///
/// On Linux the first executor makes this process the reaper of orphaned descendants
/// (`PR_SET_CHILD_SUBREAPER`, prctl(2)), for the whole process; [`subreaper`](Self::subreaper) turns
/// that off.
#[derive(Debug, Clone)]
pub struct LocalExecutor {
    shared: Arc<Shared>,
}

/// How the executor treats jobs.
#[derive(Debug)]
pub(super) struct Shared {
    name: String,
    limit: Option<usize>,
    pub(super) grace: Duration,
    root: PathBuf,
    inherit_all: bool,
    isolated: bool,
    subreaper: bool,
    sessions: AtomicU64,
    /// What of this process's variables jobs see; found out once.
    variables: OnceLock<Arc<BTreeMap<String, String>>>,
}

impl Clone for Shared {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            limit: self.limit,
            grace: self.grace,
            root: self.root.clone(),
            inherit_all: self.inherit_all,
            isolated: self.isolated,
            subreaper: self.subreaper,
            sessions: AtomicU64::new(0),
            variables: OnceLock::new(),
        }
    }
}

impl Default for LocalExecutor {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalExecutor {
    /// The executor `local`, with ten seconds between asking a process to end and forcing it.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                name: "local".to_owned(),
                limit: None,
                grace: Duration::from_secs(10),
                root: std::env::temp_dir().join(format!("ci-core-{}", user())),
                inherit_all: false,
                isolated: false,
                subreaper: true,
                sessions: AtomicU64::new(0),
                variables: OnceLock::new(),
            }),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }

    /// Names the executor, for settings and jobs to pick it.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        self.with(|shared| shared.name = name.into())
    }

    /// How many jobs it runs at once.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        self.with(|shared| shared.limit = Some(limit))
    }

    /// The time between asking a process to end and forcing it.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        self.with(|shared| shared.grace = grace)
    }

    /// The directory for homes and checkouts, removed when their job ends.
    #[must_use]
    pub fn root(self, root: impl Into<PathBuf>) -> Self {
        self.with(|shared| shared.root = root.into())
    }

    /// Gives every job an empty working directory of its own, also those that check nothing out.
    #[must_use]
    pub fn isolated(self) -> Self {
        self.with(|shared| shared.isolated = true)
    }

    /// Lets jobs see all variables of this process.
    #[must_use]
    pub fn inherit_all_env(self) -> Self {
        self.with(|shared| shared.inherit_all = true)
    }

    /// Whether this process becomes the reaper of orphaned descendants; it does by default.
    #[must_use]
    pub fn subreaper(self, claim: bool) -> Self {
        self.with(|shared| shared.subreaper = claim)
    }
}

#[async_trait]
impl Executor for LocalExecutor {
    fn name(&self) -> &str {
        &self.shared.name
    }

    fn limit(&self) -> Option<usize> {
        self.shared.limit
    }

    async fn prepare(
        &self,
        request: PrepareRequest<'_>,
    ) -> Result<Box<dyn Session>, ExecutorError> {
        let shared = &self.shared;
        if let Some(image) = &request.job.options.requires.image {
            let message = format!(
                "`{}` runs in no container, and the job wants `{image}`",
                shared.name
            );
            return Err(ExecutorError::new(ExecutorErrorKind::Unsupported, message)
                .with_hint("substitute the image by `local` in the project settings"));
        }
        if shared.subreaper {
            process::adopt_orphans();
        }
        let number = shared.sessions.fetch_add(1, Ordering::Relaxed);
        let run_dir = dirs::run_dir(&shared.root, request.run);
        let checks_out = request
            .job
            .steps
            .iter()
            .any(|step| matches!(step.action, Action::Checkout(_)));
        let own_dir = (shared.isolated || checks_out || request.project_dir.is_none())
            .then(|| run_dir.join(format!("work-{number}")));
        let own_home = request.job.options.private_home.unwrap_or(true);
        let real_home = home();
        let home = if own_home {
            run_dir.join(format!("home-{number}"))
        } else {
            real_home.clone()
        };
        let inherited = shared.variables.get_or_init(|| {
            let mut variables = env::inherited(std::env::vars(), shared.inherit_all);
            variables.extend(env::tool_homes(&real_home));
            Arc::new(variables)
        });
        let marks = Marks {
            run: request.run.to_string(),
            session: Some(format!("{}-{number}", std::process::id())),
            command: None,
        };
        let plan = SessionPlan {
            executor: shared.name.clone(),
            work_dir: own_dir.clone().or(request.project_dir).unwrap_or_default(),
            own_dirs: own_dir
                .into_iter()
                .chain(own_home.then(|| home.clone()))
                .collect(),
            run_dir,
            home,
            inherited: Arc::clone(inherited),
            env: request.env.clone(),
            marks,
            grace: shared.grace,
        };
        Ok(Box::new(LocalSession::new(plan)))
    }

    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
        let mut report = ReapReport::default();
        for run in self.runs_in(scope) {
            let marks = Marks {
                run: run.to_string(),
                session: None,
                command: None,
            };
            let ended = tree::end(&marks, &[], self.shared.grace).await;
            report
                .removed
                .extend(ended.ended.iter().map(|pid| format!("process {pid}")));
            report
                .left
                .extend(ended.left.iter().map(|pid| format!("process {pid}")));
            let dir = dirs::run_dir(&self.shared.root, run);
            if dir.is_dir() {
                match dirs::remove(&dir) {
                    Ok(()) => report
                        .removed
                        .push(format!("directory `{}`", dir.display())),
                    Err(error) => {
                        report
                            .left
                            .push(format!("directory `{}`: {error}", dir.display()));
                    }
                }
            }
        }
        Ok(report)
    }
}

impl LocalExecutor {
    /// The runs to clean up after: the given one, or all with a directory whose owner is gone.
    fn runs_in(&self, scope: &ReapScope) -> Vec<crate::id::RunId> {
        match scope {
            ReapScope::Run(run) => vec![*run],
            ReapScope::Abandoned => {
                let entries = std::fs::read_dir(&self.shared.root)
                    .into_iter()
                    .flatten()
                    .flatten();
                entries
                    .filter(|entry| !process::owner_lives(&entry.path()))
                    .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
                    .collect()
            }
        }
    }
}

/// The user's home directory.
fn home() -> PathBuf {
    std::env::home_dir().unwrap_or_else(|| PathBuf::from("/"))
}

/// A name for the user, so that two users of a machine do not share a directory.
fn user() -> String {
    #[cfg(unix)]
    return rustix::process::getuid().as_raw().to_string();
    #[cfg(not(unix))]
    return std::env::var("USERNAME").unwrap_or_else(|_| "user".to_owned());
}
