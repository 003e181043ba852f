//! `ci trends` and `ci report metrics`: what runs measure, over time.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ci_core::event::MetricValue;
use ci_core::measure::trends::{BranchTrend, Point, svg, trends};
use ci_core::measure::values::{Better, Gate, Judged, Spread, read};
use ci_core::outcome::OutcomeKind;
use ci_core::storage::Storage;
use ci_core::store::{RunQuery, RunStore, RunSummary};
use ci_core::view::{JobView, jobs_of};
use serde_json::json;

use crate::args::{Format, Global};
use crate::failure::{Failure, chain};
use crate::kept::Kept;
use crate::output;

/// Exit code of a gate that is not passed.
const GATE: u8 = 1;

#[derive(Debug, clap::Args)]
pub(crate) struct TrendsArgs {
    /// Only runs of this workflow
    #[arg(long)]
    pub(crate) workflow: Option<String>,
    /// Only runs for this branch
    #[arg(long)]
    pub(crate) branch: Option<String>,
    /// How many of the newest runs are looked at
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    pub(crate) runs: u64,
    /// Also the values in this artifact of each run, such as `metrics.json`
    #[arg(long, value_name = "PATH")]
    pub(crate) artifact: Vec<String>,
    /// Also each job by itself
    #[arg(long)]
    pub(crate) by_job: bool,
    /// Only this job; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) job: Vec<String>,
    /// Write the plots to this file, as SVG
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MetricsArgs {
    /// Files with values: JSON, `OpenMetrics`, criterion's estimates.json, pytest-benchmark
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The worst value that passes, such as `size=1000`
    #[arg(long, value_name = "NAME=X", value_parser = limit)]
    pub(crate) limit: Vec<(String, f64)>,
    /// By how many percent values may be worse than the median of earlier runs
    #[arg(long, value_name = "PCT")]
    pub(crate) max_regression: Option<f64>,
    /// The branch whose runs are compared with
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub(crate) base: String,
    /// Under which path those runs kept their values as an artifact [default: the name of the file]
    #[arg(long, value_name = "PATH")]
    pub(crate) artifact: Option<String>,
    /// How many of the newest of those runs are compared with
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub(crate) runs: u64,
    /// Higher values are the better ones
    #[arg(long)]
    pub(crate) higher: bool,
}

fn limit(text: &str) -> Result<(String, f64), String> {
    let (name, value) = crate::args::pair(text)?;
    let value: f64 = value
        .parse()
        .map_err(|_| format!("`{value}` is no number"))?;
    Ok((name, value))
}

/// Shows how the runs of each branch change.
pub(crate) async fn show(global: &Global, args: &TrendsArgs) -> Result<u8, Failure> {
    let trends = trends(&points(global, args).await?);
    if let Some(file) = &args.svg {
        let trouble = |error| Failure::input(format!("`{}`: {error}", file.display()));
        std::fs::write(file, svg(&trends)).map_err(trouble)?;
    }
    if global.format == Format::Json {
        output::json(&json!({ "branches": trends }))?;
        return Ok(0);
    }
    if trends.is_empty() {
        output::say("there is no run yet that has ended");
        return Ok(0);
    }
    output::print(&table(&trends))?;
    Ok(0)
}

/// The points of the runs that were asked for; none where nothing ran yet.
async fn points(global: &Global, args: &TrendsArgs) -> Result<Vec<Point>, Failure> {
    let kept = Kept::here(global)?;
    let Some(store) = kept.store_if_there()? else {
        return Ok(Vec::new());
    };
    let query = RunQuery {
        workflow: args.workflow.clone(),
        branch: args.branch.clone(),
        limit: Some(args.runs),
        ..RunQuery::default()
    };
    let storage = if args.artifact.is_empty() {
        None
    } else {
        Some(kept.storage()?)
    };
    let mut points = Vec::new();
    for run in store.runs(&query).await?.runs {
        if run.outcome.is_none() {
            continue;
        }
        let stored = store.load(run.id).await?;
        let jobs = jobs_of(&stored);
        if args.job.is_empty() {
            let mut point = point(&run, &jobs);
            if let Some(storage) = &storage {
                point
                    .values
                    .extend(values_of(storage, &run, &args.artifact)?);
            }
            points.push(point);
        }
        let of_jobs = jobs.iter().filter(|job| args.wants(&job.name));
        points.extend(of_jobs.filter_map(|job| point_of_job(&run, job)));
    }
    Ok(points)
}

impl TrendsArgs {
    /// Whether a job is shown by itself.
    fn wants(&self, job: &str) -> bool {
        self.by_job && self.job.is_empty() || self.job.iter().any(|name| name == job)
    }
}

/// How long a job waited for a slot.
fn waited(job: &JobView) -> Option<Duration> {
    Some(job.attempts.first()?.started.since(job.ready?))
}

fn passed(outcome: Option<OutcomeKind>) -> Option<bool> {
    match outcome {
        Some(OutcomeKind::Success) => Some(true),
        Some(
            OutcomeKind::Canceled
            | OutcomeKind::OnHold
            | OutcomeKind::Skipped
            | OutcomeKind::NotRun,
        )
        | None => None,
        Some(_) => Some(false),
    }
}

/// How many lines of jobs are covered, in percent.
fn covered<'a>(jobs: impl Iterator<Item = &'a JobView>) -> Option<f64> {
    let (mut covered, mut total, mut stated) = (0.0, 0.0, None);
    for totals in jobs.filter_map(JobView::coverage) {
        covered += as_number(totals.lines.covered);
        total += as_number(totals.lines.total);
        stated = stated.or(totals.stated);
    }
    if total > 0.0 {
        Some(covered * 100.0 / total)
    } else {
        stated
    }
}

fn measured(job: &JobView) -> &[MetricValue] {
    job.reports.as_ref().map_or(&[], |reports| &reports.metrics)
}

fn point(run: &RunSummary, jobs: &[JobView]) -> Point {
    let mut values = BTreeMap::new();
    for job in jobs {
        for value in measured(job) {
            // Two jobs may measure the same: then the later one is told by its job.
            let name = if values.contains_key(&value.name) {
                format!("{}: {}", job.name, value.name)
            } else {
                value.name.clone()
            };
            values.insert(name, value.value);
        }
    }
    Point {
        run: run.id.to_string(),
        branch: run.branch.clone().unwrap_or_default(),
        job: String::new(),
        created: run.created.as_millis(),
        passed: passed(run.outcome),
        duration: run.finished.map(|end| end.since(run.created).as_secs_f64()),
        queue: Some(
            jobs.iter()
                .filter_map(waited)
                .sum::<Duration>()
                .as_secs_f64(),
        ),
        coverage: covered(jobs.iter()),
        values,
    }
}

/// A job of a run; nothing if it did not run.
fn point_of_job(run: &RunSummary, job: &JobView) -> Option<Point> {
    if job.attempts.is_empty() {
        return None;
    }
    let values = measured(job).iter();
    Some(Point {
        run: run.id.to_string(),
        branch: run.branch.clone().unwrap_or_default(),
        job: job.name.to_string(),
        created: run.created.as_millis(),
        passed: passed(job.outcome),
        duration: Some(job.duration.as_secs_f64()),
        queue: waited(job).map(|wait| wait.as_secs_f64()),
        coverage: covered(std::iter::once(job)),
        values: values.map(|it| (it.name.clone(), it.value)).collect(),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a percentage needs no more than 53 bits"
)]
fn as_number(count: u64) -> f64 {
    count as f64
}

/// The values that a run kept under these paths. What cannot be read has no values.
fn values_of(
    storage: &Arc<Storage>,
    run: &RunSummary,
    paths: &[String],
) -> Result<BTreeMap<String, f64>, Failure> {
    let kept = storage.artifacts(run.id, None);
    let kept = kept.map_err(|error| Failure::engine(chain(&error)))?;
    let mut values = BTreeMap::new();
    for file in kept.iter().filter(|file| paths.contains(&file.path)) {
        if let Ok(content) = storage.open_artifact(&file.digest)
            && let Ok(found) = read(content)
        {
            for value in found.at(&file.path).values {
                values.insert(value.name, value.value);
            }
        }
    }
    Ok(values)
}

fn table(trends: &[BranchTrend]) -> String {
    let has_jobs = trends.iter().any(|trend| !trend.job.is_empty());
    let header = [
        "BRANCH", "JOB", "RUNS", "PASSED", "WHAT", "LAST", "MEDIAN", "SPREAD", "CHANGE",
    ];
    let header = header.into_iter().filter(|word| has_jobs || *word != "JOB");
    let mut rows = vec![header.map(String::from).collect::<Vec<_>>()];
    for trend in trends {
        let rate = trend.pass_rate.map(|rate| format!("{rate:.0} %"));
        let job = has_jobs.then(|| output::plain(&trend.job));
        let mut head = vec![output::plain(&trend.branch)];
        head.extend(job);
        head.extend([trend.runs.to_string(), rate.unwrap_or_default()]);
        for series in &trend.series {
            let unit = series.unit;
            let change = series.change.map(|change| format!("{change:+.1} %"));
            let mut row = std::mem::take(&mut head);
            row.resize(if has_jobs { 4 } else { 3 }, String::new());
            row.extend([
                output::plain(&series.name),
                format!("{:.2}{unit}", series.last),
                format!("{:.2}{unit}", series.spread.median),
                format!("{:.2}", series.spread.deviation),
                change.unwrap_or_default(),
            ]);
            rows.push(row);
        }
    }
    output::table(&rows)
}

/// Reads values and judges them.
pub(crate) async fn metrics(global: &Global, args: &MetricsArgs) -> Result<u8, Failure> {
    let mut judged: Vec<Judged> = Vec::new();
    let mut unknown: Vec<&str> = args.limit.iter().map(|(name, _)| &**name).collect();
    for path in &args.files {
        let trouble = |error: String| {
            Failure::input(format!("`{}`: {error}", path.display()))
                .hint("values are read from JSON, OpenMetrics, criterion and pytest-benchmark")
        };
        let file = File::open(path).map_err(|error| trouble(error.to_string()))?;
        let found = read(file).map_err(|error| trouble(chain(&error)))?;
        for warning in &found.warnings {
            output::say(output::plain(&format!("{}: {warning}", path.display())));
        }
        let earlier = match args.max_regression {
            Some(_) => earlier(global, args, path).await?,
            None => BTreeMap::new(),
        };
        for value in found.at(&path.to_string_lossy()).values {
            unknown.retain(|name| *name != value.name);
            let before = earlier.get(&value.name).map_or(&[][..], Vec::as_slice);
            judged.push(gate(args, &value.name).judge(&value, before));
        }
    }
    if !unknown.is_empty() {
        return Err(Failure::input(format!(
            "no file has a value `{}`",
            unknown.join("`, `")
        )));
    }
    let passed = judged.iter().all(|it| it.passed);
    if global.format == Format::Json {
        output::json(&json!({ "passed": passed, "values": judged }))?;
    } else {
        let mut rows = vec![
            ["", "VALUE", "NOW", "BEFORE", "CHANGE", ""]
                .map(String::from)
                .to_vec(),
        ];
        rows.extend(judged.iter().map(row));
        output::print(&output::table(&rows))?;
    }
    Ok(if passed { 0 } else { GATE })
}

fn row(it: &Judged) -> Vec<String> {
    let before = |spread: Spread| format!("{} ± {:.3}", spread.median, spread.deviation);
    let change = it.change.map(|change| format!("{change:+.1} %"));
    vec![
        if it.passed { "✓" } else { "✗" }.to_owned(),
        output::plain(&it.name),
        it.value.to_string(),
        it.earlier.map(before).unwrap_or_default(),
        change.unwrap_or_default(),
        it.message.clone(),
    ]
}

fn gate(args: &MetricsArgs, name: &str) -> Gate {
    let mut gate = Gate::new(if args.higher {
        Better::Higher
    } else {
        Better::Lower
    });
    if let Some((_, limit)) = args.limit.iter().find(|(known, _)| known == name) {
        gate = gate.limit(*limit);
    }
    if let Some(percent) = args.max_regression {
        gate = gate.regression(percent);
    }
    gate
}

/// What the newest successful runs of the base branch measured, by the names of the values.
async fn earlier(
    global: &Global,
    args: &MetricsArgs,
    path: &Path,
) -> Result<BTreeMap<String, Vec<f64>>, Failure> {
    let kept = Kept::here(global)?;
    let Some(store) = kept.store_if_there()? else {
        return Ok(BTreeMap::new());
    };
    let storage = kept.storage()?;
    let query = RunQuery {
        branch: Some(args.base.clone()),
        outcome: Some(OutcomeKind::Success),
        limit: Some(args.runs),
        ..RunQuery::default()
    };
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let artifact = args.artifact.clone().unwrap_or_else(|| file.into_owned());
    let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for run in store.runs(&query).await?.runs {
        for (name, value) in values_of(&storage, &run, std::slice::from_ref(&artifact))? {
            all.entry(name).or_default().push(value);
        }
    }
    Ok(all)
}
