//! Finds and removes what runs left on an engine.

use ci_core::executor::{ReapReport, ReapScope};
use jiff::Timestamp;

use crate::engine::Engine;
use crate::error::DockerError;
use crate::labels;

/// Removes what `scope` covers; what cannot be removed does not stop the rest.
pub(crate) async fn sweep(engine: &Engine, scope: &ReapScope) -> Result<ReapReport, DockerError> {
    let label = match scope {
        ReapScope::Run(run) => format!("{}={run}", labels::RUN),
        _ => labels::RUN.to_owned(),
    };
    let now = Timestamp::now();
    let mut report = ReapReport::default();
    for found in engine.labelled(label).await? {
        let ours = matches!(scope, ReapScope::Run(_)) || labels::abandoned(&found.labels, now);
        if !ours {
            continue;
        }
        let text = format!("container `{}`", found.name);
        match engine.remove(&found.id).await {
            Ok(()) => report.removed.push(text),
            Err(error) => report.left.push(format!("{text}: {error}")),
        }
    }
    Ok(report)
}
