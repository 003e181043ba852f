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

/// What the help of `ci e2c` says at its end.
pub(crate) const E2C_HELP: &str = "\
Variables:
  CI_JOB_ID                       whose machine it is; also in the name of the state file,
                                  .e2c_instance_state_<CI_JOB_ID>; in a job of `ci run` with
                                  the run and the job behind it
  E2C_INSTANCE_STRATEGY           `existing`: an instance is started, and stopped after;
                                  `template`: a new one is launched, and terminated after
  E2C_INSTANCE_ID                 existing: the instance
  E2C_LAUNCH_TEMPLATE_ID          template: the launch template, by its id or name
  E2C_LAUNCH_TEMPLATE_VERSION     its version [default: $Default]
  E2C_INSTANCE_TYPES, E2C_ZONES, E2C_SUBNETS
                                  template: what is tried instead of what it says, in this order
  E2C_USE_SPOT, E2C_SPOT_MAX_PRICE
                                  template: `true` for a spot instance; at most that price an hour
  E2C_SSH_USER                    who logs in [default: what the SSH configuration says]
  E2C_SSH_PRIVATE_KEY             the private key, in base64 [default: the keys of the user]
  E2C_SSH_PORT, E2C_SSH_CONFIG    the port, and an SSH configuration file, also for jump hosts
  E2C_SSH_HOST_KEY                existing: its public host key, or `console`: read from the console
                                  output; `known`: in the files of known hosts; `accept-new`:
                                  the first one, kept in E2C_KNOWN_HOSTS [default: console]
  E2C_ADDRESS                     `public`, `private` or an address [default: public]
  E2C_BUILD_DIR                   the directory of all jobs on the machine [default: ~/builds]
  E2C_TIME_LIMIT                  when the machine ends itself [default: 3h]
  E2C_LAUNCH_TIMEOUT              how long is tried to launch one, or waited for who uses it
                                  [default: 5m]
  E2C_BOOT_TIMEOUT, E2C_POLL      how long it may take to let us in, and how often it is asked
  E2C_STATE_DIR                   where launches are noted before they are made
  E2C_PASS                        names of variables that the build gets, besides CI_REGISTRY*,
                                  CI_COMMIT_* and CI_PROJECT_*
  CI_REGISTRY, CI_REGISTRY_USER, CI_REGISTRY_PASSWORD
                                  where `build` logs the machine in
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION, AWS_PROFILE, AWS_ENDPOINT_URL
                                  and others: credentials and region, as all tools of AWS find them

As a job of GitLab:
  before_script: [ci e2c setup]
  script: [ci e2c build --platform=linux/arm64 --target=all --bake-file=docker-bake.hcl]
  after_script: [ci e2c cleanup, ci e2c teardown]";

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
