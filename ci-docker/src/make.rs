//! Makes what a job needs on an engine: its images, its container and all around it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ci_core::archive::{self, PackRoot};
use ci_core::executor::PrepareRequest;
use ci_core::session::{Output, SessionInfo};
use futures_util::future::try_join_all;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::container::Container;
use crate::copy::{self, Owner};
use crate::engine::{ContainerSpec, Engine, Facts, ImageFacts};
use crate::error::{DockerError, DockerErrorKind};
use crate::executor::DockerExecutor;
use crate::options::DockerAccess;
use crate::plan::{Ground, Plan, SPARE_HOME, image, limits_processors, plan, socket_path};
use crate::proxy::Proxy;
use crate::pull::PullOptions;
use crate::service::{Around, prober};
use crate::session::{DockerSession, Others};
use crate::{command, compose, dind, labels, script};

/// How long a service may take to become ready if nothing is said.
const SERVICE: Duration = Duration::from_mins(2);

/// What was made for a job.
pub(crate) struct Made {
    container: Container,
    around: Around,
    places: Places,
}

/// What is known of a container's inside.
pub(crate) struct Places {
    pub(crate) owner: Owner,
    home: String,
}

impl DockerExecutor {
    /// Makes the session of a job. What fails leaves nothing behind.
    pub(crate) async fn make(
        &self,
        request: &PrepareRequest<'_>,
    ) -> Result<DockerSession, DockerError> {
        let (mut job, mut told) = (None, Vec::new());
        if let Some((composed, left_out)) = compose::with_services(request)? {
            told.extend(left_out.iter().map(|left| format!("not taken: {left}")));
            job = Some(composed);
        }
        let mut env = None;
        if self.options.docker != DockerAccess::None {
            let own = job.as_ref().unwrap_or(request.job);
            if let Some((changed, engines)) = dind::without_engines(own) {
                let text = |image| format!("no service {image}: the job gets the engine itself");
                told.extend(engines.iter().map(text));
                (job, env) = (Some(changed), Some(dind::without_variables(request.env)));
            }
        }
        for told in told {
            request.output.say(told).await;
        }
        let mut request = request.clone();
        request.job = job.as_ref().unwrap_or(request.job);
        request.env = env.as_ref().unwrap_or(request.env);
        self.make_all(&request).await
    }

    async fn make_all(&self, request: &PrepareRequest<'_>) -> Result<DockerSession, DockerError> {
        if request.cancel.is_cancelled() {
            return Err(DockerError::canceled());
        }
        let engine = self.engine()?;
        let known = async {
            tokio::try_join!(self.provide(&engine, request), self.known(&engine, request))
        };
        let known = tokio::select! {
            known = known => known?,
            () = request.cancel.cancelled() => return Err(DockerError::canceled()),
        };
        let ((own_image, service_images), facts) = known;
        let host = self.host_name();
        let labels = labels::of_job(request.run, &request.job.name, self.expiry());
        let proxy = self.proxy(&engine, &host, &labels)?;
        let socket = proxy.as_ref().map(Proxy::socket);
        let ground = Ground {
            options: &self.options,
            work_dir: self.work_dir_name(),
            host: &host,
            labels,
            proxy: socket.as_deref(),
            facts: &facts,
            name: format!("ci-core-{}", uuid::Uuid::now_v7().simple()),
        };
        let plan = plan(request, &ground, service_images)?;
        // In a task of its own: it cleans up after itself also if nobody waits for it any more.
        let wishes = Wishes::of(self, request, &plan);
        let making = tokio::spawn(build(engine, plan.clone(), wishes, None));
        let finishing = self.finish(request, plan, own_image, making, &[]);
        let mut session = finishing.await?;
        session.proxy = proxy;
        Ok(session)
    }

    /// What a plan for the job has to know of the engine's machine. To be asked costs an engine as much as
    /// to make a container.
    async fn known(
        &self,
        engine: &Engine,
        request: &PrepareRequest<'_>,
    ) -> Result<Facts, DockerError> {
        if limits_processors(request, &self.options)? {
            self.facts(engine).await.cloned()
        } else {
            Ok(Facts::default())
        }
    }

    /// The job's own socket of the engine, if jobs get one.
    fn proxy(
        &self,
        engine: &Engine,
        host: &str,
        labels: &HashMap<String, String>,
    ) -> Result<Option<Proxy>, DockerError> {
        if self.options.docker != DockerAccess::Filtered {
            return Ok(None);
        }
        let opened = Proxy::open(engine.clone(), socket_path(host)?, labels.clone());
        opened.map(Some).map_err(|error| {
            let text = "could not open a socket for the job";
            DockerError::new(DockerErrorKind::Other, text).with_source(error)
        })
    }

    /// Waits for what is made, copies the project there, and gives the session. Its commands do not get
    /// the variables that are `hidden`.
    pub(crate) async fn finish(
        &self,
        request: &PrepareRequest<'_>,
        plan: Plan,
        image: ImageFacts,
        making: JoinHandle<Result<Made, DockerError>>,
        hidden: &[String],
    ) -> Result<DockerSession, DockerError> {
        let made = making.await.unwrap_or_else(|error| {
            let text = "making the container did not end";
            Err(DockerError::new(DockerErrorKind::Other, text).with_source(error))
        })?;
        let copying = self.copy_project(request, &plan, &made);
        let copied = tokio::select! {
            biased;
            () = request.cancel.cancelled() => Err(DockerError::canceled()),
            copied = copying => copied,
        };
        match copied {
            Ok(()) => {
                let mut session = self.session(request, plan, image, made);
                session.variables.retain(|name, _| !hidden.contains(name));
                Ok(session)
            }
            Err(error) => {
                let _ = made.container.remove().await;
                let _ = made.around.remove().await;
                Err(error)
            }
        }
    }

    /// Sees to it that the engine has the images of the job and of its services.
    async fn provide(
        &self,
        engine: &Engine,
        request: &PrepareRequest<'_>,
    ) -> Result<(ImageFacts, Vec<ImageFacts>), DockerError> {
        let image = image(request, &self.options)?;
        let own = self.pull_options(request.job.options.requires.platform.clone());
        tokio::try_join!(
            self.pulls.provide(engine, image, &own, &request.output),
            self.provide_services(engine, request),
        )
    }

    /// Sees to it that the engine has the images of the job's services.
    pub(crate) async fn provide_services(
        &self,
        engine: &Engine,
        request: &PrepareRequest<'_>,
    ) -> Result<Vec<ImageFacts>, DockerError> {
        let options = self.pull_options(None);
        let services = request.job.options.requires.services.iter();
        let provided = services.map(|service| {
            let image = &service.image;
            self.pulls.provide(engine, image, &options, &request.output)
        });
        try_join_all(provided).await
    }

    fn pull_options(&self, platform: Option<String>) -> PullOptions {
        PullOptions {
            policy: self.options.common.pull,
            config: self.options.common.config.clone(),
            platform,
        }
    }

    /// Makes a container beside that of a job, for steps that name another image. What fails leaves
    /// nothing behind; so does what is dropped, once the engine ends the container.
    pub(crate) async fn beside(
        &self,
        spec: ContainerSpec,
        work_dir: &str,
        home: &str,
        output: &Output,
    ) -> Result<Container, DockerError> {
        let engine = self.engine()?;
        let options = self.pull_options(spec.platform.clone());
        let provided = self.pulls.provide(&engine, &spec.image, &options, output);
        provided.await?;
        let wishes = Wishes {
            work_dir: work_dir.to_owned(),
            start_dir: None,
            home: Some(home.to_owned()),
            read_only: spec.options.read_only,
            service_limit: SERVICE,
            output: output.clone(),
            cancel: CancellationToken::new(),
        };
        let making = tokio::spawn(async move {
            let container = Container::start(engine, spec).await?;
            let more = wishes.home.clone().into_iter().collect();
            match places(&container, &wishes, more).await {
                Ok(_) => Ok(container),
                Err(error) => {
                    let error = container.first_error(error).await;
                    let _ = container.remove().await;
                    Err(error)
                }
            }
        });
        making.await.unwrap_or_else(|error| {
            let text = "making the container did not end";
            Err(DockerError::new(DockerErrorKind::Other, text).with_source(error))
        })
    }

    /// Copies the project's directory into the container, if the job works on it.
    async fn copy_project(
        &self,
        request: &PrepareRequest<'_>,
        plan: &Plan,
        made: &Made,
    ) -> Result<(), DockerError> {
        let project = request.project_dir.clone();
        let Some(project) = project.filter(|_| plan.copies_project) else {
            return Ok(());
        };
        let root = PackRoot::new("", project).exclude(self.options.common.exclude.iter().cloned());
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            let text = "could not copy the project into the container";
            DockerError::new(DockerErrorKind::Other, text).with_source(error)
        };
        let tree = archive::pack_stream(vec![root]).map_err(|error| failed(error.into()))?;
        let (container, owner) = (&made.container, made.places.owner);
        let copied = copy::copy_in(container, tree, self.work_dir_name(), owner);
        copied.await.map_err(|error| failed(error.into()))
    }

    fn session(
        &self,
        request: &PrepareRequest<'_>,
        plan: Plan,
        image: ImageFacts,
        made: Made,
    ) -> DockerSession {
        let run = request.run.to_string();
        let mut variables = command::variables(request.env, &run, &request.job.name);
        for (name, value) in plan.env {
            variables.entry(name).or_insert(value);
        }
        let home = variables
            .entry("HOME".to_owned())
            .or_insert(made.places.home)
            .clone();
        let mut info = SessionInfo::new(&self.name, self.work_dir_name(), home);
        info.host_work_dir = plan.bound.as_ref().map(|bound| bound.dir.clone());
        info.os = image.os;
        in_rusts_words(&image.arch).clone_into(&mut info.arch);
        DockerSession {
            run: request.run,
            info,
            container: Arc::new(made.container),
            around: made.around,
            variables,
            owner: made.places.owner,
            bound: plan.bound,
            grace: self.grace_period(),
            next: AtomicU64::new(0),
            closed: CancellationToken::new(),
            others: Others::new(self.clone(), plan.job),
            proxy: None,
        }
    }
}

/// What making a container needs to know beside its plan.
pub(crate) struct Wishes {
    work_dir: String,
    /// The working directory that the job names.
    start_dir: Option<String>,
    /// The home that the job names.
    home: Option<String>,
    /// Whether the image's own directories cannot be written to.
    read_only: bool,
    service_limit: Duration,
    output: Output,
    cancel: CancellationToken,
}

impl Wishes {
    pub(crate) fn of(executor: &DockerExecutor, request: &PrepareRequest<'_>, plan: &Plan) -> Self {
        let limit = executor.options.common.service_timeout;
        Self {
            work_dir: executor.work_dir_name().to_owned(),
            start_dir: request.job.options.working_dir.clone(),
            home: request.env.get("HOME").cloned(),
            read_only: plan.job.options.read_only,
            service_limit: limit.map_or(SERVICE, Duration::from_secs),
            output: request.output.clone(),
            cancel: request.cancel.clone(),
        }
    }
}

/// Makes the container, unless it was made already, and everything around it. What fails leaves nothing
/// behind.
pub(crate) async fn build(
    engine: Engine,
    plan: Plan,
    wishes: Wishes,
    mut started: Option<Container>,
) -> Result<Made, DockerError> {
    let mut around = Around::new(engine.clone(), wishes.service_limit);
    let filled = fill(&engine, plan, &wishes, &mut around, &mut started).await;
    match (filled, started) {
        (Ok(places), Some(container)) => Ok(Made {
            container,
            around,
            places,
        }),
        (filled, started) => {
            if let Some(container) = started {
                let _ = container.remove().await;
            }
            let _ = around.remove().await;
            let nothing = || DockerError::new(DockerErrorKind::Other, "nothing was made");
            Err(filled.err().unwrap_or_else(nothing))
        }
    }
}

/// Makes one thing after the other; `around` and `container` get what there is as soon as it is there.
/// Only waiting is cut short: what is half made could not be found again.
async fn fill(
    engine: &Engine,
    plan: Plan,
    wishes: &Wishes,
    around: &mut Around,
    container: &mut Option<Container>,
) -> Result<Places, DockerError> {
    let (job, prober) = (&plan.job, prober(&plan.job));
    if let Some((name, internal)) = &plan.network {
        around.make_network(name, job, *internal).await?;
    }
    if let Some(volume) = &plan.volume {
        around.make_volume(volume, job).await?;
    }
    for cache in &plan.caches {
        let labels = labels::of_cache();
        engine.create_volume(cache.clone(), labels).await?;
    }
    let (near, far): (Vec<_>, Vec<_>) = plan
        .services
        .into_iter()
        .partition(|service| service.shares_network);
    let there = container.take();
    let start = async {
        match there {
            Some(there) => Ok(there),
            None => Container::start(engine.clone(), plan.job.clone()).await,
        }
    };
    let (made, begun) = tokio::join!(start, around.start(far, None, &prober));
    let container = container.insert(made?);
    begun?;
    around.start(near, Some(container), &prober).await?;
    let caches = plan.job.options.volumes.keys();
    let places = match places(container, wishes, caches.cloned().collect()).await {
        Ok(places) => places,
        Err(error) => return Err(container.first_error(error).await),
    };
    tokio::select! {
        biased;
        () = wishes.cancel.cancelled() => Err(DockerError::canceled()),
        ready = around.ready(container, &wishes.output) => ready.map(|()| places),
    }
}

/// Finds out who commands run as, and makes the directories that they need: those of `more`, too.
async fn places(
    container: &Container,
    wishes: &Wishes,
    more: Vec<String>,
) -> Result<Places, DockerError> {
    let who = container.who().await?;
    let mut lines = who.splitn(4, '\n');
    let mut number = || lines.next().and_then(|line| line.trim().parse().ok());
    let (Some(user), Some(group)) = (number(), number()) else {
        let text = format!(
            "could not find out who commands run as: `{}`",
            who.trim_end()
        );
        return Err(DockerError::new(DockerErrorKind::Other, text));
    };
    let by_first = lines.next() == Some("runs");
    container.commands_run(user, by_first);
    let home = lines.next().filter(|home| home.starts_with('/'));
    // A shell asks for the mode of a directory, not whether its disk can be written to.
    let home = home.filter(|_| !wishes.read_only);
    let home = home.unwrap_or(SPARE_HOME).to_owned();
    let owner = if user == 0 {
        String::new()
    } else {
        format!("{user}:{group}")
    };
    let ours = (2 + more.len()).to_string();
    let mut arguments = vec![owner.as_str(), &ours, &wishes.work_dir, SPARE_HOME];
    arguments.extend(more.iter().map(String::as_str));
    let named = wishes.home.as_deref().unwrap_or(&home);
    let info = SessionInfo::new("", &wishes.work_dir, named);
    let start = wishes.start_dir.as_deref().map(|dir| info.resolve(dir));
    arguments.extend(start.iter().map(String::as_str));
    let what = "make the directories of the job";
    container
        .ask_ok(what, script::MAKE_PLACES, &arguments, true)
        .await?;
    Ok(Places {
        owner: Owner { user, group },
        home,
    })
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
