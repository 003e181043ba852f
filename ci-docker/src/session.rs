//! The session of one job in its container.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ci_core::id::RunId;
use ci_core::session::{
    Command, ExecIo, ExitStatus, Session, SessionError, SessionErrorKind, SessionInfo, TreeReader,
    TreeSelection,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::container::Container;
use crate::copy::{self, Owner};
use crate::engine::ContainerSpec;
use crate::error::{DockerError, DockerErrorKind};
use crate::executor::DockerExecutor;
use crate::options::DockerAccess;
use crate::plan::Bound;
use crate::proxy::Proxy;
use crate::run::Run;
use crate::service::Around;
use crate::{command, script, sweep};

/// How long a teardown may take beside the grace period.
const TEARDOWN: Duration = Duration::from_mins(1);

/// The container of one attempt of a job, and what its commands get.
#[derive(Debug)]
pub(crate) struct DockerSession {
    pub(crate) run: RunId,
    pub(crate) info: SessionInfo,
    pub(crate) container: Arc<Container>,
    pub(crate) around: Around,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) owner: Owner,
    /// The directory of this machine that is the working directory.
    pub(crate) bound: Option<Bound>,
    pub(crate) grace: Duration,
    /// Counts commands.
    pub(crate) next: AtomicU64,
    /// Canceled when the session is torn down.
    pub(crate) closed: CancellationToken,
    pub(crate) others: Others,
    /// What leads to the engine, for a job that builds images itself.
    pub(crate) proxy: Option<Proxy>,
}

/// The containers of steps that name images of their own, made when the first of them runs.
#[derive(Debug)]
pub(crate) struct Others {
    executor: DockerExecutor,
    /// The container of the job.
    like: ContainerSpec,
    made: tokio::sync::Mutex<BTreeMap<String, Arc<Container>>>,
}

impl Others {
    /// None yet.
    pub(crate) fn new(executor: DockerExecutor, like: ContainerSpec) -> Self {
        Self {
            executor,
            like,
            made: tokio::sync::Mutex::default(),
        }
    }

    /// The container of an image. It shares directories and network with that of the job.
    async fn of(
        &self,
        image: &str,
        session: &DockerSession,
        io: &ExecIo,
    ) -> Result<Arc<Container>, DockerError> {
        let mut made = self.made.lock().await;
        if let Some(container) = made.get(image) {
            return Ok(Arc::clone(container));
        }
        let mut spec = self.like.clone();
        image.clone_into(&mut spec.image);
        spec.name = format!("{}-step-{}", spec.name, made.len());
        spec.network = Some(format!("container:{}", session.container.id()));
        spec.aliases.clear();
        // An engine refuses names beside a network that has them.
        spec.options.dns.clear();
        spec.options.extra_hosts.clear();
        // An engine cannot hand on directories in memory as a swarm makes them; all else has a name.
        if !session.container.is_task() {
            spec.volumes_from = Some(session.container.id().to_owned());
            spec.binds.clear();
        }
        let home = &session.info.home;
        let work_dir = &session.info.work_dir;
        let made_now = self.executor.beside(spec, work_dir, home, &io.output);
        let container = tokio::select! {
            container = made_now => Arc::new(container?),
            () = io.cancel.cancelled() => return Err(DockerError::canceled()),
        };
        made.insert(image.to_owned(), Arc::clone(&container));
        Ok(container)
    }
}

impl DockerSession {
    /// The container that a command runs in.
    async fn container_of(
        &self,
        command: &Command,
        io: &ExecIo,
    ) -> Result<Arc<Container>, DockerError> {
        match &command.image {
            Some(image) => self.others.of(image, self, io).await,
            None => Ok(Arc::clone(&self.container)),
        }
    }

    /// Removes everything that was made for the job.
    async fn remove(&self) -> Result<(), DockerError> {
        if self.is_alone().await {
            return self.leave().await;
        }
        let mut removed = Ok(());
        if self.container.is_lost() {
            // Nothing can be asked of a machine that is gone.
            return self.container.remove().await;
        }
        for container in self.others.made.lock().await.values() {
            removed = removed.and(container.remove().await);
        }
        if let Some(Bound { user, group, .. }) = &self.bound {
            // What root wrote there must not stay its own.
            let (user, owner) = (user.to_string(), format!("{user}:{group}"));
            let arguments = [self.info.work_dir.as_str(), &user, &owner];
            let given = self.container.script(script::GIVE_BACK, &arguments, true);
            if !self.container.over().is_cancelled() {
                removed = removed.and(given.await.map(|_| ()));
            }
        }
        removed = removed.and(self.container.remove().await);
        removed = removed.and(self.around.remove().await);
        if self.others.executor.options.docker != DockerAccess::None {
            let of = |name: &str| self.variables.get(name).map_or("", String::as_str);
            let (run, job) = (of("CI_CORE_RUN"), of("CI_CORE_JOB"));
            let engine = self.container.engine();
            removed = removed.and(sweep::sweep_job(engine, run, job).await);
        }
        removed
    }

    /// Whether nothing was made for the job but its container.
    async fn is_alone(&self) -> bool {
        !self.container.is_task()
            && self.around.is_empty()
            && self.bound.is_none()
            && self.others.executor.options.docker == DockerAccess::None
            && self.others.made.lock().await.is_empty()
    }

    /// Ends the container. Nothing can run in it any more as soon as it has ended: the engine goes on to
    /// remove it, also when nobody asks for that any more.
    async fn leave(&self) -> Result<(), DockerError> {
        let leaving = &self.others.executor.leaving;
        let Some(place) = leaving.place() else {
            return self.container.remove().await;
        };
        let container = Arc::clone(&self.container);
        let mut removal = tokio::spawn(async move {
            let _place = place;
            container.remove().await
        });
        tokio::select! {
            biased;
            removed = &mut removal => removed.unwrap_or_else(|error| {
                let text = "removing the container did not end";
                Err(DockerError::new(DockerErrorKind::Other, text).with_source(error))
            }),
            () = self.container.over().cancelled() => {
                let what = format!("the container `{}`", self.container.name());
                leaving.add(self.run, what, removal);
                Ok(())
            }
        }
    }

    fn check_open(&self) -> Result<(), SessionError> {
        if self.closed.is_cancelled() {
            let text = "the session has been torn down";
            return Err(SessionError::new(SessionErrorKind::Refused, text));
        }
        Ok(())
    }

    /// What marks the processes of all commands of the session. It does not end like another one.
    fn marker(&self) -> String {
        format!("{}.", self.container.name())
    }

    /// Asks everything that still runs to end, and waits for that as long as the grace period.
    async fn ask_to_end(&self) -> Result<(), DockerError> {
        if self.container.is_empty() {
            return Ok(());
        }
        let (asked_at, marker) = (Instant::now(), self.marker());
        let mut asked = Vec::new();
        loop {
            let living = self.container.hunt(&marker, "", "TERM", &asked).await?;
            if living.is_empty() || asked_at.elapsed() >= self.grace {
                return Ok(());
            }
            asked.extend(living);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn make_dir(&self, dir: &str) -> Result<(), SessionError> {
        const MKDIR: &str = r#"mkdir -p -- "$1""#;
        let what = format!("make the directory `{dir}`");
        self.container.ask_ok(&what, MKDIR, &[dir], false).await?;
        Ok(())
    }
}

#[async_trait]
impl Session for DockerSession {
    fn info(&self) -> &SessionInfo {
        &self.info
    }

    async fn exec(&self, command: &Command, io: ExecIo) -> Result<ExitStatus, SessionError> {
        self.check_open()?;
        let number = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let marker = format!("{}{number}.", self.marker());
        let dir = self.info.resolve(command.dir.as_deref().unwrap_or("."));
        let spec = command::spec(command, &self.variables, &dir, &number, &marker)?;
        if io.cancel.is_cancelled() {
            return Ok(ExitStatus::Stopped);
        }
        let container = match self.container_of(command, &io).await {
            Ok(container) => container,
            Err(error) if error.kind() == DockerErrorKind::Canceled => {
                return Ok(ExitStatus::Stopped);
            }
            Err(error) => return Err(error.into()),
        };
        let run = Run {
            container: &container,
            number,
            marker,
            grace: self.grace,
            program: command.words().first().copied().unwrap_or_default(),
            dir: &dir,
        };
        run.run(spec, &io).await
    }

    async fn copy_in(&self, tree: TreeReader, dir: &str) -> Result<(), SessionError> {
        self.check_open()?;
        let dir = self.info.resolve(dir);
        self.make_dir(&dir).await?;
        copy::copy_in(&self.container, tree, &dir, self.owner).await
    }

    async fn copy_out(&self, selection: &TreeSelection) -> Result<TreeReader, SessionError> {
        self.check_open()?;
        let mut selection = selection.clone();
        for root in &mut selection.roots {
            root.dir = self.info.resolve(&root.dir);
        }
        copy::copy_out(&self.container, selection).await
    }

    async fn teardown(&self) -> Result<(), SessionError> {
        self.closed.cancel();
        let work = async {
            // What does not obey, or cannot be asked any more, ends with the container.
            let asked = tokio::time::timeout(self.grace * 2, self.ask_to_end()).await;
            let _ = asked;
            self.remove().await
        };
        match tokio::time::timeout(self.grace * 2 + TEARDOWN, work).await {
            Ok(removed) => Ok(removed?),
            Err(_) => Err(SessionError::new(
                SessionErrorKind::Lost,
                format!(
                    "the container `{}` was not removed in time",
                    self.container.name()
                ),
            )),
        }
    }
}
