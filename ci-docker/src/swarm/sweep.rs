//! Finds and removes what runs left in a swarm: services and secrets, and then what is on its nodes.

use ci_core::executor::{ReapReport, ReapScope};
use jiff::Timestamp;

use super::place::Reached;
use crate::engine::{Engine, Found};
use crate::error::DockerError;
use crate::{labels, sweep};

/// Removes what `scope` covers; what cannot be removed does not stop the rest.
pub(super) async fn sweep(
    manager: &Engine,
    nodes: &[Reached],
    scope: &ReapScope,
) -> Result<ReapReport, DockerError> {
    let label = match scope {
        ReapScope::Run(run) => format!("{}={run}", labels::RUN),
        _ => labels::RUN.to_owned(),
    };
    let now = Timestamp::now();
    let ours =
        |found: &Found| matches!(scope, ReapScope::Run(_)) || labels::abandoned(&found.labels, now);
    let mut report = ReapReport::default();
    let mut note = |what: &str, name: &str, removed: Result<(), DockerError>| match removed {
        Ok(()) => report.removed.push(format!("{what} `{name}`")),
        Err(error) => report.left.push(format!("{what} `{name}`: {error}")),
    };
    for found in manager.labelled_services(&label).await? {
        if ours(&found) {
            note(
                "service",
                &found.name,
                manager.remove_service(&found.id).await,
            );
        }
    }
    for found in manager.labelled_secrets(&label).await? {
        if ours(&found) {
            note(
                "secret",
                &found.name,
                manager.remove_secret(&found.id).await,
            );
        }
    }
    for reached in nodes.iter().filter(|reached| reached.node.is_up) {
        let swept = async { sweep::sweep(&reached.executor.engine()?, scope).await };
        match swept.await {
            Ok(more) => {
                report.removed.extend(more.removed);
                report.left.extend(more.left);
            }
            Err(error) => {
                let name = &reached.node.name;
                report.left.push(format!("the node `{name}`: {error}"));
            }
        }
    }
    Ok(report)
}
