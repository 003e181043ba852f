//! The executor that runs each job in a container of a Docker Engine.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use ci_core::archive::{self, PackRoot};
use ci_core::executor::{
    Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapReport, ReapScope,
};
use ci_core::session::{Output, Session, SessionInfo};
use ci_core::step::Action;
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::command;
use crate::container::Container;
use crate::copy::{self, Owner};
use crate::engine::{ContainerSpec, Engine};
use crate::error::{DockerError, DockerErrorKind};
use crate::session::DockerSession;
use crate::{labels, script, sweep};

/// Where an engine listens if nothing else is said.
const HOST: &str = "unix:///var/run/docker.sock";

/// Runs each job in a container of its own, and each command of it as an exec in there.
///
/// # Where a job works
/// In a directory of the container ([`work_dir`](Self::work_dir)) that is gone with it. The project's
/// directory is copied there, unless one of the job's steps is a checkout.
///
/// # How a job ends
/// A command that is stopped gets `SIGTERM` and after the grace period `SIGKILL`, and so does every
/// process that is of its session or has its variable `CI_CORE_COMMAND`. The container lives while the
/// engine's process holds a connection to it: when that process dies in any way, the container ends
/// and is removed within a second.
///
/// # What it cannot tell
/// A signal is known as a shell tells it, as the exit code `128 + signal`.
#[derive(Clone)]
pub struct DockerExecutor {
    name: String,
    limit: Option<usize>,
    host: Option<String>,
    image: Option<String>,
    pull: PullPolicy,
    user: Option<String>,
    work_dir: String,
    exclude: Vec<String>,
    grace: Duration,
    expires: Duration,
    engine: Arc<OnceLock<Engine>>,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PullPolicy {
    /// If the engine does not have it.
    #[default]
    IfMissing,
    /// Before every job.
    Always,
    /// Never: an image that the engine does not have is an error.
    Never,
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
            .field("host", &self.host)
            .field("image", &self.image)
            .field("pull", &self.pull)
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
        Self {
            name: "docker".to_owned(),
            limit: None,
            host: None,
            image: None,
            pull: PullPolicy::default(),
            user: None,
            work_dir: "/work".to_owned(),
            exclude: Vec::new(),
            grace: Duration::from_secs(10),
            expires: Duration::from_hours(48),
            engine: Arc::default(),
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

    /// Sets the engine, as `unix://<path>` or `tcp://<host>:<port>`, instead of that of `DOCKER_HOST`.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self.engine = Arc::default();
        self
    }

    /// Sets the image of jobs that name none.
    #[must_use]
    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// Sets when images are pulled.
    #[must_use]
    pub fn pull(mut self, policy: PullPolicy) -> Self {
        self.pull = policy;
        self
    }

    /// Sets who commands run as, in Docker's words (`user`, `uid` or `uid:gid`), instead of the
    /// image's own user.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Sets the directory of the container that jobs work in, absolute; `/work` by default.
    #[must_use]
    pub fn work_dir(mut self, dir: impl Into<String>) -> Self {
        self.work_dir = dir.into();
        self
    }

    /// Leaves files of the project out when it is copied into the container, by a glob relative to
    /// the project's directory.
    #[must_use]
    pub fn exclude(mut self, glob: impl Into<String>) -> Self {
        self.exclude.push(glob.into());
        self
    }

    /// Sets how long processes may take to end after they were asked to.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
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

    fn engine(&self) -> Result<Engine, DockerError> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine.clone());
        }
        let host = self.host.clone();
        let host = host.or_else(|| {
            std::env::var("DOCKER_HOST")
                .ok()
                .filter(|host| !host.is_empty())
        });
        let engine = Engine::connect(host.as_deref().unwrap_or(HOST))?;
        Ok(self.engine.get_or_init(|| engine).clone())
    }

    /// The container to make for a request, if it can be made here.
    fn spec(&self, request: &PrepareRequest<'_>) -> Result<ContainerSpec, DockerError> {
        let requires = &request.job.options.requires;
        let refused = |text: String| DockerError::new(DockerErrorKind::Refused, text);
        let image = requires.image.as_ref().or(self.image.as_ref());
        let image = image.filter(|image| !image.is_empty()).ok_or_else(|| {
            refused(format!("the job `{}` names no image", request.job.name))
                .with_hint("name an image in the job, or a default image for the executor")
        })?;
        if let Some(service) = requires.services.first() {
            let text = format!("the service `{}` cannot be started here yet", service.image);
            return Err(refused(text));
        }
        if !self.work_dir.starts_with('/') {
            return Err(refused(format!(
                "the directory `{}` is not absolute",
                self.work_dir
            )));
        }
        Ok(ContainerSpec {
            name: format!("ci-core-{}", uuid::Uuid::now_v7().simple()),
            image: image.clone(),
            command: ["sh", "-c", script::DEADMAN].map(str::to_owned).to_vec(),
            user: self.user.clone(),
            labels: labels::of_job(request.run, &request.job.name, self.expires),
            scratch: script::PRIVATE.to_owned(),
            platform: requires.platform.clone(),
            cpu_milli: requires.cpu_milli,
            memory_mib: requires.memory_mib,
        })
    }

    /// Sees to it that the engine has the image, and gives its operating system and processor.
    async fn provide(
        &self,
        engine: &Engine,
        spec: &ContainerSpec,
        output: &Output,
    ) -> Result<(String, String), DockerError> {
        let image = &spec.image;
        let found = engine.image(image).await?;
        match (found, self.pull) {
            (Some(found), PullPolicy::IfMissing | PullPolicy::Never) => return Ok(found),
            (None, PullPolicy::Never) => {
                let text = format!("the engine does not have the image `{image}`");
                return Err(DockerError::new(DockerErrorKind::NotFound, text)
                    .with_hint("images are never pulled here: pull or build it before"));
            }
            (_, PullPolicy::Always | PullPolicy::IfMissing) => {}
        }
        output.say(format!("pulling the image {image}")).await;
        // Each layer tells the same again and again while its bytes come.
        let mut told = HashSet::new();
        let mut progress = engine.pull(image, spec.platform.as_deref());
        while let Some(line) = progress.next().await {
            let line = line.map_err(|error| {
                error.with_hint(format!(
                    "is `{image}` the name of an image that may be pulled?"
                ))
            })?;
            if !told.contains(&line) {
                output.say(&line).await;
                told.insert(line);
            }
        }
        engine.image(image).await?.ok_or_else(|| {
            let text = format!("the engine does not have the image `{image}` after pulling it");
            DockerError::new(DockerErrorKind::NotFound, text)
        })
    }

    /// Makes the container and the places in it.
    async fn make(
        self,
        engine: Engine,
        spec: ContainerSpec,
    ) -> Result<(Container, Places), DockerError> {
        let mut container = Container::start(engine, spec).await?;
        match self.places(&container).await {
            Ok(places) => {
                if places.owner.user != 0 {
                    container.commands_have_own_user();
                }
                Ok((container, places))
            }
            Err(error) => {
                let error = container.first_error(error).await;
                let _ = container.remove().await;
                Err(error)
            }
        }
    }

    async fn places(&self, container: &Container) -> Result<Places, DockerError> {
        const SPARE_HOME: &str = "/home/ci-core";
        let what = "find out who commands run as";
        let who = container.script_ok(what, script::WHO, &[], false).await?;
        let mut lines = who.splitn(3, '\n');
        let mut number = || lines.next().and_then(|line| line.trim().parse().ok());
        let (Some(user), Some(group)) = (number(), number()) else {
            let text = format!("could not {what}: `{}`", who.trim_end());
            return Err(DockerError::new(DockerErrorKind::Other, text));
        };
        let home = lines.next().filter(|home| home.starts_with('/'));
        let home = home.unwrap_or(SPARE_HOME).to_owned();
        let owner = if user == 0 {
            String::new()
        } else {
            format!("{user}:{group}")
        };
        let arguments = [self.work_dir.as_str(), SPARE_HOME, &owner];
        let what = "make the directories of the job";
        container
            .script_ok(what, script::MAKE_PLACES, &arguments, true)
            .await?;
        Ok(Places {
            owner: Owner { user, group },
            home,
        })
    }

    /// Copies the project's directory into the container, unless a step checks it out.
    async fn copy_project(
        &self,
        request: &PrepareRequest<'_>,
        container: &Container,
        owner: Owner,
    ) -> Result<(), ExecutorError> {
        let is_checkout = |action: &Action| matches!(action, Action::Checkout(_));
        let checks_out = request
            .job
            .steps
            .iter()
            .any(|step| is_checkout(&step.action));
        let Some(project) = request.project_dir.clone().filter(|_| !checks_out) else {
            return Ok(());
        };
        let root = PackRoot::new("", project).exclude(self.exclude.iter().cloned());
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            let text = "could not copy the project into the container";
            ExecutorError::new(ExecutorErrorKind::Other, text).with_source(error)
        };
        let tree = archive::pack_stream(vec![root]).map_err(|error| failed(error.into()))?;
        let copied = copy::copy_in(container, tree, &self.work_dir, owner);
        copied.await.map_err(|error| failed(error.into()))
    }
}

/// What is known of a container's inside.
struct Places {
    owner: Owner,
    home: String,
}

#[async_trait]
impl Executor for DockerExecutor {
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
            return Err(DockerError::canceled().into());
        }
        let spec = self.spec(&request)?;
        let engine = self.engine()?;
        let (os, arch) = tokio::select! {
            provided = self.provide(&engine, &spec, &request.output) => provided?,
            () = request.cancel.cancelled() => return Err(DockerError::canceled().into()),
        };
        // In a task of its own: it cleans up after itself also if nobody waits for it any more.
        let making = tokio::spawn(self.clone().make(engine, spec));
        let made = making.await.unwrap_or_else(|error| {
            let text = "making the container did not end";
            Err(DockerError::new(DockerErrorKind::Other, text).with_source(error))
        });
        let (container, places) = made?;
        let ready = tokio::select! {
            biased;
            () = request.cancel.cancelled() => Err(DockerError::canceled().into()),
            copied = self.copy_project(&request, &container, places.owner) => copied,
        };
        if let Err(error) = ready {
            let _ = container.remove().await;
            return Err(error);
        }
        let mut variables =
            command::variables(request.env, &request.run.to_string(), &request.job.name);
        let home = variables
            .entry("HOME".to_owned())
            .or_insert(places.home)
            .clone();
        let mut info = SessionInfo::new(&self.name, &self.work_dir, home);
        info.os = os;
        in_rusts_words(&arch).clone_into(&mut info.arch);
        Ok(Box::new(DockerSession {
            info,
            container,
            variables,
            owner: places.owner,
            grace: self.grace,
            next: AtomicU64::new(0),
            closed: CancellationToken::new(),
        }))
    }

    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
        Ok(sweep::sweep(&self.engine()?, scope).await?)
    }
}

/// A processor's name in Docker's words, which are Go's, as in [`std::env::consts::ARCH`].
fn in_rusts_words(arch: &str) -> &str {
    match arch {
        "amd64" => "x86_64",
        "386" => "x86",
        "arm64" => "aarch64",
        "ppc64le" => "powerpc64",
        "mips64le" => "mips64",
        other => other,
    }
}
