//! `ci artifacts`.

use serde_json::json;

use crate::args::{ArtifactsArgs, Format, Global};
use crate::failure::{Failure, chain};
use crate::{open, output};

/// Lists the files that jobs kept, or copies them out.
pub(crate) async fn artifacts(global: &Global, args: &ArtifactsArgs) -> Result<u8, Failure> {
    let store = open::store(global)?;
    let run = open::run_id(&*store, &args.run).await?;
    let storage = open::storage(global)?;
    let failed = |error| Failure::engine(chain(&error));
    let artifacts = storage
        .artifacts(run, args.job.as_deref())
        .map_err(failed)?;
    if let Some(dir) = &args.output {
        let count = storage
            .export(run, args.job.as_deref(), dir)
            .map_err(failed)?;
        output::say(format!("{count} files copied to `{}`", dir.display()));
        return Ok(0);
    }
    if global.format == Format::Json {
        let data: Vec<_> = artifacts.iter().map(|artifact| json!(artifact)).collect();
        output::json(&json!({ "total": data.len(), "data": data }))?;
        return Ok(0);
    }
    let mut rows = vec![["JOB", "KIND", "SIZE", "PATH"].map(String::from).to_vec()];
    for artifact in &artifacts {
        rows.push(vec![
            artifact.job.to_string(),
            artifact.kind.to_string(),
            output::size(artifact.bytes),
            artifact.path.clone(),
        ]);
    }
    output::print(&output::table(&rows))?;
    Ok(0)
}
