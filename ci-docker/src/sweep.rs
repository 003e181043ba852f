//! Finds and removes what runs left on an engine.

use ci_core::executor::{ReapReport, ReapScope};
use jiff::Timestamp;

use crate::engine::{Engine, Found};
use crate::error::{DockerError, DockerErrorKind};
use crate::labels;

/// Removes what `scope` covers; what cannot be removed does not stop the rest. Networks and volumes go
/// after the containers that use them.
pub(crate) async fn sweep(engine: &Engine, scope: &ReapScope) -> Result<ReapReport, DockerError> {
    let label = match scope {
        ReapScope::Run(run) => format!("{}={run}", labels::RUN),
        _ => labels::RUN.to_owned(),
    };
    let now = Timestamp::now();
    let ours =
        |found: &Found| matches!(scope, ReapScope::Run(_)) || labels::abandoned(&found.labels, now);
    remove(engine, &label, ours).await
}

/// Removes what a job of a run made with its labels and did not remove itself.
pub(crate) async fn sweep_job(engine: &Engine, run: &str, job: &str) -> Result<(), DockerError> {
    let label = format!("{}={run}", labels::RUN);
    let left = remove(engine, &label, |found| {
        labels::is_of_job(&found.labels, job)
    });
    match left.await?.left.into_iter().next() {
        None => Ok(()),
        Some(text) => Err(DockerError::new(DockerErrorKind::Other, text)),
    }
}

async fn remove(
    engine: &Engine,
    label: &str,
    ours: impl Fn(&Found) -> bool,
) -> Result<ReapReport, DockerError> {
    let mut report = ReapReport::default();
    let mut note = |what: &str, name: &str, removed: Result<(), DockerError>| match removed {
        Ok(()) => report.removed.push(format!("{what} `{name}`")),
        Err(error) => report.left.push(format!("{what} `{name}`: {error}")),
    };
    for found in engine.labelled(label.to_owned()).await? {
        if ours(&found) {
            note("container", &found.name, engine.remove(&found.id).await);
        }
    }
    for found in engine.labelled_networks(label).await? {
        if ours(&found) {
            note(
                "network",
                &found.name,
                engine.remove_network(&found.id).await,
            );
        }
    }
    for found in engine.labelled_volumes(label).await? {
        if ours(&found) {
            note(
                "volume",
                &found.name,
                engine.remove_volume(&found.name).await,
            );
        }
    }
    Ok(report)
}
