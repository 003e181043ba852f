//! What stands around containers: networks, volumes, and what is told of a container from outside.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{HealthStatusEnum, NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{
    InspectContainerOptions, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
    LogsOptionsBuilder, RemoveVolumeOptionsBuilder,
};
use futures_util::TryStreamExt;

use super::client::{Engine, Found};
use super::explain::{explain, is_missing, status};
use crate::error::DockerError;

/// How often the removal of a network is tried whose containers are on their way out.
const REMOVALS: u32 = 50;

/// What an engine tells of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// It runs; whether its health check says that it is ready, if it has one.
    Running(Option<bool>),
    /// It ended with this code.
    Ended(i64),
    /// It is not there any more.
    Gone,
}

impl Engine {
    /// Makes a network, and gives its name. Nothing outside of an `internal` one is reached.
    pub(crate) async fn create_network(
        &self,
        name: String,
        labels: HashMap<String, String>,
        internal: bool,
    ) -> Result<String, DockerError> {
        let request = NetworkCreateRequest {
            name: name.clone(),
            labels: Some(labels),
            internal: Some(internal),
            ..NetworkCreateRequest::default()
        };
        let made = self.client.create_network(request).await;
        made.map_err(|error| {
            let error = explain("could not make a network", error);
            error.with_hint("`ci reap --docker` removes networks that dead runs left")
        })?;
        Ok(name)
    }

    /// Removes a network. One that is not there any more is no error.
    pub(crate) async fn remove_network(&self, name: &str) -> Result<(), DockerError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.client.remove_network(name).await {
                Ok(()) => return Ok(()),
                Err(error) if is_missing(&error) => return Ok(()),
                // A container that is being removed is still connected for a moment.
                Err(error) if status(&error) == Some(403) && tries < REMOVALS => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => {
                    return Err(explain(
                        format!("could not remove the network `{name}`"),
                        error,
                    ));
                }
            }
        }
    }

    /// All networks with a label.
    pub(crate) async fn labelled_networks(&self, label: &str) -> Result<Vec<Found>, DockerError> {
        let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let options = ListNetworksOptionsBuilder::default().filters(&filters);
        let listed = self.client.list_networks(Some(options.build())).await;
        let listed = listed.map_err(|error| explain("could not list the networks", error))?;
        let found = listed.into_iter().filter_map(|network| {
            Some(Found {
                id: network.id?,
                name: network.name?,
                labels: network.labels.unwrap_or_default(),
            })
        });
        Ok(found.collect())
    }

    /// Makes a volume; one of this name that is there already stays as it is.
    pub(crate) async fn create_volume(
        &self,
        name: String,
        labels: HashMap<String, String>,
    ) -> Result<(), DockerError> {
        let request = VolumeCreateRequest {
            name: Some(name),
            labels: Some(labels),
            ..VolumeCreateRequest::default()
        };
        let made = self.client.create_volume(request).await;
        made.map_err(|error| explain("could not make a volume", error))?;
        Ok(())
    }

    /// Removes a volume. One that is not there any more is no error.
    pub(crate) async fn remove_volume(&self, name: &str) -> Result<(), DockerError> {
        let options = RemoveVolumeOptionsBuilder::default().force(true).build();
        match self.client.remove_volume(name, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(explain(
                format!("could not remove the volume `{name}`"),
                error,
            )),
        }
    }

    /// All volumes with a label.
    pub(crate) async fn labelled_volumes(&self, label: &str) -> Result<Vec<Found>, DockerError> {
        let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let options = ListVolumesOptionsBuilder::default().filters(&filters);
        let listed = self.client.list_volumes(Some(options.build())).await;
        let listed = listed.map_err(|error| explain("could not list the volumes", error))?;
        let volumes = listed.volumes.unwrap_or_default().into_iter();
        let found = volumes.map(|volume| Found {
            id: volume.name.clone(),
            name: volume.name,
            labels: volume.labels,
        });
        Ok(found.collect())
    }

    /// How a container is.
    pub(crate) async fn state(&self, id: &str) -> Result<State, DockerError> {
        let found = self
            .client
            .inspect_container(id, None::<InspectContainerOptions>);
        let found = match found.await {
            Ok(found) => found,
            Err(error) if is_missing(&error) => return Ok(State::Gone),
            Err(error) => return Err(explain("could not look at the container", error)),
        };
        let state = found.state.unwrap_or_default();
        if state.running != Some(true) {
            return Ok(State::Ended(state.exit_code.unwrap_or(-1)));
        }
        let health = state.health.and_then(|health| health.status);
        Ok(State::Running(match health {
            Some(HealthStatusEnum::HEALTHY) => Some(true),
            Some(HealthStatusEnum::STARTING | HealthStatusEnum::UNHEALTHY) => Some(false),
            _ => None,
        }))
    }

    /// The last lines that a container with a log wrote.
    pub(crate) async fn last_lines(&self, id: &str, lines: u32) -> Result<String, DockerError> {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .tail(&lines.to_string())
            .build();
        let pieces = self.client.logs(id, Some(options)).try_collect::<Vec<_>>();
        let pieces = pieces
            .await
            .map_err(|error| explain("could not read the container's log", error))?;
        let bytes: Vec<u8> = pieces
            .into_iter()
            .flat_map(bollard::container::LogOutput::into_bytes)
            .collect();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
