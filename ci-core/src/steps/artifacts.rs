//! The step that keeps files after the job: artifacts, and reports of all sorts.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::files::{Place, places};
use super::transfer::{base, blocking, copy_out, ended, size, storage, warn};
use crate::archive::EntryPath;
use crate::event::StoredKind;
use crate::outcome::Outcome;
use crate::step::{PathsSpec, Step, StepContext, StepError, StepRecord};
use crate::storage::{Artifact, ArtifactKind, ArtifactSource, slashed};

/// Keeps files as artifacts. That there are none is worth a warning and no failure, for this step and
/// those beside it: they often follow one that failed before it wrote them.
#[derive(Debug, Clone)]
pub struct StoreArtifacts(pub PathsSpec);

/// Keeps test results.
#[derive(Debug, Clone)]
pub struct StoreTestResults(pub PathsSpec);

/// Keeps coverage reports.
#[derive(Debug, Clone)]
pub struct StoreCoverage(pub PathsSpec);

/// Keeps values that were measured, and reads them.
#[derive(Debug, Clone)]
pub struct StoreMetrics(pub PathsSpec);

/// Keeps the reports of scanners and linters, and reads them.
#[derive(Debug, Clone)]
pub struct StoreFindings(pub PathsSpec);

#[async_trait]
impl Step for StoreArtifacts {
    fn name(&self) -> &'static str {
        "store artifacts"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        keep(cx, &self.0, ArtifactKind::Artifact).await
    }
}

#[async_trait]
impl Step for StoreTestResults {
    fn name(&self) -> &'static str {
        "store test results"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        keep(cx, &self.0, ArtifactKind::TestResults).await
    }
}

#[async_trait]
impl Step for StoreCoverage {
    fn name(&self) -> &'static str {
        "store coverage"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        keep(cx, &self.0, ArtifactKind::Coverage).await
    }
}

#[async_trait]
impl Step for StoreMetrics {
    fn name(&self) -> &'static str {
        "store metrics"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        keep(cx, &self.0, ArtifactKind::Metrics).await
    }
}

#[async_trait]
impl Step for StoreFindings {
    fn name(&self) -> &'static str {
        "store findings"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        keep(cx, &self.0, ArtifactKind::Findings).await
    }
}

async fn keep(
    cx: &StepContext,
    spec: &PathsSpec,
    kind: ArtifactKind,
) -> Result<Outcome, StepError> {
    let files = StoreFiles { kind, spec };
    ended(cx, files.store(cx).await)
}

/// The work of all of them.
struct StoreFiles<'a> {
    kind: ArtifactKind,
    spec: &'a PathsSpec,
}

impl StoreFiles<'_> {
    async fn store(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let storage = storage(cx)?;
        let source = ArtifactSource {
            run: cx.run_id(),
            job: Arc::clone(&cx.job().name),
            attempt: cx.attempt(),
            kind: self.kind,
        };
        let places = match places(&base(cx).await?, &self.spec.paths, &self.spec.exclude) {
            Ok(places) => places,
            Err(problem) => return Ok(Outcome::failed(problem.to_string())),
        };
        let mut files: Vec<Artifact> = Vec::new();
        for mut place in places {
            if let Some(reader) = copy_out(cx, &place).await? {
                let (storage, source) = (Arc::clone(&storage), source.clone());
                let naming = Naming::new(self.spec);
                let kept;
                (place, kept) = blocking("keep the files", move || {
                    let mut name = |path: &EntryPath| {
                        place.saw(path);
                        naming.name(&place, path)
                    };
                    let kept = storage.keep_artifacts(&source, reader, &mut name)?;
                    Ok((place, kept))
                })
                .await?;
                files.extend(kept.files.into_iter().map(|file| Artifact {
                    path: cx.mask(&file.path),
                    ..file
                }));
                for path in kept.left_out {
                    let words = format!("`{path}` was left out: it leads to no file that is kept");
                    warn(cx, words).await;
                }
            }
            for path in place.unmatched() {
                warn(cx, format!("there is no `{path}` to keep")).await;
            }
        }
        let files = {
            let storage = Arc::clone(&storage);
            let list = move || storage.list_artifacts(&source, files);
            blocking("list the files", list).await?
        };
        self.report(cx, &files).await;
        #[cfg(feature = "reports")]
        super::reports::read_kept(cx, storage, self.kind, files).await?;
        Ok(Outcome::Success)
    }

    async fn report(&self, cx: &StepContext, files: &[Artifact]) {
        let bytes = files.iter().map(|file| file.bytes).sum();
        let (count, bytes) = (files.len(), size(bytes));
        cx.say(format!("kept {count} files ({bytes})")).await;
        for file in files {
            cx.record(StepRecord::Stored {
                kind: match self.kind {
                    ArtifactKind::Artifact => StoredKind::Artifact,
                    ArtifactKind::TestResults => StoredKind::TestResults,
                    ArtifactKind::Coverage => StoredKind::Coverage,
                    ArtifactKind::Metrics => StoredKind::Metrics,
                    ArtifactKind::Findings => StoredKind::Findings,
                },
                name: file.path.clone(),
                bytes: file.bytes,
                digest: Some(file.digest.clone()),
            });
        }
    }
}

/// Where files stand among the artifacts.
///
/// Without a destination at their own path, from the working directory, the home or the root. With
/// one, what stands below a directory that was named stands below the destination; a file that was
/// named is the destination itself if it is the only path, and stands below it otherwise.
struct Naming {
    destination: Option<String>,
    only: bool,
}

impl Naming {
    fn new(spec: &PathsSpec) -> Self {
        Self {
            destination: spec.destination.clone(),
            only: spec.paths.len() == 1,
        }
    }

    fn name(&self, place: &Place, path: &EntryPath) -> String {
        let own = slashed(path);
        let Some(destination) = &self.destination else {
            return match place.dir.as_str() {
                "." | "~" => own,
                dir => format!("{}/{own}", dir.trim_matches('/')),
            };
        };
        let taken = place.literal_of(path.as_path());
        let below = path.as_path().strip_prefix(taken).unwrap_or(Path::new(""));
        let destination = destination.trim_start_matches('/');
        match below.to_string_lossy() {
            below if !below.is_empty() => format!("{destination}/{below}"),
            _ if self.only && !destination.ends_with('/') => destination.to_owned(),
            _ => {
                let name = own.rsplit('/').next().unwrap_or_default();
                format!("{destination}/{name}")
            }
        }
    }
}
