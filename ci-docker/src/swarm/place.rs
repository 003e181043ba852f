//! Brings a job to a node: makes its service, waits for its turn, and takes hold of its container.

use std::time::Duration;

use ci_core::executor::PrepareRequest;
use ci_core::session::Output;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::executor::SwarmExecutor;
use super::hold::{Loss, Task};
use super::options::{SwarmJobOptions, unknown_to_swarms};
use crate::container::Container;
use crate::engine::{Engine, Node, SecretFile, Stage, TaskFacts, TaskSpec};
use crate::error::{DockerError, DockerErrorKind};
use crate::executor::DockerExecutor;
use crate::make::{Wishes, build};
use crate::plan::{Ground, Plan, image, plan};
use crate::session::DockerSession;
use crate::{compose, credentials, labels, script};

/// How often the swarm is asked whether it is a job's turn.
const LOOK: Duration = Duration::from_millis(100);

/// How often nothing of a task has to be seen until it is gone, and how long to look for that.
const EMPTY: u32 = 3;
const GONE: Duration = Duration::from_secs(15);

/// How many seconds a container waits for somebody to take hold of it.
const LEASE: u32 = 120;

/// A node whose engine is known.
#[derive(Clone)]
pub(super) struct Reached {
    pub(super) node: Node,
    pub(super) executor: DockerExecutor,
}

/// A service to make and to wait for.
struct Placing {
    manager: Engine,
    spec: TaskSpec,
    login: Option<credentials::Login>,
    /// Variables that become secrets, and their values.
    secrets: Vec<(String, String)>,
    nodes: Vec<Reached>,
    limit: Duration,
    output: Output,
    cancel: CancellationToken,
}

impl SwarmExecutor {
    /// Makes the session of a job. What fails leaves nothing behind.
    pub(super) async fn make(
        &self,
        request: &PrepareRequest<'_>,
    ) -> Result<DockerSession, DockerError> {
        let Some((job, left_out)) = compose::with_services(request)? else {
            return self.make_all(request).await;
        };
        for left in left_out {
            request.output.say(format!("not taken: {left}")).await;
        }
        let mut request = request.clone();
        request.job = &job;
        self.make_all(&request).await
    }

    async fn make_all(&self, request: &PrepareRequest<'_>) -> Result<DockerSession, DockerError> {
        if request.cancel.is_cancelled() {
            return Err(DockerError::canceled());
        }
        let own = self.own();
        let manager = own.engine()?;
        let (nodes, others) = self.nodes(&manager).await?;
        let wanted = SwarmJobOptions::of(request.job)?;
        let facts = crate::engine::Facts::default();
        let ground = Ground {
            options: &own.options,
            work_dir: own.work_dir_name(),
            host: &own.host_name(),
            labels: labels::of_job(request.run, &request.job.name, own.expiry()),
            proxy: None,
            facts: &facts,
            name: format!("ci-core-{}", uuid::Uuid::now_v7().simple()),
        };
        let mut made_plan = plan(request, &ground, Vec::new())?;
        let spec = self.spec(request, &made_plan, &manager, &wanted, &others);
        let spec = spec.await?;
        let placing = Placing {
            login: credentials::of(
                image(request, &own.options)?,
                self.options.common.config.as_deref(),
            )
            .await?,
            secrets: secret_values(request, &wanted)?,
            manager,
            spec,
            nodes,
            limit: self.options.queue_limit(),
            output: request.output.clone(),
            cancel: request.cancel.clone(),
        };
        // In a task of its own: it cleans up after itself also if nobody waits for it any more.
        let placed = tokio::spawn(placing.place()).await;
        let (container, reached) = placed.unwrap_or_else(|error| {
            let text = "making the service did not end";
            Err(DockerError::new(DockerErrorKind::Other, text).with_source(error))
        })?;
        let node = reached.executor;
        let found = async {
            let engine = container.engine();
            let services = node.provide_services(engine, request).await?;
            let mut services = plan(request, &ground, services)?.services;
            for service in &mut services {
                service.shares_network = true;
            }
            let own_image = engine.image(&made_plan.job.image).await?;
            Ok((services, own_image.unwrap_or_default()))
        };
        let found = tokio::select! {
            found = found => found,
            () = request.cancel.cancelled() => Err(DockerError::canceled()),
        };
        let own_image = match found {
            Ok((services, image)) => {
                made_plan.services = services;
                image
            }
            Err(error) => {
                let _ = container.remove().await;
                return Err(error);
            }
        };
        let wishes = Wishes::of(&node, request, &made_plan);
        let engine = container.engine().clone();
        let making = tokio::spawn(build(engine, made_plan.clone(), wishes, Some(container)));
        node.finish(
            request,
            made_plan,
            own_image,
            making,
            &wanted.secret_variables,
        )
        .await
    }

    /// What service to make.
    async fn spec(
        &self,
        request: &PrepareRequest<'_>,
        plan: &Plan,
        manager: &Engine,
        wanted: &SwarmJobOptions,
        others: &[Node],
    ) -> Result<TaskSpec, DockerError> {
        let unknown = unknown_to_swarms(&plan.job.options);
        if !unknown.is_empty() {
            let unknown = unknown.join("`, `");
            let text = format!("no swarm knows `{unknown}`, which the job asks for");
            return Err(DockerError::new(DockerErrorKind::Unmet, text));
        }
        let mut container = plan.job.clone();
        let lease = ["sh", "-c", script::LEASE, "ci-core", &LEASE.to_string()];
        container.entrypoint = Some(lease.map(str::to_owned).to_vec());
        let mut constraints = self.options.constraints.clone();
        constraints.extend(wanted.constraints.iter().cloned());
        // What runs where nobody can get at it is of no use.
        constraints.extend(others.iter().map(|node| format!("node.id!={}", node.id)));
        let mut secrets = Vec::new();
        for name in &self.options.secrets {
            let id = manager.secret(name).await?.ok_or_else(|| {
                let text = format!("the swarm has no secret `{name}`");
                DockerError::new(DockerErrorKind::NotFound, text)
            })?;
            secrets.push(SecretFile {
                id,
                name: name.clone(),
                file: name.clone(),
            });
        }
        let services = &request.job.options.requires.services;
        let aliases = services.iter().flat_map(|service| &service.aliases);
        let hosts = aliases
            .filter(|alias| !alias.is_empty() && *alias != "localhost")
            .map(|alias| format!("{alias}:127.0.0.1"));
        Ok(TaskSpec {
            container,
            constraints,
            secrets,
            hosts: hosts.collect(),
        })
    }
}

/// The variables that become secrets, and their values.
fn secret_values(
    request: &PrepareRequest<'_>,
    wanted: &SwarmJobOptions,
) -> Result<Vec<(String, String)>, DockerError> {
    let names = wanted.secret_variables.iter();
    let found = names.map(|name| {
        let value = request.env.get(name).ok_or_else(|| {
            let text = format!("the variable `{name}`, which is to be a secret, is not set");
            DockerError::new(DockerErrorKind::Refused, text)
        })?;
        Ok((name.clone(), value.clone()))
    });
    found.collect()
}

impl Placing {
    /// Makes the service and takes hold of its container. What fails leaves nothing behind.
    async fn place(mut self) -> Result<(Container, Reached), DockerError> {
        let mut task = Task {
            manager: self.manager.clone(),
            service: String::new(),
            secrets: Vec::new(),
            watch: None,
        };
        let mut node = None;
        let placed = self.try_place(&mut task, &mut node).await;
        let (id, reached) = match placed {
            Ok(placed) => placed,
            Err(error) => {
                self.give_up(&task, node).await;
                return Err(error);
            }
        };
        let loss = Loss::default();
        task.watch(reached.node.id.clone(), loss.clone());
        let name = self.spec.container.name.clone();
        let engine = reached.executor.engine()?;
        let container = Container::adopt(engine, id, name, task, loss).await?;
        Ok((container, reached))
    }

    async fn try_place(
        &mut self,
        task: &mut Task,
        node: &mut Option<Reached>,
    ) -> Result<(String, Reached), DockerError> {
        for (variable, value) in std::mem::take(&mut self.secrets) {
            let name = format!("{}-{}", self.spec.container.name, task.secrets.len());
            let labels = self.spec.container.labels.clone();
            let made = self
                .manager
                .create_secret(name.clone(), labels, value.as_bytes());
            let id = made.await?;
            task.secrets.push(id.clone());
            self.spec.secrets.push(SecretFile {
                id,
                name,
                file: variable,
            });
        }
        let made = self.manager.create_service(&self.spec, self.login.take());
        task.service = made.await?;
        let (node_id, container) = self.turn(&task.service).await?;
        let found = self.nodes.iter().find(|it| it.node.id == node_id).cloned();
        let found = found.ok_or_else(|| {
            let text =
                format!("the engine of the node `{node_id}`, which has the job, is not known");
            DockerError::new(DockerErrorKind::Unreachable, text)
        })?;
        self.output
            .say(format!("on the node {}", found.node.name))
            .await;
        *node = Some(found.clone());
        Ok((container, found))
    }

    /// Waits until the task runs; gives its node and its container.
    async fn turn(&self, service: &str) -> Result<(String, String), DockerError> {
        let asked_at = Instant::now();
        let mut said = String::new();
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(DockerError::canceled()),
                () = tokio::time::sleep(LOOK) => {}
            }
            let Some(task) = self.manager.task(service).await? else {
                self.in_time(asked_at, "the swarm has not looked at it yet")?;
                continue;
            };
            match task.stage {
                Stage::Running => {
                    if let (Some(node), Some(container)) = (task.node, task.container) {
                        return Ok((node, container));
                    }
                }
                Stage::Ended => return Err(rejected(&task, &self.spec.container.image)),
                Stage::Preparing if !task.is_wanted => {
                    let text = format!("the node was lost before the job began: {}", task.why);
                    return Err(DockerError::new(DockerErrorKind::Capacity, text));
                }
                // Pulling the image is no waiting for a turn, and has no limit but the job's own.
                Stage::Preparing => continue,
                Stage::Waiting => {
                    if task.why.contains("unsupported platform") {
                        let text = format!("no node has what the job asks for: {}", task.why);
                        return Err(DockerError::new(DockerErrorKind::Unmet, text));
                    }
                    if task.why.contains("no suitable node") && task.why != said {
                        self.output
                            .say(format!("waiting for a node: {}", task.why))
                            .await;
                        said.clone_from(&task.why);
                    }
                }
            }
            self.in_time(asked_at, &task.why)?;
        }
    }

    fn in_time(&self, asked_at: Instant, why: &str) -> Result<(), DockerError> {
        let limit = self.limit;
        if asked_at.elapsed() < limit {
            return Ok(());
        }
        let text = format!("no node took the job in {limit:?}: {why}");
        Err(DockerError::new(DockerErrorKind::Capacity, text))
    }

    /// Removes what was made so far. Whatever a node was about to start is waited for.
    async fn give_up(&self, task: &Task, node: Option<Reached>) {
        let _ = task.remove().await;
        let name = &self.spec.container.name;
        let label = format!("com.docker.swarm.service.name={name}");
        let engines = self.nodes.iter().filter(|reached| reached.node.is_up);
        let engines: Vec<Engine> = engines
            .filter_map(|reached| reached.executor.engine().ok())
            .collect();
        let (asked_at, mut empty) = (Instant::now(), 0);
        while empty < EMPTY && asked_at.elapsed() < GONE {
            empty += 1;
            for engine in &engines {
                for found in engine.labelled(label.clone()).await.unwrap_or_default() {
                    empty = 0;
                    let _ = engine.remove(&found.id).await;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
        let has_volume = |it: &String| it.split(':').next() == Some(name);
        let volume = self.spec.container.binds.iter().any(has_volume);
        let engine = node.and_then(|node| node.executor.engine().ok());
        if let Some(engine) = engine.filter(|_| volume) {
            let _ = engine.remove_volume(name).await;
        }
    }
}

/// Why a task ended before it ran.
fn rejected(task: &TaskFacts, image: &str) -> DockerError {
    let why = &task.why;
    let text = format!("the job's task did not start: {why}");
    if why.contains("No such image") {
        let error = DockerError::new(DockerErrorKind::NotFound, text);
        return error.with_hint(format!(
            "is `{image}` the name of an image that every node may pull?"
        ));
    }
    DockerError::new(DockerErrorKind::Refused, text)
        .with_hint("the image needs `sh`, `cat`, `mkfifo` and `sleep` in its `PATH`")
}
