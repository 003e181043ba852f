//! What can be typed about test reports, coverage and splitting.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use crate::commands::findings::FindingsArgs;
use crate::commands::flaky::FailedArgs;
use crate::commands::page::PageArgs;
use crate::commands::trends::MetricsArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Test results: JUnit, TAP, TRX, go test -json and others, found from the content
    Tests(TestsArgs),
    /// Coverage: LCOV, Cobertura, JaCoCo, coverage.py and others, merged into one
    Coverage(CoverageArgs),
    /// The tests of a run that failed, as a test runner takes them
    Failed(FailedArgs),
    /// Findings of scanners and linters: SARIF, bandit, safety, pip-audit, GitLab's code quality and
    /// security reports, merged into one list
    Findings(FindingsArgs),
    /// Measured values, against limits and against earlier runs
    Metrics(MetricsArgs),
    /// A run as text, Markdown, JSON or a page, by `--format`
    Run(PageArgs),
    /// A run as a page: one file that needs nothing beside it
    Html(PageArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct TestsArgs {
    /// Report files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// List every case in the JSON
    #[arg(long)]
    pub(crate) cases: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CoverageArgs {
    /// Report files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The least share of covered lines, in percent
    #[arg(long, value_name = "PCT")]
    pub(crate) fail_under: Option<f64>,
    /// The least share of covered branches, in percent
    #[arg(long, value_name = "PCT")]
    pub(crate) fail_under_branches: Option<f64>,
    /// The least share of covered lines among those that differ from --base, in percent
    #[arg(long, value_name = "PCT", requires = "base")]
    pub(crate) fail_under_changed: Option<f64>,
    /// The revision that changed lines are found by
    #[arg(long, value_name = "REV")]
    pub(crate) base: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SplitArgs {
    /// What the shards are made equal by
    #[arg(long, value_enum, default_value_t = SplitBy::Timings)]
    pub(crate) by: SplitBy,
    /// Which shard to print, from 0
    #[arg(long, value_name = "I", env = "CI_NODE_INDEX", default_value_t = 0)]
    pub(crate) index: u32,
    /// How many shards there are
    #[arg(long, value_name = "N", env = "CI_NODE_TOTAL", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) total: u32,
    /// Test reports with times [default: what earlier runs in the store took]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) timings: Vec<PathBuf>,
    /// Also take the times of earlier runs in the store
    #[arg(long, value_enum)]
    pub(crate) timings_from: Option<TimingsFrom>,
    /// Of the runs in the store only those of this workflow [default: that of the run around it]
    #[arg(long, value_name = "NAME")]
    pub(crate) workflow: Option<String>,
    /// Say on standard error what each shard gets and why
    #[arg(long)]
    pub(crate) explain: bool,
    /// Files with names [default: standard input]
    #[arg(value_name = "NAMES")]
    pub(crate) names: Vec<PathBuf>,
}

/// Where times are taken from beside report files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimingsFrom {
    /// The run store.
    Store,
}

/// What shards are made equal by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitBy {
    /// How long tests took.
    Timings,
    /// How large files are.
    Filesize,
    /// How many names there are.
    Name,
}
