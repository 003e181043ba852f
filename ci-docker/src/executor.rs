//! The executor that runs each job in a container of a Docker Engine.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use ci_core::executor::{
    Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapReport, ReapScope,
};
use ci_core::id::RunId;
use ci_core::session::Session;

use crate::engine::{Engine, Facts};
use crate::error::{DockerError, DockerErrorKind};
use crate::leaving::Leaving;
use crate::options::{DockerOptions, PullPolicy, Unmet};
use crate::pull::Pulls;
use crate::session::DockerSession;
use crate::sweep;

/// How long to wait before looking again for what the machine did not have.
const WAIT: Duration = Duration::from_secs(10);

/// Where an engine listens if nothing else is said.
const HOST: &str = "unix:///var/run/docker.sock";

/// Runs each job in a container of its own.
///
/// # How a command runs
/// The container's first process is a shell that waits for what it is told. A command is its child in a
/// session of its own, which costs milliseconds; where that cannot be, it is an exec of the engine's, which
/// costs twenty times as much: while another command runs, in an image without `mkfifo` and `setsid`,
/// with a variable whose name no shell can export, in a swarm, and after a command has left a process
/// behind that goes on writing to its output.
///
/// # Where a job works
/// In a directory of the container ([`work_dir`](Self::work_dir)) that is gone with it. The project's
/// directory is copied there, unless one of the job's steps is a checkout.
///
/// # How a job ends
/// A command that is stopped gets `SIGTERM` and after the grace period `SIGKILL`, and so does every
/// process that is of its session or has its variable `CI_CORE_COMMAND`. The container lives while the
/// engine's process holds a connection to it: when that process dies in any way, the container ends
/// and is removed within a second. A session has been torn down when its container has ended; the end
/// of the run waits until it is removed, too ([`settle`](Executor::settle)).
///
/// # What it cannot tell
/// A signal is known as a shell tells it, as the exit code `128 + signal`.
///
/// # Services
/// Each is a container beside the job's. One with the alias `localhost` shares the network of the job's
/// container; the others are reached under their aliases, in a network that only the job has. The steps
/// start when all services are ready: their health checks say so, or else one of the ports that their
/// images expose is open. One that ends or takes too long fails the job, and its log is shown. Services
/// have no connection to hold: after a dead engine [`reap`](Executor::reap) ends them.
///
/// # The project
/// It is copied into the working directory, or *is* that directory
/// ([`Workspace::Bind`](crate::Workspace::Bind)). A job that checks out, or whose own working directory
/// lies somewhere else, gets no copy.
#[derive(Clone)]
pub struct DockerExecutor {
    pub(crate) name: String,
    pub(crate) options: DockerOptions,
    grace: Option<Duration>,
    expires: Duration,
    engine: Arc<OnceLock<Engine>>,
    facts: Arc<tokio::sync::OnceCell<Facts>>,
    pub(crate) pulls: Arc<Pulls>,
    pub(crate) leaving: Arc<Leaving>,
}

/// Which engine answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineVersion {
    /// The version of the engine, such as `28.5.2`.
    pub engine: String,
    /// The newest version of the API that it speaks, such as `1.51`.
    pub api: String,
}

impl fmt::Debug for DockerExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerExecutor")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Default for DockerExecutor {
    fn default() -> Self {
        Self::new()
    }
}

impl DockerExecutor {
    /// An executor named `docker` on the engine of `DOCKER_HOST`, with no limit, no default image and
    /// ten seconds of grace. Nothing is connected to yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(DockerOptions::default())
    }

    /// An executor named `docker` with these options. Nothing is connected to yet.
    #[must_use]
    pub fn with_options(options: DockerOptions) -> Self {
        Self {
            name: "docker".to_owned(),
            options,
            grace: None,
            expires: Duration::from_hours(48),
            engine: Arc::default(),
            facts: Arc::default(),
            pulls: Arc::default(),
            leaving: Arc::default(),
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
        self.options.common.limit = NonZeroUsize::new(limit);
        self
    }

    /// Sets the engine, as `unix://<path>`, `tcp://<host>:<port>` or `ssh://<user>@<host>`,
    /// instead of that of `DOCKER_HOST`.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.options.common.host = Some(host.into());
        self.engine = Arc::default();
        self.facts = Arc::default();
        self
    }

    /// Sets the image of jobs that name none.
    #[must_use]
    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.options.common.image = Some(image.into());
        self
    }

    /// Sets when images are pulled.
    #[must_use]
    pub fn pull(mut self, policy: PullPolicy) -> Self {
        self.options.common.pull = policy;
        self
    }

    /// Sets who commands run as, in Docker's words (`user`, `uid` or `uid:gid`), instead of the
    /// image's own user.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.options.common.container.user = Some(user.into());
        self
    }

    /// Sets the directory of the container that jobs work in, absolute; `/work` by default.
    #[must_use]
    pub fn work_dir(mut self, dir: impl Into<String>) -> Self {
        self.options.common.work_dir = Some(dir.into());
        self
    }

    /// Leaves files of the project out when it is copied into the container, by a glob relative to
    /// the project's directory.
    #[must_use]
    pub fn exclude(mut self, glob: impl Into<String>) -> Self {
        self.options.common.exclude.push(glob.into());
        self
    }

    /// Sets how long processes may take to end after they were asked to.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Sets after what time anybody may remove containers whose owner cannot be seen, because it runs
    /// on another machine; 48 hours by default. Jobs have to be shorter.
    #[must_use]
    pub fn expires(mut self, after: Duration) -> Self {
        self.expires = after;
        self
    }

    /// Asks the engine who it is. An error of kind [`DockerErrorKind::Unreachable`] says that nobody
    /// answers.
    pub async fn engine_version(&self) -> Result<EngineVersion, DockerError> {
        let (engine, api) = self.engine()?.version().await?;
        Ok(EngineVersion { engine, api })
    }

    /// The engine's address.
    pub(crate) fn host_name(&self) -> String {
        let variable = || std::env::var("DOCKER_HOST").ok();
        let host = self.options.common.host.clone().or_else(variable);
        let host = host.filter(|host| !host.is_empty());
        host.unwrap_or_else(|| HOST.to_owned())
    }

    pub(crate) fn work_dir_name(&self) -> &str {
        self.options.common.work_dir.as_deref().unwrap_or("/work")
    }

    pub(crate) fn grace_period(&self) -> Duration {
        let seconds = self.options.common.grace.map(Duration::from_secs);
        self.grace.or(seconds).unwrap_or(Duration::from_secs(10))
    }

    /// After what time anybody may remove what a job leaves.
    pub(crate) fn expiry(&self) -> Duration {
        self.expires
    }

    /// What the engine's machine has; asked once.
    pub(crate) async fn facts(&self, engine: &Engine) -> Result<&Facts, DockerError> {
        self.facts.get_or_try_init(|| engine.facts()).await
    }

    pub(crate) fn engine(&self) -> Result<Engine, DockerError> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine.clone());
        }
        let engine = Engine::connect(
            &self.host_name(),
            self.options.common.certificates.as_deref(),
        )?;
        Ok(self.engine.get_or_init(|| engine).clone())
    }
}

#[async_trait]
impl Executor for DockerExecutor {
    fn name(&self) -> &str {
        &self.name
    }

    fn limit(&self) -> Option<usize> {
        self.options.common.limit.map(NonZeroUsize::get)
    }

    async fn prepare(
        &self,
        request: PrepareRequest<'_>,
    ) -> Result<Box<dyn Session>, ExecutorError> {
        let policy = self.options.common.unmet;
        until_met(policy, &request, || self.make(&request)).await
    }

    async fn settle(&self, run: RunId) -> Result<ReapReport, ExecutorError> {
        Ok(self.leaving.settle(run).await)
    }

    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
        if let ReapScope::Run(run) = scope {
            // What is on its way out is nothing that a dead process left; what stays is found again.
            self.leaving.settle(*run).await;
        }
        Ok(sweep::sweep(&self.engine()?, scope).await?)
    }
}

/// Makes a session. Of what there is not comes what `policy` says: a job that waits for it is looked at
/// again until there is what it asks for, or it is canceled.
pub(crate) async fn until_met<F>(
    policy: Unmet,
    request: &PrepareRequest<'_>,
    make: impl Fn() -> F,
) -> Result<Box<dyn Session>, ExecutorError>
where
    F: Future<Output = Result<DockerSession, DockerError>>,
{
    loop {
        let error = match make().await {
            Ok(session) => return Ok(Box::new(session)),
            Err(error) if error.kind() != DockerErrorKind::Unmet => return Err(error.into()),
            Err(error) => error,
        };
        match policy {
            Unmet::Fail => {
                let hint =
                    "`unmet: skip` or `unmet: wait` in the executor's options says otherwise";
                return Err(error.with_hint(hint).into());
            }
            Unmet::Skip => {
                let kind = ExecutorErrorKind::Skipped;
                return Err(ExecutorError::new(kind, error.to_string()).with_source(error));
            }
            Unmet::Wait => {
                let said = format!("waiting, because of what there is not: {error}");
                request.output.say(said).await;
            }
        }
        tokio::select! {
            biased;
            () = request.cancel.cancelled() => return Err(DockerError::canceled().into()),
            () = tokio::time::sleep(WAIT) => {}
        }
    }
}
