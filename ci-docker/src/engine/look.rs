//! Whose something is: the labels of what has a name.

use std::collections::HashMap;

use bollard::errors::Error;
use bollard::query_parameters::{InspectContainerOptions, InspectNetworkOptions};

use super::client::Engine;
use super::explain::{explain, is_missing};
use crate::error::DockerError;

/// The labels of something. None if it is not there.
type Labels = Option<HashMap<String, String>>;

impl Engine {
    /// The labels of a container.
    pub(crate) async fn labels_of_container(&self, id: &str) -> Result<Labels, DockerError> {
        let found = self
            .client
            .inspect_container(id, None::<InspectContainerOptions>);
        found_or_not(found.await.map(|found| {
            let config = found.config.unwrap_or_default();
            config.labels.unwrap_or_default()
        }))
    }

    /// The labels of the container that a command runs in.
    pub(crate) async fn labels_of_exec(&self, id: &str) -> Result<Labels, DockerError> {
        match self.client.inspect_exec(id).await {
            Ok(found) => match found.container_id {
                Some(container) => self.labels_of_container(&container).await,
                None => Ok(None),
            },
            Err(error) => found_or_not(Err(error)),
        }
    }

    /// The labels of a network.
    pub(crate) async fn labels_of_network(&self, name: &str) -> Result<Labels, DockerError> {
        let found = self
            .client
            .inspect_network(name, None::<InspectNetworkOptions>);
        found_or_not(found.await.map(|found| found.labels.unwrap_or_default()))
    }

    /// The labels of a volume.
    pub(crate) async fn labels_of_volume(&self, name: &str) -> Result<Labels, DockerError> {
        let found = self.client.inspect_volume(name).await;
        found_or_not(found.map(|found| found.labels))
    }
}

fn found_or_not(found: Result<HashMap<String, String>, Error>) -> Result<Labels, DockerError> {
    match found {
        Ok(labels) => Ok(Some(labels)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(explain("could not look whose it is", error)),
    }
}
