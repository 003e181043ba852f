//! Makes the view of a run from what the store and the storage have of it.

use super::failure::fill;
use super::logs::logs;
use super::run::{FlakyView, RunView};
use crate::id::RunId;
use crate::store::{RunStore, StoreError, TestQuery};

#[cfg(all(feature = "storage", feature = "reports"))]
use super::run::FileCoverageView;

/// How many lines of a failed step are shown beside what failed.
const LINES: usize = 12;
/// How many files are listed whose coverage is the least.
#[cfg(all(feature = "storage", feature = "reports"))]
const MOST_FILES: usize = 20;

/// What a view of a run has.
#[derive(Clone)]
#[non_exhaustive]
pub struct RunViewOptions {
    /// How many bytes of logs, at most.
    pub log_bytes: usize,
    /// Where the coverage reports of the run are kept.
    #[cfg(feature = "storage")]
    pub storage: Option<std::sync::Arc<crate::storage::Storage>>,
}

impl std::fmt::Debug for RunViewOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunViewOptions")
            .field("log_bytes", &self.log_bytes)
            .finish_non_exhaustive()
    }
}

impl Default for RunViewOptions {
    fn default() -> Self {
        Self {
            log_bytes: 160 * 1024,
            #[cfg(feature = "storage")]
            storage: None,
        }
    }
}

impl RunViewOptions {
    /// Has so many bytes of logs at most.
    #[must_use]
    pub fn log_bytes(mut self, most: usize) -> Self {
        self.log_bytes = most;
        self
    }

    /// Reads the coverage of single files from here.
    #[cfg(feature = "storage")]
    #[must_use]
    pub fn storage(mut self, storage: std::sync::Arc<crate::storage::Storage>) -> Self {
        self.storage = Some(storage);
        self
    }
}

/// The view of a run with its logs, its flaky tests, the coverage of its files and what changed since
/// the last success.
///
/// # Errors
/// When the store has no such run, or cannot read.
pub async fn run_view(
    store: &dyn RunStore,
    run: RunId,
    options: &RunViewOptions,
) -> Result<RunView, StoreError> {
    let stored = store.load(run).await?;
    let mut view = RunView::new(&stored);
    fill(store, &stored, &mut view.failure, LINES).await?;
    let tests = TestQuery {
        run: Some(run),
        ..TestQuery::default()
    };
    let flaky = store.tests(&tests).await?;
    let flaky = flaky.into_iter().filter(|entry| entry.test.flaky);
    let flaky = flaky.map(|entry| FlakyView {
        job: entry.key.job,
        test: entry.test.id(),
    });
    view.flaky = flaky.collect();
    view.flaky.dedup();
    view.logs = logs(store, run, &view.jobs, options.log_bytes).await?;
    least_covered(&mut view, run, options).await;
    Ok(view)
}

/// Reads the coverage reports again: events have their totals only. One that is gone or damaged is
/// left out; the run has told its troubles already.
#[cfg(all(feature = "storage", feature = "reports"))]
async fn least_covered(view: &mut RunView, run: RunId, options: &RunViewOptions) {
    use crate::report::coverage::{self, Coverage};
    use crate::storage::ArtifactKind;

    let Some(storage) = options.storage.clone() else {
        return;
    };
    if view.coverage().next().is_none() {
        return;
    }
    let work = move || {
        let mut all = Coverage::new();
        let kept = storage.artifacts(run, None).unwrap_or_default();
        for file in kept.iter().filter(|it| it.kind == ArtifactKind::Coverage) {
            if let Ok(content) = storage.open_artifact(&file.digest)
                && let Ok(report) = coverage::read(content)
            {
                all.merge(report.coverage);
            }
        }
        let mut files: Vec<FileCoverageView> = all
            .files()
            .map(|(path, file)| {
                let lines = file.totals().lines;
                FileCoverageView {
                    path: path.to_owned(),
                    covered: lines.covered,
                    total: lines.total,
                }
            })
            .filter(|file| file.covered < file.total)
            .collect();
        // The lowest share first; of equal shares the file with more to cover.
        files.sort_by(|a, b| {
            let (left, right) = (
                u128::from(a.covered) * u128::from(b.total),
                u128::from(b.covered) * u128::from(a.total),
            );
            let equal = || b.total.cmp(&a.total).then_with(|| a.path.cmp(&b.path));
            left.cmp(&right).then_with(equal)
        });
        files.truncate(MOST_FILES);
        files
    };
    view.least_covered = tokio::task::spawn_blocking(work).await.unwrap_or_default();
}

#[cfg(not(all(feature = "storage", feature = "reports")))]
async fn least_covered(_view: &mut RunView, _run: RunId, _options: &RunViewOptions) {}
