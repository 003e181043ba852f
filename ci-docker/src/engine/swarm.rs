//! A swarm of engines: its nodes, services of one task, and secrets.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bollard::auth::DockerCredentials;
use bollard::models::{NodeSpecAvailabilityEnum, NodeState, SecretSpec, Task, TaskState};
use bollard::query_parameters::{
    ListNodesOptions, ListSecretsOptionsBuilder, ListServicesOptionsBuilder,
    ListTasksOptionsBuilder,
};

use super::client::{Engine, Found};
use super::explain::{explain, is_missing};
use super::task::{TaskSpec, service};
use crate::credentials::Login;
use crate::error::{DockerError, DockerErrorKind};

/// How often the removal of a secret is tried whose service is on its way out.
const REMOVALS: u32 = 100;

/// A machine of a swarm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) address: String,
    /// Whether it answers its managers.
    pub(crate) is_up: bool,
    /// Whether it takes tasks.
    pub(crate) is_active: bool,
}

/// What a swarm tells of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TaskFacts {
    pub(crate) stage: Stage,
    /// Whether the swarm wants it to go on.
    pub(crate) is_wanted: bool,
    pub(crate) node: Option<String>,
    pub(crate) container: Option<String>,
    /// Why it is as it is.
    pub(crate) why: String,
}

/// How far a task is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// No node has it.
    #[default]
    Waiting,
    /// A node makes it ready.
    Preparing,
    /// It runs.
    Running,
    /// It ended, or could not begin.
    Ended,
}

impl Engine {
    /// The engine's own id in its swarm. None if it is not a manager of one.
    pub(crate) async fn manager_id(&self) -> Result<Option<String>, DockerError> {
        let info = self.client.info().await;
        let info = info.map_err(|error| explain("the engine does not tell what it has", error))?;
        let swarm = info.swarm.unwrap_or_default();
        Ok(swarm
            .node_id
            .filter(|id| !id.is_empty() && swarm.control_available == Some(true)))
    }

    /// All nodes of the swarm.
    pub(crate) async fn nodes(&self) -> Result<Vec<Node>, DockerError> {
        let listed = self.client.list_nodes(None::<ListNodesOptions>).await;
        let listed = listed.map_err(|error| explain("could not list the nodes", error))?;
        let nodes = listed.into_iter().filter_map(|node| {
            let status = node.status.unwrap_or_default();
            let spec = node.spec.unwrap_or_default();
            Some(Node {
                id: node.id?,
                name: node
                    .description
                    .unwrap_or_default()
                    .hostname
                    .unwrap_or_default(),
                address: status.addr.unwrap_or_default(),
                is_up: status.state == Some(NodeState::READY),
                is_active: spec.availability == Some(NodeSpecAvailabilityEnum::ACTIVE),
            })
        });
        Ok(nodes.collect())
    }

    /// Makes a service of one task that is never repeated, and gives its id.
    pub(crate) async fn create_service(
        &self,
        spec: &TaskSpec,
        login: Option<Login>,
    ) -> Result<String, DockerError> {
        let what = format!(
            "could not make a service of the image `{}`",
            spec.container.image
        );
        let credentials = login.map(|login| DockerCredentials {
            username: login.user,
            password: login.password,
            identitytoken: login.token,
            serveraddress: Some(login.server),
            ..DockerCredentials::default()
        });
        let made = self.client.create_service(service(spec), credentials).await;
        let made = made.map_err(|error| explain(&what, error))?;
        made.id
            .ok_or_else(|| DockerError::new(DockerErrorKind::Other, what))
    }

    /// The only task of a service. None if there is none (yet, or any more).
    pub(crate) async fn task(&self, service: &str) -> Result<Option<TaskFacts>, DockerError> {
        let filters = HashMap::from([("service", vec![service])]);
        let options = ListTasksOptionsBuilder::default().filters(&filters);
        match self.client.list_tasks(Some(options.build())).await {
            Ok(tasks) => Ok(tasks.into_iter().next().map(facts)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(explain("could not look at the task", error)),
        }
    }

    /// Removes a service. One that is not there any more is no error.
    pub(crate) async fn remove_service(&self, service: &str) -> Result<(), DockerError> {
        match self.client.delete_service(service).await {
            Ok(()) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => {
                let what = format!("could not remove the service `{service}`");
                Err(explain(what, error))
            }
        }
    }

    /// All services with a label.
    pub(crate) async fn labelled_services(&self, label: &str) -> Result<Vec<Found>, DockerError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListServicesOptionsBuilder::default().filters(&filters);
        let listed = self.client.list_services(Some(options.build())).await;
        let listed = listed.map_err(|error| explain("could not list the services", error))?;
        let found = listed.into_iter().filter_map(|service| {
            let spec = service.spec.unwrap_or_default();
            Some(Found {
                id: service.id?,
                name: spec.name.unwrap_or_default(),
                labels: spec.labels.unwrap_or_default(),
            })
        });
        Ok(found.collect())
    }

    /// Makes a secret, and gives its id.
    pub(crate) async fn create_secret(
        &self,
        name: String,
        labels: HashMap<String, String>,
        value: &[u8],
    ) -> Result<String, DockerError> {
        let what = format!("could not make the secret `{name}`");
        let spec = SecretSpec {
            name: Some(name),
            labels: Some(labels),
            data: Some(BASE64_STANDARD.encode(value)),
            ..SecretSpec::default()
        };
        let made = self.client.create_secret(spec).await;
        Ok(made.map_err(|error| explain(what, error))?.id)
    }

    /// The id of a secret by its name. None if there is none.
    pub(crate) async fn secret(&self, name: &str) -> Result<Option<String>, DockerError> {
        let filters = HashMap::from([("name", vec![name])]);
        let options = ListSecretsOptionsBuilder::default().filters(&filters);
        let listed = self.client.list_secrets(Some(options.build())).await;
        let listed = listed.map_err(|error| explain("could not list the secrets", error))?;
        // The filter takes what begins with the name, too.
        let mut named = listed.into_iter().filter(|secret| {
            let spec = secret.spec.as_ref();
            spec.and_then(|spec| spec.name.as_deref()) == Some(name)
        });
        Ok(named.next().and_then(|secret| secret.id))
    }

    /// All secrets with a label.
    pub(crate) async fn labelled_secrets(&self, label: &str) -> Result<Vec<Found>, DockerError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListSecretsOptionsBuilder::default().filters(&filters);
        let listed = self.client.list_secrets(Some(options.build())).await;
        let listed = listed.map_err(|error| explain("could not list the secrets", error))?;
        let found = listed.into_iter().filter_map(|secret| {
            let spec = secret.spec.unwrap_or_default();
            Some(Found {
                id: secret.id?,
                name: spec.name.unwrap_or_default(),
                labels: spec.labels.unwrap_or_default(),
            })
        });
        Ok(found.collect())
    }

    /// Removes a secret. One that is not there any more is no error.
    pub(crate) async fn remove_secret(&self, id: &str) -> Result<(), DockerError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.client.delete_secret(id).await {
                Ok(()) => return Ok(()),
                Err(error) if is_missing(&error) => return Ok(()),
                // A service that is being removed still has it for a moment.
                Err(_) if tries < REMOVALS => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => {
                    return Err(explain(
                        format!("could not remove the secret `{id}`"),
                        error,
                    ));
                }
            }
        }
    }
}

fn facts(task: Task) -> TaskFacts {
    let status = task.status.unwrap_or_default();
    let stage = match status.state {
        None | Some(TaskState::NEW | TaskState::ALLOCATED | TaskState::PENDING) => Stage::Waiting,
        Some(
            TaskState::ASSIGNED
            | TaskState::ACCEPTED
            | TaskState::PREPARING
            | TaskState::READY
            | TaskState::STARTING,
        ) => Stage::Preparing,
        Some(TaskState::RUNNING) => Stage::Running,
        Some(
            TaskState::COMPLETE
            | TaskState::SHUTDOWN
            | TaskState::FAILED
            | TaskState::REJECTED
            | TaskState::REMOVE
            | TaskState::ORPHANED,
        ) => Stage::Ended,
    };
    let container = status.container_status.unwrap_or_default().container_id;
    TaskFacts {
        stage,
        is_wanted: !matches!(
            task.desired_state,
            Some(TaskState::SHUTDOWN | TaskState::REMOVE)
        ),
        node: task.node_id.filter(|id| !id.is_empty()),
        container: container.filter(|id| !id.is_empty()),
        why: status
            .err
            .filter(|why| !why.is_empty())
            .or(status.message)
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_the_swarm_gave_up_is_not_wanted() {
        let of = |state: &str, desired: &str| {
            let task = serde_json::json!({
                "DesiredState": desired,
                "NodeID": "n",
                "Status": {"State": state, "Message": "m", "Err": "",
                    "ContainerStatus": {"ContainerID": "c"}},
            });
            facts(serde_json::from_value(task).unwrap())
        };
        let runs = of("running", "running");
        assert_eq!((runs.stage, runs.is_wanted), (Stage::Running, true));
        assert_eq!(
            (runs.container.as_deref(), runs.why.as_str()),
            (Some("c"), "m")
        );
        let lost = of("running", "shutdown");
        assert_eq!((lost.stage, lost.is_wanted), (Stage::Running, false));
        assert_eq!(of("rejected", "shutdown").stage, Stage::Ended);
        assert_eq!(of("pending", "running").stage, Stage::Waiting);
    }
}
