//! What can be typed about the workflow of a command, and what its run is for.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;

use crate::args::{mapping, pair};

/// A workflow and what a run of it is for.
#[derive(Debug, Clone, clap::Args)]
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
    /// The branch that a merge request goes to [default: the project's own]
    #[arg(long, value_name = "BRANCH")]
    pub(crate) target: Option<String>,
    /// The branch the run is for [default: the one checked out]
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
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
    /// Where jobs run for which nothing else decides it: `auto`, `local`, `docker`, `swarm`, `ec2` (the
    /// first of that type), or an executor of the settings. A vendor's jobs with an image run in it with
    /// `auto` where a Docker Engine answers, and in the shell of this machine where not [default for a
    /// vendor's file: auto]
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
    /// A merge request of the branch, into that of --target.
    Mr,
    /// Somebody, through an interface.
    Api,
}
