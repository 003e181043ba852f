//! Makes the view of a run from what the store and the storage have of it.

use super::failure::fill;
use super::logs::logs;
use super::run::{FlakyView, RunView};
use crate::id::RunId;
use crate::store::{RunStore, StoreError, TestQuery};

#[cfg(all(feature = "storage", feature = "reports"))]
use super::run::{FileCoverageView, FindingView};

/// How many lines of a failed step are shown beside what failed.
const LINES: usize = 12;
/// How many files are listed whose coverage is the least.
#[cfg(all(feature = "storage", feature = "reports"))]
const MOST_FILES: usize = 20;

/// What a view of a run has.
#[derive(Clone)]
#[non_exhaustive]
pub struct RunViewOptions {
    /// How many bytes of logs, at most; with 0 none are read.
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
    if options.log_bytes > 0 {
        view.logs = logs(store, run, &view.jobs, options.log_bytes).await?;
    }
    least_covered(&mut view, run, options).await;
    findings(&mut view, run, options).await;
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

/// How many findings are shown.
#[cfg(all(feature = "storage", feature = "reports"))]
const MOST_FINDINGS: usize = 200;
/// Larger artifacts are not looked into, in bytes.
#[cfg(all(feature = "storage", feature = "reports"))]
const LARGEST_FINDINGS: u64 = 8 << 20;

/// Whether an artifact is a report of findings, as far as its name tells: those that tools and vendors
/// give it.
#[cfg(all(feature = "storage", feature = "reports"))]
fn may_have_findings(path: &str) -> bool {
    const NAMES: [&str; 9] = [
        "sast",
        "codequality",
        "code-quality",
        "code_quality",
        "bandit",
        "safety",
        "pip-audit",
        "secret-detection",
        "dependency-scanning",
    ];
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let is_json = std::path::Path::new(&name)
        .extension()
        .is_some_and(|it| it == "json");
    name.contains(".sarif") || is_json && NAMES.iter().any(|known| name.contains(known))
}

/// Reads the findings among the artifacts.
#[cfg(all(feature = "storage", feature = "reports"))]
async fn findings(view: &mut RunView, run: RunId, options: &RunViewOptions) {
    use crate::measure::findings::{merge, read};
    use crate::storage::ArtifactKind;

    let Some(storage) = options.storage.clone() else {
        return;
    };
    let work = move || {
        let mut all = Vec::new();
        for file in storage.artifacts(run, None).unwrap_or_default() {
            if (file.kind == ArtifactKind::Findings || may_have_findings(&file.path))
                && file.bytes <= LARGEST_FINDINGS
                && let Ok(content) = storage.open_artifact(&file.digest)
                && let Ok(report) = read(content)
            {
                all.extend(report.findings);
            }
        }
        let mut all = merge(all);
        all.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        all.truncate(MOST_FINDINGS);
        let shown = all.into_iter().map(|finding| FindingView {
            severity: finding.severity.to_string(),
            place: finding.place(),
            rule: finding.rule,
            message: finding.message,
            tools: finding.tools,
        });
        shown.collect()
    };
    let read: Vec<FindingView> = tokio::task::spawn_blocking(work).await.unwrap_or_default();
    if !read.is_empty() {
        view.findings = read;
    }
}

#[cfg(not(all(feature = "storage", feature = "reports")))]
async fn findings(_view: &mut RunView, _run: RunId, _options: &RunViewOptions) {}

#[cfg(not(all(feature = "storage", feature = "reports")))]
async fn least_covered(_view: &mut RunView, _run: RunId, _options: &RunViewOptions) {}
