//! The options of the executor as a settings file has them, and those of one job.

use std::collections::BTreeMap;
use std::time::Duration;

use ci_core::executor::{ExecutorError, read_options};
use ci_core::job::JobSpec;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::Node;
use crate::error::{DockerError, DockerErrorKind};
use crate::options::{CommonOptions, ContainerOptions, DockerOptions, Unmet};

/// The name under which a job finds its options for this executor in `extra`.
const EXTRA: &str = "swarm";

/// How long a job may wait for a node if nothing is said.
const QUEUE: Duration = Duration::from_mins(10);

/// What `executors.NAME.options` of the settings may say of an executor of the type `swarm`.
///
/// ```
/// use std::collections::BTreeMap;
/// use ci_docker::{SwarmExecutor, SwarmOptions};
///
/// let options = BTreeMap::from([
///     ("host".to_owned(), "tcp://manager:2376".into()),
///     ("node_host".to_owned(), "ssh://ci@{address}".into()),
///     ("constraints".to_owned(), serde_json::json!(["node.labels.ci==true"])),
/// ]);
/// let executor = SwarmExecutor::with_options(SwarmOptions::from_settings(&options)?);
/// # Ok::<(), ci_core::executor::ExecutorError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SwarmOptions {
    /// What an executor on one engine has, too.
    #[serde(flatten)]
    pub common: CommonOptions,
    /// The engines of nodes by the nodes' names. That of the manager itself is known. Jobs run on no
    /// node whose engine is not known.
    pub nodes: BTreeMap<String, String>,
    /// The engine of every other node, where `{address}` and `{name}` stand for those of the node,
    /// such as `ssh://ci@{address}`.
    pub node_host: Option<String>,
    /// How many seconds a job may wait for a node; 600 by default.
    pub queue_timeout: Option<u64>,
    /// Which nodes may take jobs, in Docker's words, such as `node.labels.disk==ssd`.
    pub constraints: Vec<String>,
    /// Secrets of the swarm that every job gets as files below `/run/secrets`.
    pub secrets: Vec<String>,
}

/// What `extra.swarm` of a job may say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SwarmJobOptions {
    /// Which nodes may take the job, beside the executor's own.
    pub constraints: Vec<String>,
    /// Variables that become secrets of the swarm as long as the job runs: files of their names below
    /// `/run/secrets`. Commands do not get them as variables.
    pub secret_variables: Vec<String>,
}

impl SwarmOptions {
    /// Reads the options.
    ///
    /// # Errors
    /// For an option that there is not, or a value of the wrong kind.
    pub fn from_settings(
        options: &BTreeMap<String, serde_json::Value>,
    ) -> Result<Self, ExecutorError> {
        read_options(options)
    }

    /// The JSON schema of the options, for editors.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// How long a job may wait for a node.
    pub(crate) fn queue_limit(&self) -> Duration {
        self.queue_timeout.map_or(QUEUE, Duration::from_secs)
    }

    /// What the containers of a node get.
    pub(crate) fn of_node(&self, host: Option<String>) -> DockerOptions {
        DockerOptions {
            common: CommonOptions {
                host,
                // How many and what becomes of them the swarm's own executor says.
                limit: None,
                unmet: Unmet::default(),
                ..self.common.clone()
            },
            ..DockerOptions::default()
        }
    }

    /// The engine of a node. None if it is not known. `own` is that of the node `own_id`.
    pub(crate) fn host_of(&self, node: &Node, own_id: &str, own: &str) -> Option<String> {
        if let Some(host) = self
            .nodes
            .get(&node.name)
            .or_else(|| self.nodes.get(&node.id))
        {
            return Some(host.clone());
        }
        if node.id == own_id {
            return Some(own.to_owned());
        }
        let template = self.node_host.as_ref()?;
        let host = template.replace("{address}", &node.address);
        Some(host.replace("{name}", &node.name))
    }
}

impl SwarmJobOptions {
    /// Those of a job.
    pub(crate) fn of(job: &JobSpec) -> Result<Self, DockerError> {
        let Some(extra) = job.options.extra.get(EXTRA) else {
            return Ok(Self::default());
        };
        serde_json::from_value(extra.clone()).map_err(|error| {
            let name = &job.name;
            let text = format!("`extra.{EXTRA}` of the job `{name}` cannot be used");
            DockerError::new(DockerErrorKind::Refused, text).with_source(error)
        })
    }
}

/// What of a container's options no swarm knows.
pub(crate) fn unknown_to_swarms(options: &ContainerOptions) -> Vec<&'static str> {
    [
        (!options.devices.is_empty(), "devices"),
        (options.gpus.is_some(), "gpus"),
        (options.privileged, "privileged"),
        (options.shm_size.is_some(), "shm_size"),
        (!options.security.is_empty(), "security"),
        (options.network.as_deref() == Some("none"), "network: none"),
    ]
    .into_iter()
    .filter_map(|(asked, name)| asked.then_some(name))
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(options: serde_json::Value) -> Result<SwarmOptions, ExecutorError> {
        let options: BTreeMap<_, _> = serde_json::from_value(options).unwrap();
        SwarmOptions::from_settings(&options)
    }

    fn node(id: &str) -> Node {
        Node {
            id: id.to_owned(),
            name: format!("name-of-{id}"),
            address: "10.0.0.1".to_owned(),
            is_up: true,
            is_active: true,
        }
    }

    #[test]
    fn a_nodes_engine_is_named_known_or_made_of_the_template() {
        let options = read(json!({
            "nodes": {"name-of-a": "unix:///a"}, "node_host": "ssh://ci@{address}",
        }));
        let options = options.unwrap();
        let of = |id: &str| options.host_of(&node(id), "own", "unix:///own");
        assert_eq!(of("a").as_deref(), Some("unix:///a"));
        assert_eq!(of("own").as_deref(), Some("unix:///own"));
        assert_eq!(of("b").as_deref(), Some("ssh://ci@10.0.0.1"));
        let none = SwarmOptions::default();
        assert_eq!(none.host_of(&node("b"), "own", "unix:///own"), None);
    }

    #[test]
    fn options_that_there_are_not_are_refused() {
        assert!(read(json!({"workspace": "bind"})).is_err());
        let options = read(json!({"container": {"gpus": 1, "privileged": true}})).unwrap();
        assert_eq!(
            unknown_to_swarms(&options.common.container),
            ["gpus", "privileged"]
        );
        let schema = SwarmOptions::json_schema();
        assert!(schema["properties"]["queue_timeout"].is_object());
    }
}
