//! What can be typed after `ci watch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::args::duration;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WatchArgs {
    /// The repositories
    #[arg(required = true, value_name = "DIR")]
    pub(crate) dirs: Vec<PathBuf>,
    /// Let the step runner at this address run lint, build and test on every commit, whatever the
    /// repository says
    #[arg(long, value_name = "[HOST]:PORT")]
    pub(crate) step_runner: Option<String>,
    /// How long the step runner may take to answer before the call counts as hung
    #[arg(long, value_parser = duration, value_name = "TIME", default_value = "10m")]
    pub(crate) reply_timeout: Duration,
    /// How long the step runner may take to decide about a step, all calls together
    #[arg(long, value_parser = duration, value_name = "TIME", default_value = "30m")]
    pub(crate) budget: Duration,
    /// What is new in a repository that was never watched
    #[arg(long, value_enum, default_value_t = FirstChoice::Nothing)]
    pub(crate) first: FirstChoice,
    /// Watch the branches of remotes too, as fetches bring them
    #[arg(long)]
    pub(crate) remotes: bool,
    /// How often to look, whatever the system tells [default: 2s without events, 30s with]
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub(crate) poll: Option<Duration>,
    /// Run what is new now, and end when that has ended
    #[arg(long)]
    pub(crate) once: bool,
    /// How many runs go on at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) runs: u16,
    /// Stop older runs of the same branch, as `supersede: branch` in `.ci/triggers.yml` does
    #[arg(long)]
    pub(crate) supersede: bool,
    /// How many jobs of a run go on at once [default: one for each processor]
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) slots: Option<u16>,
    /// A file that maps context names to their secret variables, as YAML or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) context: Vec<PathBuf>,
}

/// What is new in a repository that was never watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FirstChoice {
    /// Nothing.
    Nothing,
    /// The commit that each branch points at.
    Tips,
    /// Every commit and tag.
    Everything,
}
