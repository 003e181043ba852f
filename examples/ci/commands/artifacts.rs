//! `ci artifacts`.

use std::collections::BTreeSet;

use ci_core::store::RunStore as _;
use serde_json::json;

use crate::args::{ArtifactsArgs, Format, Global};
use crate::failure::{Failure, chain};
use crate::kept::Kept;
use crate::{open, output};

/// Lists the files that jobs kept, or copies them out.
pub(crate) async fn artifacts(global: &Global, args: &ArtifactsArgs) -> Result<u8, Failure> {
    let kept = Kept::here(global)?;
    let store = kept.store_to_read()?;
    let run = open::run_id(&*store, &args.run).await?;
    let storage = kept.storage()?;
    let failed = |error| Failure::engine(chain(&error));
    let artifacts = storage
        .artifacts(run, args.job.as_deref())
        .map_err(failed)?;
    if artifacts.is_empty()
        && let Some(job) = &args.job
    {
        open::known_job(&store.load(run).await?, job)?;
    }
    if let Some(dir) = &args.output {
        let mut count = 0;
        let jobs: BTreeSet<&str> = artifacts.iter().map(|artifact| &*artifact.job).collect();
        for job in jobs {
            // One job's files stand in the directory itself, those of several in one each.
            let dest = if args.job.is_some() {
                dir.clone()
            } else {
                dir.join(job.replace('/', "_"))
            };
            count += storage.export(run, job, &dest).map_err(failed)?.len();
        }
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
            artifact.job.clone(),
            kind(artifact.kind).to_owned(),
            output::size(artifact.bytes),
            artifact.path.clone(),
        ]);
    }
    output::print(&output::table(&rows))?;
    Ok(0)
}

fn kind(kind: ci_core::storage::ArtifactKind) -> &'static str {
    use ci_core::storage::ArtifactKind::{Coverage, Findings, Metrics, TestResults};
    match kind {
        TestResults => "test results",
        Coverage => "coverage",
        Metrics => "values",
        Findings => "findings",
        _ => "artifact",
    }
}
