//! The executor that runs each job as a service of one task on a swarm.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ci_core::executor::{Executor, ExecutorError, PrepareRequest, ReapReport, ReapScope};
use ci_core::session::Session;

use super::options::SwarmOptions;
use super::place::Reached;
use super::sweep::sweep;
use crate::engine::{Engine, Node};
use crate::error::{DockerError, DockerErrorKind};
use crate::executor::{DockerExecutor, until_met};

/// Runs each job as a service of one task on a swarm, which chooses the node.
///
/// # Where a job works
/// In a container, as with [`DockerExecutor`]. Commands run there, and files get in and out, over the
/// engine of the node that has it: the engines of nodes have to be reachable from here
/// ([`SwarmOptions::nodes`], [`SwarmOptions::node_host`]); nodes whose engines are not known get no
/// jobs. Output comes from the commands and not from the logs of the swarm, which lose data.
///
/// # How a job ends
/// The service has one replica that is never restarted. Its container lives while this process holds a
/// connection to it: when the process dies in any way the container ends within a second; the empty
/// service is removed by [`reap`](Executor::reap). A node that is lost interrupts the job, which an
/// attempt more runs elsewhere.
///
/// # Waiting
/// What a job reserves (processors, memory) no other job of the swarm gets. A job that no node can take
/// waits as long as [`SwarmOptions::queue_timeout`] says, and then fails.
///
/// # Services
/// They stand beside the job on its node and share its network: all their aliases are the address
/// `127.0.0.1`, and no two of them can listen on the same port.
///
/// # What differs from one engine
/// A swarm knows no devices, GPUs and privileged containers, and its nodes pull the images of jobs by
/// themselves. Directories of this machine cannot be bound. The image also needs the programs `mkfifo`
/// and `sleep`.
#[derive(Clone)]
pub struct SwarmExecutor {
    name: String,
    pub(super) options: SwarmOptions,
    grace: Option<Duration>,
    expires: Duration,
    manager: Arc<OnceLock<DockerExecutor>>,
    /// By their addresses, so that jobs share what pulls images and carries connections.
    reached: Arc<Mutex<BTreeMap<String, DockerExecutor>>>,
}

impl fmt::Debug for SwarmExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwarmExecutor")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl SwarmExecutor {
    /// An executor named `swarm` with these options. Nothing is connected to yet.
    #[must_use]
    pub fn with_options(options: SwarmOptions) -> Self {
        Self {
            name: "swarm".to_owned(),
            options,
            grace: None,
            expires: Duration::from_hours(48),
            manager: Arc::default(),
            reached: Arc::default(),
        }
    }

    /// Sets the name by which settings and jobs pick it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how long processes may take to end after they were asked to.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Sets after what time anybody may remove services whose owner cannot be seen, because it runs
    /// on another machine; 48 hours by default. Jobs have to be shorter.
    #[must_use]
    pub fn expires(mut self, after: Duration) -> Self {
        self.expires = after;
        self
    }

    /// Whether its engine answers and is a manager of a swarm.
    pub async fn is_there(&self) -> bool {
        let Ok(engine) = self.own().engine() else {
            return false;
        };
        matches!(engine.manager_id().await, Ok(Some(_)))
    }

    /// The executor of the manager's own engine, which is asked for nothing but what concerns the
    /// swarm.
    pub(super) fn own(&self) -> DockerExecutor {
        let make = || self.on(self.options.common.host.clone());
        self.manager.get_or_init(make).clone()
    }

    fn on(&self, host: Option<String>) -> DockerExecutor {
        let executor = DockerExecutor::with_options(self.options.of_node(host));
        let executor = executor.name(&self.name).expires(self.expires);
        match self.grace {
            Some(grace) => executor.grace(grace),
            None => executor,
        }
    }

    /// The swarm's nodes: those whose engines are known, and the others.
    pub(super) async fn nodes(
        &self,
        manager: &Engine,
    ) -> Result<(Vec<Reached>, Vec<Node>), DockerError> {
        let own = self.own().host_name();
        let Some(own_id) = manager.manager_id().await? else {
            let text = format!("the engine `{own}` is no manager of a swarm");
            let error = DockerError::new(DockerErrorKind::Refused, text);
            return Err(error.with_hint("`docker swarm init` makes a swarm of one engine"));
        };
        let listed = manager.nodes().await?;
        let (mut reached, mut others) = (Vec::new(), Vec::new());
        let mut executors = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        for node in listed {
            match self.options.host_of(&node, &own_id, &own) {
                Some(host) => {
                    let make = || self.on(Some(host.clone()));
                    let executor = executors.entry(host.clone()).or_insert_with(make).clone();
                    reached.push(Reached { node, executor });
                }
                None => others.push(node),
            }
        }
        Ok((reached, others))
    }
}

#[async_trait]
impl Executor for SwarmExecutor {
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

    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
        let manager = self.own().engine()?;
        let (nodes, _) = self.nodes(&manager).await?;
        Ok(sweep(&manager, &nodes, scope).await?)
    }
}
