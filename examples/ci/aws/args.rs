//! What can be typed about machines of EC2.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Ec2Command {
    /// Ask EC2 whether the credentials allow what an executor does, without doing any of it
    ///
    /// The exit code is 1 if something is not allowed.
    Check(Ec2Args),
    /// Print the IAM policy that an executor needs, as JSON
    Policy(Ec2Args),
}

/// An executor of the settings.
#[derive(Debug, clap::Args)]
pub(crate) struct Ec2Args {
    /// The executor's name [default: `ec2`, else the first of the type `ec2`]
    #[arg(long, value_name = "NAME")]
    pub(crate) executor: Option<String>,
    /// The settings file [default: `.ci/settings.yml` of this directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum E2cCommand {
    /// Get the machine, wait until it lets us in, and copy the project to it
    Setup(E2cArgs),
    /// Build the targets of a bake file on the machine, and push them
    Build {
        #[command(flatten)]
        job: E2cArgs,
        /// The platform
        #[arg(long, default_value = "linux/arm64", value_name = "PLATFORM")]
        platform: String,
        /// Targets of the bake file; `all` is its default group
        #[arg(long, default_value = "all", value_name = "TARGETS")]
        target: String,
        /// The bake file, relative to the project
        #[arg(long, default_value = "docker-bake.hcl", value_name = "FILE")]
        bake_file: String,
    },
    /// Take the credentials and the directory of the job off the machine
    Cleanup(E2cArgs),
    /// Give the machine back: stop it if `setup` started it, terminate it if `setup` launched it
    Teardown(E2cArgs),
}

/// The job whose machine it is. Everything else comes from the environment: `CI_JOB_ID`, `E2C_*`,
/// `CI_REGISTRY*` and `AWS_*`.
#[derive(Debug, clap::Args)]
pub(crate) struct E2cArgs {
    /// The project; the state file is in it
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) project: PathBuf,
}
