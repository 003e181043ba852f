//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Parser, Subcommand, ValueEnum};

pub(crate) use crate::report_args::{
    CoverageArgs, ReportCommand, SplitArgs, SplitBy, TestsArgs, TimingsFrom,
};
pub(crate) use crate::workflow_args::{EventChoice, WorkflowArgs};

use crate::commands::flaky::FlakyArgs;
use crate::commands::rules::RulesArgs;
use crate::commands::show::ShowArgs;
use crate::commands::trends::TrendsArgs;
use crate::examples;
use crate::watch::WatchArgs;

/// Run CI workflows on this machine, and look at what happened.
///
/// A workflow is a file, or a directory with `.ci/workflow.yml` or a configuration of CircleCI or GitLab
/// in it. Runs are kept in a store, so that a run whose process died can be resumed, and what failed can be run
/// again.
#[derive(Debug, Parser)]
#[command(name = "ci", version, max_term_width = 100, after_help = examples::PROGRAM)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Options of all commands")]
pub(crate) struct Global {
    /// The file that keeps the runs [default: in the user's state directory]
    #[arg(long, global = true, value_name = "FILE", env = "CI_STORE")]
    pub(crate) store: Option<PathBuf>,
    /// The directory of caches, workspaces and artifacts [default: in the user's cache directory]
    #[arg(long, global = true, value_name = "DIR", env = "CI_STORAGE")]
    pub(crate) storage: Option<PathBuf>,
    /// How to print
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Whether to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(crate) color: Color,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people; YAML where a file is printed.
    #[value(alias = "yaml")]
    Text,
    /// For programs: one event a line for runs, one document for listings.
    Json,
    /// Reports for pull requests.
    Markdown,
    /// A run as a page.
    Html,
    /// Test reports as one JUnit file.
    Junit,
    /// Coverage reports as one LCOV file.
    Lcov,
    /// Coverage reports as one Cobertura file.
    Cobertura,
}

/// Whether to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a workflow
    #[command(after_help = examples::RUN)]
    Run(Box<RunArgs>),
    /// Go on with a run whose process died, or that ended on hold
    #[command(after_help = examples::RESUME)]
    Resume(AgainArgs),
    /// Run all of a run again, or with --from-failed only what did not succeed
    #[command(after_help = examples::RERUN)]
    Rerun(RerunArgs),
    /// Print a CircleCI or GitLab file as the vendor compiles it
    Compile(WorkflowArgs),
    /// Say everything that is wrong with a workflow or a vendor's file
    Validate(WorkflowArgs),
    /// Say what is not the same here as on the vendor's machines
    Explain(WorkflowArgs),
    /// Draw the jobs of a workflow
    #[command(after_help = examples::GRAPH)]
    Graph(GraphArgs),
    /// List the jobs of a workflow and where each would run
    List(WorkflowArgs),
    /// List runs, newest first
    #[command(after_help = examples::RUNS)]
    Runs(RunsArgs),
    /// Show how a run went
    #[command(after_help = examples::SHOW)]
    Show(ShowArgs),
    /// Print what jobs wrote
    #[command(after_help = examples::LOGS)]
    Logs(LogsArgs),
    /// Ask a run or a job to stop
    #[command(after_help = examples::CANCEL)]
    Cancel(CancelArgs),
    /// Decide about a job that is held
    #[command(after_help = examples::APPROVE)]
    Approve(ApproveArgs),
    /// List or copy out the files that jobs kept
    #[command(after_help = examples::ARTIFACTS)]
    Artifacts(ArtifactsArgs),
    /// Look at or remove caches
    #[command(after_help = examples::CACHE)]
    Cache(CacheArgs),
    /// Read test or coverage reports
    #[command(subcommand)]
    Report(ReportCommand),
    /// List tests that now pass and now fail
    Flaky(FlakyArgs),
    /// Show how the runs of each branch change: durations, queue time, pass rate, coverage, values
    Trends(TrendsArgs),
    /// Build the images of a bake file, in parallel
    Bake(crate::image_args::BakeArgs),
    /// Build, merge, copy and look up images
    #[command(subcommand, after_help = crate::image_args::CREDENTIALS_HELP)]
    Image(crate::image_args::ImageCommand),
    /// Look at what an executor on EC2 needs
    #[command(subcommand)]
    Ec2(crate::aws::args::Ec2Command),
    /// Keep one machine of EC2 over several commands, as a job of GitLab does
    #[command(subcommand, after_help = crate::aws::args::E2C_HELP)]
    E2c(crate::aws::args::E2cCommand),
    /// Let the tag `latest` follow a release, if it should
    Latest(crate::image_args::LatestArgs),
    /// Share out tests over machines: reads names, prints those of one shard
    Split(SplitArgs),
    /// Print the files that fit patterns, sorted
    Glob {
        /// Patterns such as `tests/**/*_test.py`
        #[arg(required = true, value_name = "PATTERN")]
        patterns: Vec<String>,
    },
    /// Convert GitHub Actions workflows or Jenkins files, and list what does not come along
    #[command(subcommand)]
    Import(crate::commands::import::ImportCommand),
    /// Answer questions about runs over the Model Context Protocol, on standard input and output
    Mcp(crate::commands::mcp::McpArgs),
    /// What jobs call as a program of the vendor's
    #[command(hide = true, subcommand)]
    Shim(ShimCommand),
    /// Remove old runs
    Prune(PruneArgs),
    /// End and remove what dead runs left behind: processes, containers, networks, volumes,
    /// machines of EC2
    Reap(ReapArgs),
    /// Write a job in the form of another tool
    #[command(subcommand)]
    Export(crate::commands::export::Export),
    /// Print a JSON schema
    Schema(SchemaArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print the paths that changed since a revision
    ///
    /// With --docs-only the exit code is 0 if only documentation changed, and 1 if something else did.
    Changed(ChangedArgs),
    /// Stay, and run the workflow of every new commit and tag of repositories, and their schedules
    Watch(WatchArgs),
}

/// How a run is done.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct HowArgs {
    /// How many jobs run at once [default: one for each processor]
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) slots: Option<u16>,
    /// A file that maps context names to their secret variables, as YAML or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) context: Vec<PathBuf>,
    /// What to do when only jobs are left that wait for an approval
    #[arg(long, value_enum, default_value_t = HoldChoice::Wait)]
    pub(crate) hold: HoldChoice,
    /// Show all output as it comes
    #[arg(long, short = 'v', conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Show only how jobs ended
    #[arg(long, short = 'q')]
    pub(crate) quiet: bool,
    /// Write a trace for Chrome or Perfetto
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Write the run as a page when it has ended; `{run}` in the name is the run's id [default: what the
    /// settings say]
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Keep the page of the run among its artifacts when it has ended [default: what the settings say]
    #[arg(long)]
    pub(crate) keep_report: bool,
}

/// What to do when only held jobs are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HoldChoice {
    /// Wait for `ci approve`.
    Wait,
    /// End as on hold, to be resumed after `ci approve`; the exit code is 0.
    Finish,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) workflow: WorkflowArgs,
    #[command(flatten)]
    pub(crate) how: HowArgs,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// Run only this job and what it needs; may be repeated
    #[arg(long = "job", value_name = "JOB")]
    pub(crate) jobs: Vec<String>,
    /// Stop older runs of this workflow on the same branch
    #[arg(long)]
    pub(crate) supersede: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AgainArgs {
    #[command(flatten)]
    pub(crate) run: RunRef,
    #[command(flatten)]
    pub(crate) how: HowArgs,
    /// The settings file [default: `.ci/settings.yml` of the run's project]
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RerunArgs {
    #[command(flatten)]
    pub(crate) again: AgainArgs,
    /// Reuse the jobs that succeeded, with what they kept; without it every job runs again
    #[arg(long)]
    pub(crate) from_failed: bool,
}

/// A run, by name.
#[derive(Debug, clap::Args)]
pub(crate) struct RunRef {
    /// A run's id, the beginning of one, or `last`
    #[arg(value_name = "RUN", default_value = "last")]
    pub(crate) run: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) workflow: WorkflowArgs,
    /// The language of the drawing [default: dot]; `--format json` gives the graph as data instead
    #[arg(long = "as", value_enum)]
    pub(crate) drawing: Option<Drawing>,
}

/// The language of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Drawing {
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
    /// A picture.
    Svg,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunsArgs {
    /// Only runs of this workflow
    #[arg(long)]
    pub(crate) workflow: Option<String>,
    /// Only runs for this branch
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) branch: Option<String>,
    /// How many at most
    #[arg(long, short = 'n', default_value_t = 20)]
    pub(crate) limit: u64,
    /// How many to pass over
    #[arg(long, default_value_t = 0)]
    pub(crate) offset: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    /// A run's id, the beginning of one, or `last`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// Only this job
    #[arg(value_name = "JOB")]
    pub(crate) job: Option<String>,
    /// Only this step, counted from 0
    #[arg(long)]
    pub(crate) step: Option<u32>,
    /// This attempt, counted from 1 [default: the last]
    #[arg(long)]
    pub(crate) attempt: Option<u32>,
    /// Go on while the run does
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    /// Print the time of each line
    #[arg(long, short = 't')]
    pub(crate) timestamps: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    pub(crate) run: RunRef,
    /// Only this job
    #[arg(long, value_name = "JOB")]
    pub(crate) job: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ApproveArgs {
    /// A run's id, the beginning of one, or `last`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// The job that waits
    #[arg(value_name = "JOB")]
    pub(crate) job: String,
    /// Refuse instead
    #[arg(long)]
    pub(crate) reject: bool,
    /// Who decides [default: the user's name]
    #[arg(long, env = "USER", value_name = "NAME")]
    pub(crate) by: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ArtifactsArgs {
    /// A run's id, the beginning of one, or `last`
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// Only this job
    #[arg(value_name = "JOB")]
    pub(crate) job: Option<String>,
    /// Copy the files into this directory
    #[arg(long, short = 'o', value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    pub(crate) command: CacheCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// List the caches, the last used first
    List,
    /// Remove caches by key
    Rm {
        /// The keys
        #[arg(required_unless_present = "all")]
        keys: Vec<String>,
        /// Remove all of them
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ShimCommand {
    /// The program `circleci`
    #[command(disable_help_flag = true)]
    Circleci {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// The names of the jobs that a command line may name, for completions
    #[command(disable_help_flag = true)]
    Jobs {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct PruneArgs {
    /// Remove ended runs older than this, such as `30d` or `12h`
    #[arg(long, value_parser = duration, value_name = "AGE")]
    pub(crate) older_than: Option<Duration>,
    /// Keep only so many ended runs
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReapArgs {
    /// Only what is on Docker Engines
    #[arg(long)]
    pub(crate) docker: bool,
    /// Only machines of EC2, also where no executor of the settings uses them. The exit code is 3 if
    /// one that costs money is left
    #[arg(long)]
    pub(crate) aws: bool,
    /// The settings file [default: `.ci/settings.yml` of this directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SchemaArgs {
    /// Of what
    #[arg(value_enum)]
    pub(crate) of: SchemaOf,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// Workflow files.
    Workflow,
    /// `.ci/settings.yml`.
    Settings,
    /// The lines that `ci run --format json` prints.
    Events,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ChangedArgs {
    /// The revision to compare with, from where the histories part
    #[arg(long, value_name = "REV")]
    pub(crate) base: String,
    /// Tell by the exit code whether all changed paths match these globs [default: what is usually
    /// documentation]
    #[arg(long, value_name = "GLOB", num_args = 0..)]
    pub(crate) docs_only: Option<Vec<String>>,
    /// Only what is committed, not the working tree
    #[arg(long)]
    pub(crate) committed: bool,
    /// The repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) project: PathBuf,
}

pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` has no `=`; write NAME=VALUE"))?;
    if name.is_empty() {
        return Err(format!(
            "`{text}` has nothing before the `=`; write NAME=VALUE"
        ));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// A URL may have a `=` of its own: the last one counts.
pub(crate) fn mapping(text: &str) -> Result<(String, String), String> {
    let (from, path) = text
        .rsplit_once('=')
        .ok_or_else(|| format!("`{text}` has no `=`; write FROM=PATH"))?;
    Ok((from.to_owned(), path.to_owned()))
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    ci_core::units::parse_duration(text).map_err(|error| error.to_string())
}
