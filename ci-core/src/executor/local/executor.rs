//! The executor that runs jobs as processes on this machine.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::command::{Shells, Variables};
use super::dirs::{JobDir, Root};
use super::env::{self, Inheritance, Marker};
use super::process::{self, Options, Trees};
use super::remove;
use super::session::LocalSession;
use crate::executor::{
    Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapReport, ReapScope,
};
use crate::id::RunId;
use crate::session::{Session, SessionInfo};
use crate::step::Action;

/// Runs jobs as processes on this machine.
///
/// # Where a job works
/// In the project's directory; in an empty directory of its own if one of its steps is a checkout, or
/// if there is no project directory. [`in_place`](Self::in_place) and [`isolated`](Self::isolated)
/// decide for all jobs.
///
/// # What a job sees
/// Of the engine's own variables only those that find programs (`PATH`, `JAVA_HOME` and the like),
/// speak the user's language (`LANG`, `LC_*`, `TZ`, `TERM`, `SHELL`, `USER`) and reach the network
/// (proxies, certificates), unless [`inherit`](Self::inherit) or
/// [`inherit_all_env`](Self::inherit_all_env) says more. `HOME` and `TMPDIR` are private to the job
/// and go away with it; a job may keep the user's home
/// ([`private_home`](crate::job::JobOptions::private_home)). `CI` is `true` unless it is set,
/// `CI_CORE_RUN` and `CI_CORE_JOB` name the run and the job. `PWD` is the directory of the command.
///
/// # How a job ends
/// A command that is stopped gets a request to end (`SIGTERM`), after the grace period an order
/// (`SIGKILL`), and so does everything it started. When the session is torn down so does everything
/// that the job left behind. On Linux that finds processes that left their group or session as well:
/// by the marker `CI_CORE_COMMAND` in their environment, by a limit that they inherit and that has no
/// other use (`RLIMIT_RTTIME`), by descent, because the engine's process inherits orphans (it becomes a
/// *child subreaper*, see prctl(2)), and by a control group where one can be made below the engine's
/// own. What a command starts in its first moments, before it has the limit, may hide by leaving its
/// session, cleaning its environment and losing its parent. Elsewhere process groups (Unix) and job
/// objects (Windows) are ended.
#[derive(Clone)]
pub struct LocalExecutor {
    name: String,
    limit: Option<usize>,
    grace: Duration,
    place: Place,
    inheritance: Inheritance,
    subreaper: bool,
    cgroups: bool,
    root: Arc<Root>,
    /// Whether the root was chosen, and so does not follow the name.
    own_root: bool,
    /// What is looked up once, at the first job.
    machine: Arc<OnceLock<Machine>>,
}

/// What the engine's process gives to all jobs.
#[derive(Debug)]
struct Machine {
    env: Arc<BTreeMap<OsString, OsString>>,
    home: Option<PathBuf>,
    shells: Arc<Shells>,
    options: Options,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    ByJob,
    Project,
    Own,
}

impl fmt::Debug for LocalExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The variables that jobs inherit may hold secrets.
        f.debug_struct("LocalExecutor")
            .field("name", &self.name)
            .field("limit", &self.limit)
            .field("grace", &self.grace)
            .field("place", &self.place)
            .field("root", &self.root.path())
            .finish_non_exhaustive()
    }
}

impl Default for LocalExecutor {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalExecutor {
    /// An executor named `local` with no limit and ten seconds of grace.
    #[must_use]
    pub fn new() -> Self {
        Self {
            name: "local".to_owned(),
            limit: None,
            grace: Duration::from_secs(10),
            place: Place::ByJob,
            inheritance: Inheritance::default(),
            subreaper: true,
            cgroups: true,
            root: Arc::new(Root::new(Root::default_path("local"))),
            own_root: false,
            machine: Arc::default(),
        }
    }

    /// Sets the name by which settings and jobs pick it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        if !self.own_root {
            self.root = Arc::new(Root::new(Root::default_path(&self.name)));
        }
        self
    }

    /// Sets how many sessions it can have at once.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Sets how long processes may take to end after they were asked to.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets where private directories go. What does not exist is made, for this user only. By default
    /// it is `ci-core-<uid>` in the system's directory for temporary files, with the executor's name
    /// behind it unless that is `local`.
    #[must_use]
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Arc::new(Root::new(root.into()));
        self.own_root = true;
        self
    }

    /// Lets every job work in the project's directory, also those with a checkout.
    #[must_use]
    pub fn in_place(mut self) -> Self {
        self.place = Place::Project;
        self
    }

    /// Gives every job an empty directory of its own to work in.
    #[must_use]
    pub fn isolated(mut self) -> Self {
        self.place = Place::Own;
        self
    }

    /// Lets jobs inherit one more variable of the engine's environment.
    #[must_use]
    pub fn inherit(mut self, variable: impl Into<String>) -> Self {
        self.inheritance.also(variable.into());
        self.machine = Arc::default();
        self
    }

    /// Lets jobs inherit the engine's whole environment.
    #[must_use]
    pub fn inherit_all_env(mut self) -> Self {
        self.inheritance.all();
        self.machine = Arc::default();
        self
    }

    /// Whether the engine's process becomes a child subreaper (Linux; by default it does). That holds
    /// for the whole process and does not end: orphans of processes that the host program started
    /// become its children too. Without it the end of each session reads the whole process table.
    #[must_use]
    pub fn subreaper(mut self, subreaper: bool) -> Self {
        self.subreaper = subreaper;
        self.machine = Arc::default();
        self
    }

    /// Whether control groups are used where they can be made (Linux; by default they are).
    #[must_use]
    pub fn cgroups(mut self, cgroups: bool) -> Self {
        self.cgroups = cgroups;
        self.machine = Arc::default();
        self
    }

    fn machine(&self) -> &Machine {
        self.machine.get_or_init(|| {
            let mut env = self.inheritance.pick(std::env::vars_os());
            let home = std::env::home_dir();
            // The programs that rustup puts into `PATH` look for their toolchains from the home.
            if let Some(rustup) = home.as_ref().map(|home| home.join(".rustup"))
                && rustup.is_dir()
            {
                env.entry("RUSTUP_HOME".into()).or_insert(rustup.into());
            }
            // An engine inside a job keeps the marker of the job around it.
            if let Some(outer) = std::env::var_os(env::COMMAND) {
                env.insert(env::COMMAND.into(), outer);
            }
            Machine {
                env: Arc::new(env),
                home,
                shells: Arc::default(),
                options: Options::new(self.subreaper, self.cgroups),
            }
        })
    }

    /// The directory that the job works in; `None` for one of its own.
    fn project_dir(&self, request: &PrepareRequest<'_>) -> Option<PathBuf> {
        let project = request.project_dir.as_deref()?;
        let is_checkout = |action: &Action| matches!(action, Action::Checkout(_));
        let own = match self.place {
            Place::Project => false,
            Place::Own => true,
            Place::ByJob => request
                .job
                .steps
                .iter()
                .any(|step| is_checkout(&step.action)),
        };
        if own {
            return None;
        }
        Some(std::path::absolute(project).unwrap_or_else(|_| project.to_owned()))
    }

    /// The variables of every command of the job.
    fn variables(&self, request: &PrepareRequest<'_>, home: &Path, tmp: &Path) -> Variables {
        let base = Arc::clone(&self.machine().env);
        let mut job = BTreeMap::new();
        if !base.contains_key(OsStr::new("CI")) {
            job.insert("CI".into(), "true".into());
        }
        for (names, path) in [(HOME, home), (TMP, tmp)] {
            job.extend(names.iter().map(|name| ((*name).into(), path.into())));
        }
        let own = request.env.iter();
        job.extend(own.map(|(name, value)| (name.into(), value.into())));
        job.insert(env::RUN.into(), request.run.to_string().into());
        job.insert(env::JOB.into(), (&*request.job.name).into());
        let shells = Arc::clone(&self.machine().shells);
        Variables { base, job, shells }
    }

    /// What a session shows of its places, and where it works, with the directories made that steps start in.
    fn places(
        &self,
        request: &PrepareRequest<'_>,
        dir: &JobDir,
        home: &Path,
    ) -> Result<(SessionInfo, PathBuf), ExecutorError> {
        let work_dir = if let Some(project) = self.project_dir(request) {
            project
        } else {
            dir.make_work()
                .map_err(|error| failed("make a directory to work in", error))?;
            dir.work()
        };
        let mut info = SessionInfo::new(&self.name, in_words(&work_dir)?, in_words(home)?);
        info.host_work_dir = Some(work_dir.clone());
        if let Some(start) = &request.job.options.working_dir {
            let start = info.resolve(start);
            let what = format!("make the job's working directory `{start}`");
            dir.make()
                .and_then(|()| std::fs::create_dir_all(&start))
                .map_err(|error| failed(&what, error))?;
        }
        Ok((info, work_dir))
    }

    /// The home directory of the job.
    fn home(&self, request: &PrepareRequest<'_>, dir: &JobDir) -> PathBuf {
        let set = request.env.get("HOME").map(PathBuf::from);
        let user = (request.job.options.private_home == Some(false))
            .then(|| self.machine().home.clone())
            .flatten();
        set.or(user).unwrap_or_else(|| dir.home())
    }
}

/// The variables that name the home directory.
const HOME: &[&str] = if cfg!(windows) {
    &["HOME", "USERPROFILE"]
} else {
    &["HOME"]
};

/// The variables that name the directory for temporary files.
const TMP: &[&str] = if cfg!(windows) {
    &["TMP", "TEMP"]
} else {
    &["TMPDIR"]
};

#[async_trait]
impl Executor for LocalExecutor {
    fn name(&self) -> &str {
        &self.name
    }

    fn limit(&self) -> Option<usize> {
        self.limit
    }

    async fn prepare(
        &self,
        request: PrepareRequest<'_>,
    ) -> Result<Box<dyn Session>, ExecutorError> {
        if request.cancel.is_cancelled() {
            let text = "preparing was canceled";
            return Err(ExecutorError::new(ExecutorErrorKind::Canceled, text));
        }
        let dir = self.root.job(request.run);
        let home = self.home(&request, &dir);
        let (info, work_dir) = match self.places(&request, &dir, &home) {
            Ok(places) => places,
            Err(error) => {
                // What could not be removed either is found by `reap`.
                let _ = dir.remove();
                return Err(error);
            }
        };
        let marker = Marker::new(request.run);
        let shelf = Arc::new(dir.shelf());
        Ok(Box::new(LocalSession {
            info,
            work_dir,
            variables: self.variables(&request, &home, &dir.tmp()),
            dir: Arc::new(dir),
            shelf,
            trees: Trees::new(marker, self.machine().options.clone()),
            grace: self.grace,
            over: CancellationToken::new(),
        }))
    }

    async fn settle(&self, run: RunId) -> Result<ReapReport, ExecutorError> {
        let mut report = ReapReport::default();
        if let Some(shelf) = self.root.shelf(run) {
            let cleared = tokio::task::spawn_blocking(move || shelf.clear()).await;
            if let Err(error) = cleared.unwrap_or_else(|error| Err(io::Error::other(error))) {
                report.left.push(error.to_string());
            }
        }
        Ok(report)
    }

    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
        let only = match scope {
            ReapScope::Run(run) => Some(*run),
            ReapScope::Abandoned => None,
        };
        let explain = |error| failed("look for abandoned runs", error);
        let left = self.in_root(move |root| root.left(only)).await;
        let left = left.map_err(explain)?;
        let mut report = ReapReport::default();
        let mut is_ended = false;
        for path in left.runs {
            let found = self.in_root(move |root| root.open_abandoned(path)).await;
            let Some(found) = found.map_err(explain)? else {
                continue;
            };
            if only.is_some_and(|run| run != found.run) {
                continue;
            }
            self.end(found.run, &mut report).await;
            is_ended = true;
            let text = format!("directory `{}`", found.path.display());
            let removed = self.in_root(move |_| found.remove()).await;
            note_removal(&mut report, text, removed);
        }
        if let Some(run) = only
            && !is_ended
        {
            self.end(run, &mut report).await;
            self.root.forget(run);
        }
        for path in left.aside {
            let text = format!("directory `{}`", path.display());
            let removed = self.in_root(move |_| remove::tree(&path)).await;
            note_removal(&mut report, text, removed);
        }
        Ok(report)
    }
}

fn note_removal(report: &mut ReapReport, what: String, removed: io::Result<()>) {
    match removed {
        Ok(()) => report.removed.push(what),
        Err(error) => report.left.push(format!("{what}: {error}")),
    }
}

impl LocalExecutor {
    /// Ends the processes of a run.
    async fn end(&self, run: RunId, report: &mut ReapReport) {
        let options = &self.machine().options;
        let (ended, left) = process::reap(run, options, self.grace).await;
        report.removed.extend(ended);
        report.left.extend(left);
    }

    /// Does with the directories what may block.
    async fn in_root<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Root) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let root = Arc::clone(&self.root);
        tokio::task::spawn_blocking(move || work(&root))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

fn in_words(path: &Path) -> Result<String, ExecutorError> {
    path.to_str().map(ToOwned::to_owned).ok_or_else(|| {
        let text = format!("the path `{}` is not valid UTF-8", path.display());
        ExecutorError::new(ExecutorErrorKind::Unsupported, text)
    })
}

fn failed(what: &str, error: io::Error) -> ExecutorError {
    ExecutorError::new(ExecutorErrorKind::Other, format!("could not {what}")).with_source(error)
}
