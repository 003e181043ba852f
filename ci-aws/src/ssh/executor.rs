//! The executor that runs jobs on one machine that is reached over SSH.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use async_trait::async_trait;
use ci_core::archive::{PackRoot, pack_stream};
use ci_core::executor::{
    Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapReport, ReapScope,
};
use ci_core::session::{Session, SessionInfo};
use ci_core::step::{Action, StepSpec};
use tokio_util::sync::CancellationToken;

use super::args::{HostKey, Target};
use super::client::{Client, boot_text, run_once};
use super::error::{SshError, SshErrorKind};
use super::guard::{Guard, Orders, Place};
use super::session::SshSession;

/// Runs jobs on a machine that is reached over SSH.
///
/// The machine needs a POSIX shell with the usual small tools, and `tar`. Processes that leave their
/// group are found where there is a `/proc`. Exit codes above 128 are what a shell makes of signals;
/// see [`ExitStatus::from_shell_code`](ci_core::session::ExitStatus::from_shell_code).
///
/// A job works in an empty directory of its own, with a home and a place for temporary files that are
/// its own too. They go away with the session; also when this process is killed or the link breaks.
#[derive(Clone)]
pub struct SshExecutor {
    name: String,
    limit: Option<usize>,
    grace: Duration,
    lease: Duration,
    root: Option<String>,
    program: OsString,
    target: Target,
}

impl fmt::Debug for SshExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SshExecutor")
            .field("name", &self.name)
            .field("target", &self.target)
            .field("grace", &self.grace)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

impl SshExecutor {
    /// An executor named `ssh` for `destination`: a host, or a name in the `ssh` configuration, which
    /// may say everything else, jump hosts included. Ten seconds of grace, a lease of one minute.
    #[must_use]
    pub fn new(destination: impl Into<String>) -> Self {
        Self {
            name: "ssh".to_owned(),
            limit: None,
            grace: Duration::from_secs(10),
            lease: Duration::from_mins(1),
            root: None,
            program: "ssh".into(),
            target: Target {
                destination: destination.into(),
                port: None,
                user: None,
                identity: None,
                agent: None,
                host_key: HostKey::Known,
                config: None,
                connect_timeout: 15,
                alive: 10,
            },
        }
    }

    /// Sets the name by which settings and jobs pick it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how many sessions it can have at once.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Sets how long processes may take to end after they were asked to; whole seconds count.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets after how long a silence of this process the machine ends the session by itself; whole
    /// seconds count, one at least.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_secs(1));
        self
    }

    /// Sets the port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.target.port = Some(port);
        self
    }

    /// Sets the user.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.target.user = Some(user.into());
        self
    }

    /// Sets the file of the private key; no other key is tried then.
    #[must_use]
    pub fn identity(mut self, file: impl Into<PathBuf>) -> Self {
        self.target.identity = Some(file.into());
        self
    }

    /// Sets the socket of the agent that has the private key, in place of the user's agent.
    #[must_use]
    pub fn agent(mut self, socket: impl Into<PathBuf>) -> Self {
        self.target.agent = Some(socket.into());
        self
    }

    /// Sets how the machine proves that it is the right one.
    #[must_use]
    pub fn host_key(mut self, host_key: HostKey) -> Self {
        self.target.host_key = host_key;
        self
    }

    /// Sets the `ssh` configuration file, in place of the user's and the system's; `none` is no file.
    #[must_use]
    pub fn config_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.target.config = Some(file.into());
        self
    }

    /// Sets how long a connection may take to be made; whole seconds count.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.target.connect_timeout = timeout.as_secs().max(1);
        self
    }

    /// Sets the directory on the machine for the directories of sessions, an absolute path. It is made
    /// for the user alone. By default it is `/tmp/ci-core-<user>`.
    #[must_use]
    pub fn root(mut self, root: impl Into<String>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// Sets the `ssh` program.
    #[must_use]
    pub fn program(mut self, program: impl Into<OsString>) -> Self {
        self.program = program.into();
        self
    }

    fn client(&self) -> Result<Client, SshError> {
        Client::new(self.program.clone(), Arc::new(self.target.clone())).map_err(SshError::client)
    }

    /// As [`prepare`](Executor::prepare), with what only a session over SSH can do.
    ///
    /// # Errors
    /// As there.
    pub async fn open(&self, request: PrepareRequest<'_>) -> Result<SshSession, ExecutorError> {
        let canceled = || ExecutorError::new(ExecutorErrorKind::Canceled, "preparing was canceled");
        if request.cancel.is_cancelled() {
            return Err(canceled());
        }
        let root = self.root_dir()?;
        let client = self.client()?;
        let run = request.run.to_string();
        let session = uuid::Uuid::now_v7().simple().to_string();
        let orders = Orders {
            root,
            run: &run,
            session: &session,
            grace: self.grace,
            lease: self.lease,
        };
        let started = Guard::start(&client, &orders, &request.cancel).await?;
        let (guard, place) = started.ok_or_else(canceled)?;
        let (env, home) = variables(&request, &place);
        let session = SshSession {
            info: self.info(&place, home),
            client,
            guard,
            dir: place.dir,
            marker: format!("{run}/{session}"),
            env,
            grace: self.grace,
            next: AtomicU32::new(1),
            over: CancellationToken::new(),
        };
        match furnish(&session, &request).await {
            Ok(()) => Ok(session),
            Err(error) => {
                // What broke first is what there is to tell.
                let _ = session.teardown().await;
                Err(error)
            }
        }
    }

    /// The root, absolute. An empty one is worked out on the machine.
    fn root_dir(&self) -> Result<&str, ExecutorError> {
        match self.root.as_deref() {
            None => Ok(""),
            Some(root) if root.len() > 1 && root.starts_with('/') => Ok(root.trim_end_matches('/')),
            Some(root) => {
                let text = format!("the root `{root}` is not an absolute path");
                Err(ExecutorError::new(ExecutorErrorKind::Unsupported, text))
            }
        }
    }

    fn info(&self, place: &Place, home: String) -> SessionInfo {
        let mut info = SessionInfo::new(&self.name, format!("{}/work", place.dir), home);
        // As the standard library of Rust names them.
        info.os = match place.system.as_str() {
            "Darwin" => "macos".to_owned(),
            system => system.to_lowercase(),
        };
        info.arch = match place.machine.as_str() {
            "arm64" => "aarch64".to_owned(),
            "amd64" => "x86_64".to_owned(),
            machine => machine.to_owned(),
        };
        info
    }
}

/// The variables of every command of the job.
fn variables(request: &PrepareRequest<'_>, place: &Place) -> (BTreeMap<String, String>, String) {
    let home = match request.job.options.private_home {
        Some(false) => place.home.clone(),
        _ => format!("{}/home", place.dir),
    };
    let home = request.env.get("HOME").cloned().unwrap_or(home);
    let mut env = BTreeMap::from([
        ("CI".to_owned(), "true".to_owned()),
        ("HOME".to_owned(), home.clone()),
        ("TMPDIR".to_owned(), format!("{}/tmp", place.dir)),
    ]);
    env.extend(
        request
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    env.insert("CI_CORE_RUN".to_owned(), request.run.to_string());
    env.insert("CI_CORE_JOB".to_owned(), request.job.name.to_string());
    (env, home)
}

/// Copies the project, unless the job checks it out itself or works somewhere else, and makes the directory that steps start in.
async fn furnish(session: &SshSession, request: &PrepareRequest<'_>) -> Result<(), ExecutorError> {
    let mut trees = Vec::new();
    let is_checkout = |step: &StepSpec| matches!(step.action, Action::Checkout(_));
    let start = request.job.options.working_dir.as_deref();
    let is_elsewhere = start.is_some_and(|dir| dir.starts_with(['~', '/']));
    if let Some(project) = &request.project_dir
        && !is_elsewhere
        && !request.job.steps.iter().any(is_checkout)
    {
        trees.push((vec![PackRoot::new("", project)], "."));
    }
    if let Some(dir) = start {
        trees.push((Vec::new(), dir));
    }
    for (roots, dir) in trees {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            let text = format!("could not get the directory of the job ready: {error}");
            ExecutorError::new(ExecutorErrorKind::Other, text).with_source(error)
        };
        let tree = pack_stream(roots).map_err(|error| failed(error.into()))?;
        let copied = tokio::select! {
            copied = session.copy_in(tree, dir) => copied,
            () = request.cancel.cancelled() => {
                let text = "preparing was canceled";
                return Err(ExecutorError::new(ExecutorErrorKind::Canceled, text));
            }
        };
        copied.map_err(|error| failed(error.into()))?;
    }
    Ok(())
}

#[async_trait]
impl Executor for SshExecutor {
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
        Ok(Box::new(self.open(request).await?))
    }

    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
        let run = match scope {
            ReapScope::Run(run) => run.to_string(),
            ReapScope::Abandoned => String::new(),
            _ => {
                let text = "this scope of cleaning up is not known";
                return Err(ExecutorError::new(ExecutorErrorKind::Unsupported, text));
            }
        };
        let grace = self.grace.as_secs().to_string();
        let text = boot_text(&[
            ("mode", "reap"),
            ("root", self.root_dir()?),
            ("run", &run),
            ("session", ""),
            ("grace", &grace),
            ("lease", "1"),
        ]);
        let said = run_once(&self.client()?, &text).await?;
        let mut report = ReapReport::default();
        for line in said.lines() {
            if let Some(what) = line.strip_prefix("removed ") {
                report.removed.push(what.to_owned());
            } else if let Some(what) = line.strip_prefix("left ") {
                report.left.push(what.to_owned());
            }
        }
        if said.lines().next_back() != Some("done") {
            return Err(
                SshError::new(SshErrorKind::Lost, "the link broke while cleaning up").into(),
            );
        }
        Ok(report)
    }
}
