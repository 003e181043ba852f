//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::commands::flaky::{FailedArgs, FlakyArgs};
use crate::commands::rules::RulesArgs;
use crate::watch::WatchArgs;

/// Run CI workflows on this machine, and look at what happened.
///
/// A workflow is a file, or a directory with `.ci/workflow.yml` or a configuration of CircleCI or GitLab
/// in it. Runs are kept in a store, so that a run whose process died can be resumed, and what failed can be run
/// again.
#[derive(Debug, Parser)]
#[command(name = "ci", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "Examples:
  ci run                          run the workflow of this directory
  ci run path/to/project -v       another one, with all its output
  ci run --job test               one job and what it needs
  ci runs                         what ran lately
  ci show last                    how the last run went
  ci logs last test               what its job `test` printed
  ci rerun last --from-failed     run again what failed
  ci graph --as mermaid           the jobs as a diagram
  ci explain                      what differs from the vendor's machines
  ci watch .                      run every new commit, until Ctrl-C

Exit codes: 0 success, 1 the workflow failed, 2 the input was wrong, 3 the engine or an executor
broke, 130 interrupted.";

/// Options of every command.
#[derive(Debug, Clone, clap::Args)]
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
    Run(Box<RunArgs>),
    /// Go on with a run whose process died, or that ended on hold
    Resume(AgainArgs),
    /// Run again what did not succeed, reusing the rest
    Rerun(RerunArgs),
    /// Print a CircleCI or GitLab file as the vendor compiles it
    Compile(WorkflowArgs),
    /// Say everything that is wrong with a workflow or a vendor's file
    Validate(WorkflowArgs),
    /// Say what is not the same here as on the vendor's machines
    Explain(WorkflowArgs),
    /// Draw the jobs of a workflow
    Graph(GraphArgs),
    /// List the jobs of a workflow and where each would run
    List(WorkflowArgs),
    /// List runs, newest first
    Runs(RunsArgs),
    /// Show how a run went
    Show(RunRef),
    /// Print what jobs wrote
    Logs(LogsArgs),
    /// Ask a run or a job to stop
    Cancel(CancelArgs),
    /// Decide about a job that is held
    Approve(ApproveArgs),
    /// List or copy out the files that jobs kept
    Artifacts(ArtifactsArgs),
    /// Look at or remove caches
    Cache(CacheArgs),
    /// Read test or coverage reports
    #[command(subcommand)]
    Report(ReportCommand),
    /// List tests that now pass and now fail
    Flaky(FlakyArgs),
    /// Build the images of a bake file, in parallel
    Bake(crate::image_args::BakeArgs),
    /// Build, merge, copy and look up images
    #[command(subcommand)]
    Image(crate::image_args::ImageCommand),
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
    /// What jobs call as a program of the vendor's
    #[command(hide = true, subcommand)]
    Shim(ShimCommand),
    /// Remove old runs
    Prune(PruneArgs),
    /// End and remove what dead runs left behind: processes, containers, networks, volumes
    Reap(ReapArgs),
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

/// A workflow and what a run of it is for.
#[derive(Debug, clap::Args)]
pub(crate) struct WorkflowArgs {
    /// A file, or a directory with `.ci/workflow.yml`, `.circleci/config.yml` or `.gitlab-ci.yml` in it
    #[arg(default_value = ".", value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// The file to use, where the directory has several
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Only this workflow of the file
    #[arg(long, value_name = "NAME")]
    pub(crate) workflow: Option<String>,
    /// An argument of the pipeline's parameters; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) parameters: Vec<(String, String)>,
    /// A directory of published orbs, as NAMESPACE/NAME/VERSION/orb.yml; `.circleci/orbs` is one
    /// anyway
    #[arg(long, value_name = "DIR")]
    pub(crate) orbs: Vec<PathBuf>,
    /// Where GitLab's includes from elsewhere are: a project's files, those of `templates`, the file of
    /// a URL; may be repeated
    #[arg(long, value_name = "FROM=PATH", value_parser = mapping)]
    pub(crate) include_map: Vec<(String, String)>,
    /// Go on without includes that are not on this machine, and report them
    #[arg(long)]
    pub(crate) stub_missing: bool,
    /// What started the pipeline
    #[arg(long, value_enum, default_value_t = EventChoice::Push)]
    pub(crate) event: EventChoice,
    /// The branch the run is for [default: the one checked out]
    #[arg(long)]
    pub(crate) branch: Option<String>,
    /// The tag the run is for
    #[arg(long)]
    pub(crate) tag: Option<String>,
    /// The commit the run is for [default: the one checked out]
    #[arg(long)]
    pub(crate) revision: Option<String>,
    /// Compare with this revision to find the changed paths
    #[arg(long, value_name = "REV")]
    pub(crate) base: Option<String>,
    /// A variable of the run; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) variables: Vec<(String, String)>,
    /// A GitLab variable of the type file: its value is the path of a copy; may be repeated
    #[arg(long = "var-file", value_name = "NAME=FILE", value_parser = pair)]
    pub(crate) variable_files: Vec<(String, String)>,
    /// The settings file [default: `.ci/settings.yml` of the project]
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// Where jobs run for which nothing else decides it: `auto`, `local`, `docker` or an executor of the
    /// settings. A vendor's jobs with an image run in it with `auto` where a Docker Engine answers, and
    /// in the shell of this machine where not [default for a vendor's file: auto]
    #[arg(long, value_name = "NAME")]
    pub(crate) executor: Option<String>,
    /// Use another image instead of one (`*` and `?` are wildcards), or `local` for no container; may be
    /// repeated
    #[arg(long = "image", value_name = "FROM=TO", value_parser = pair)]
    pub(crate) images: Vec<(String, String)>,
}

/// What starts a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventChoice {
    /// A push.
    Push,
    /// A schedule.
    Schedule,
    /// Somebody, through an interface.
    Api,
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
}

/// What to do when only held jobs are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HoldChoice {
    /// Wait for `ci approve`.
    Wait,
    /// End as on hold, to be resumed after `ci approve`.
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
    /// Reuse the jobs that succeeded
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
    /// The language of the drawing
    #[arg(long = "as", value_enum, default_value_t = Drawing::Dot)]
    pub(crate) drawing: Drawing,
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
    #[arg(long)]
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

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Test results: JUnit, TAP, TRX, go test -json and others, found from the content
    Tests(TestsArgs),
    /// Coverage: LCOV, Cobertura, JaCoCo, coverage.py and others, merged into one
    Coverage(CoverageArgs),
    /// The tests of a run that failed, as a test runner takes them
    Failed(FailedArgs),
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
    Ok((name.to_owned(), value.to_owned()))
}

/// A URL may have a `=` of its own: the last one counts.
fn mapping(text: &str) -> Result<(String, String), String> {
    let (from, path) = text
        .rsplit_once('=')
        .ok_or_else(|| format!("`{text}` has no `=`; write FROM=PATH"))?;
    Ok((from.to_owned(), path.to_owned()))
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    ci_core::units::parse_duration(text).map_err(|error| error.to_string())
}
