//! Containers beside a job's own, and all else that stands around it: a network, a volume.

use std::fmt::Write as _;
use std::time::Duration;

use ci_core::session::Output;
use futures_util::StreamExt;
use futures_util::future::join_all;

use crate::container::Container;
use crate::engine::{ContainerSpec, Engine, ImageFacts, State};
use crate::error::{DockerError, DockerErrorKind};
use crate::script;

/// How often it is looked whether a service still runs.
const LOOK: Duration = Duration::from_millis(200);

/// How many lines a service that failed is quoted with.
const QUOTED: u32 = 40;

/// How many ports of a service are looked at.
const MOST_PORTS: usize = 20;

/// A service to start.
#[derive(Debug, Clone)]
pub(crate) struct ServicePlan {
    pub(crate) container: ContainerSpec,
    /// Whether it has the network of the job's own container, so that both reach each other as
    /// `localhost`.
    pub(crate) shares_network: bool,
    /// What is known of its image.
    pub(crate) image: ImageFacts,
}

/// A service that was started.
#[derive(Debug)]
struct Service {
    id: String,
    /// The image, which is what people know it by.
    name: String,
    plan: ServicePlan,
    /// The container that looks for open ports in the service's network.
    probe: Option<String>,
}

/// What stands around a job's container.
#[derive(Debug)]
pub(crate) struct Around {
    engine: Engine,
    network: Option<String>,
    volume: Option<String>,
    services: Vec<Service>,
    /// How long a service may take to become ready.
    limit: Duration,
}

impl Around {
    /// Nothing yet. A service may take as long as `limit` to become ready.
    pub(crate) fn new(engine: Engine, limit: Duration) -> Self {
        Self {
            engine,
            limit,
            network: None,
            volume: None,
            services: Vec::new(),
        }
    }

    /// Whether nothing was made.
    pub(crate) fn is_empty(&self) -> bool {
        self.network.is_none() && self.volume.is_none() && self.services.is_empty()
    }

    /// Makes the network of the job.
    pub(crate) async fn make_network(
        &mut self,
        name: &str,
        like: &ContainerSpec,
        internal: bool,
    ) -> Result<(), DockerError> {
        let labels = like.labels.clone();
        let made = self
            .engine
            .create_network(name.to_owned(), labels, internal);
        self.network = Some(made.await?);
        Ok(())
    }

    /// Makes the volume of the job.
    pub(crate) async fn make_volume(
        &mut self,
        name: &str,
        like: &ContainerSpec,
    ) -> Result<(), DockerError> {
        let labels = like.labels.clone();
        self.engine.create_volume(name.to_owned(), labels).await?;
        self.volume = Some(name.to_owned());
        Ok(())
    }

    /// Starts services all at once. `job` is the container of the job, where it has begun.
    pub(crate) async fn start(
        &mut self,
        plans: Vec<ServicePlan>,
        job: Option<&Container>,
        prober: &ContainerSpec,
    ) -> Result<(), DockerError> {
        let (engine, limit) = (&self.engine, self.limit);
        let starting = plans.into_iter().map(|mut plan| async move {
            if let Some(job) = job.filter(|_| plan.shares_network) {
                plan.container.network = Some(format!("container:{}", job.id()));
                plan.container.aliases.clear();
                // An engine refuses names beside a network that has them.
                plan.container.options.dns.clear();
                plan.container.options.extra_hosts.clear();
            }
            start(engine, plan, prober, limit).await
        });
        let mut first_error = Ok(());
        for started in join_all(starting).await {
            match started {
                Ok(service) => self.services.push(service),
                Err(error) => first_error = first_error.and(Err(error)),
            }
        }
        first_error
    }

    /// Waits until all services are ready.
    pub(crate) async fn ready(&self, job: &Container, output: &Output) -> Result<(), DockerError> {
        let limit = self.limit;
        let waiting = self.services.iter().map(|service| async move {
            let ready = tokio::time::timeout(limit, service.ready(&self.engine, job, limit));
            let error = match ready.await {
                Ok(Ok(())) => {
                    output
                        .say(format!("service {} is ready", service.name))
                        .await;
                    return Ok(());
                }
                Ok(Err(error)) => error,
                Err(_) => service.failed(&format!("was not ready after {limit:?}")),
            };
            let log = self.engine.last_lines(&service.id, QUOTED).await;
            Err(service
                .quoted(error, &log.unwrap_or_default(), output)
                .await)
        });
        futures_util::future::try_join_all(waiting).await?;
        Ok(())
    }

    /// Removes everything. What cannot be removed does not keep the rest.
    pub(crate) async fn remove(&self) -> Result<(), DockerError> {
        let containers = self
            .services
            .iter()
            .flat_map(|service| service.probe.iter().chain([&service.id]));
        let removed = join_all(containers.map(|id| self.engine.remove(id))).await;
        let mut all = removed.into_iter().fold(Ok(()), Result::and);
        if let Some(network) = &self.network {
            all = all.and(self.engine.remove_network(network).await);
        }
        if let Some(volume) = &self.volume {
            all = all.and(self.engine.remove_volume(volume).await);
        }
        all
    }
}

/// Starts a service. What fails leaves nothing behind.
async fn start(
    engine: &Engine,
    plan: ServicePlan,
    prober: &ContainerSpec,
    limit: Duration,
) -> Result<Service, DockerError> {
    let mut service = Service {
        id: engine.create(plan.container.clone()).await?,
        name: plan.container.image.clone(),
        probe: None,
        plan,
    };
    let started = async {
        engine.start(&service.id).await?;
        if service.needs_probe() && !service.plan.shares_network {
            let mut probe = prober.clone();
            probe.name = format!("{}-probe", service.plan.container.name);
            probe.network = Some(format!("container:{}", service.id));
            let script = ["sh", "-c", script::PROBE, "ci-core"].map(str::to_owned);
            let words = script.into_iter().chain(probe_words(&service.plan, limit));
            probe.entrypoint = Some(words.collect());
            return Ok(Some(engine.create(probe).await?));
        }
        Ok(None)
    };
    match started.await {
        Ok(probe) => {
            service.probe = probe;
            Ok(service)
        }
        Err(error) => {
            // A service that ended at once has no network to join; its own words say more.
            let log = engine.last_lines(&service.id, QUOTED).await;
            let _ = engine.remove(&service.id).await;
            let last = log.unwrap_or_default();
            let mut error: DockerError = error;
            error.message = format!("the service `{}`: {}", service.name, error.message);
            if let Some(line) = last.lines().last() {
                error = error.with_hint(format!("the last words of the service: {line}"));
            }
            Err(error)
        }
    }
}

impl Service {
    fn needs_probe(&self) -> bool {
        !self.plan.image.has_health_check && !self.plan.image.ports.is_empty()
    }

    /// Waits until it is ready, or tells why it never will be.
    async fn ready(
        &self,
        engine: &Engine,
        job: &Container,
        limit: Duration,
    ) -> Result<(), DockerError> {
        if !self.needs_probe() {
            return self.watch(engine, true).await;
        }
        tokio::select! {
            probed = self.probed(engine, job, limit) => probed,
            watched = self.watch(engine, false) => watched,
        }
    }

    /// Ends with an error when the service does, and well once it is healthy, if that `counts`.
    async fn watch(&self, engine: &Engine, counts: bool) -> Result<(), DockerError> {
        loop {
            match engine.state(&self.id).await? {
                // Nothing says how to find out more.
                State::Running(None) if counts && !self.plan.image.has_health_check => {
                    return Ok(());
                }
                State::Running(Some(true)) if counts => return Ok(()),
                State::Running(_) => {}
                State::Ended(code) => {
                    let text = format!("ended with code {code} before it was ready");
                    return Err(self.failed(&text));
                }
                State::Gone => return Err(self.failed("is gone")),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until one of its ports is open.
    async fn probed(
        &self,
        engine: &Engine,
        job: &Container,
        limit: Duration,
    ) -> Result<(), DockerError> {
        let said = if let Some(probe) = &self.probe {
            let mut tether = engine.attach(probe).await?;
            engine.start(probe).await?;
            let mut said = Vec::new();
            while let Some(piece) = tether.output.next().await {
                said.extend_from_slice(&piece?.1);
            }
            String::from_utf8_lossy(&said).into_owned()
        } else {
            let words = probe_words(&self.plan, limit);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            job.script(script::PROBE, &words, false).await?.text
        };
        if said.contains("ready") {
            return Ok(());
        }
        Err(self.failed(&format!("could not be looked at: {}", said.trim_end())))
    }

    fn failed(&self, what: &str) -> DockerError {
        let text = format!("the service `{}` {what}", self.name);
        DockerError::new(DockerErrorKind::Service, text)
    }

    /// The error with the last words of the service, all of which go to `output`.
    async fn quoted(&self, error: DockerError, log: &str, output: &Output) -> DockerError {
        if log.trim().is_empty() {
            return error.with_hint("the service wrote nothing");
        }
        let mut quoted = format!("the log of the service {}:", self.name);
        for line in log.lines() {
            let _ = write!(quoted, "\n  {line}");
        }
        output.say(quoted).await;
        let last = log.lines().last().unwrap_or_default();
        error.with_hint(format!("the last words of the service: {last}"))
    }
}

/// The arguments of [`script::PROBE`] for a service.
fn probe_words(plan: &ServicePlan, limit: Duration) -> Vec<String> {
    let which = if plan.shares_network {
        "loopback"
    } else {
        "outside"
    };
    // Ten rounds a second at most: it never gives up before the deadline does.
    let rounds = limit.as_secs().saturating_mul(10).saturating_add(10);
    let ports = plan.image.ports.iter().take(MOST_PORTS);
    [which.to_owned(), rounds.to_string()]
        .into_iter()
        .chain(ports.map(|port| format!("{port:04X}")))
        .collect()
}

/// The container that looks for the ports of a service, made of the job's own image: its network is
/// still open. The name and the network come from the service.
pub(crate) fn prober(job: &ContainerSpec) -> ContainerSpec {
    ContainerSpec {
        image: job.image.clone(),
        platform: job.platform.clone(),
        labels: job.labels.clone(),
        tethered: true,
        ..ContainerSpec::default()
    }
}
