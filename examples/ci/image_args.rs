//! What can be typed about images, bake files and the tag `latest`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

/// What the help of `ci image` and `ci bake` says at its end.
pub(crate) const CREDENTIALS_HELP: &str = "\
Credentials for registries: what `docker login` left behind (with its helpers), and these variables:
  CI_REGISTRY, CI_REGISTRY_USER, CI_REGISTRY_PASSWORD
                                  a registry and its credentials
  RELEASE_REGISTRY_IMAGE, RELEASE_REGISTRY_USER, RELEASE_REGISTRY_PASSWORD
                                  what is below that name, and its credentials";

/// The engine that builds.
#[derive(Debug, clap::Args)]
pub(crate) struct EngineArgs {
    /// The Docker Engine that builds, as `unix://PATH`, `tcp://HOST:PORT` or `ssh://USER@HOST`
    #[arg(
        long,
        value_name = "HOST",
        env = "DOCKER_HOST",
        default_value = "unix:///var/run/docker.sock"
    )]
    pub(crate) engine: String,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
#[derive(Debug, clap::Args)]
#[command(after_help = CREDENTIALS_HELP)]
pub(crate) struct BakeArgs {
    /// Groups and targets of the file
    #[arg(value_name = "TARGET", default_value = "default")]
    pub(crate) targets: Vec<String>,
    /// A bake file, in HCL or JSON; may be repeated, later ones go over earlier ones
    /// [default: docker-bake.json, docker-bake.hcl and their overrides]
    #[arg(long, short = 'f', value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,
    /// Change an attribute: TARGET.ATTRIBUTE=VALUE, where TARGET may be a pattern; may be repeated
    #[arg(long, value_name = "CHANGE")]
    pub(crate) set: Vec<String>,
    /// A variable of the file; may be repeated [default: from the environment]
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = crate::args::pair)]
    pub(crate) variables: Vec<(String, String)>,
    /// Push the images
    #[arg(long)]
    pub(crate) push: bool,
    /// Do every step anew
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Look for newer base images
    #[arg(long)]
    pub(crate) pull: bool,
    /// Print what the file comes to, and build nothing
    #[arg(long)]
    pub(crate) print: bool,
    /// How many targets are built at once
    #[arg(long, short = 'j', value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: u16,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Build an image from a Dockerfile
    Build(Box<BuildArgs>),
    /// Merge images of single platforms into one, in the registry
    Merge {
        /// A name of the merged image; may be repeated
        #[arg(long, short = 't', required = true, value_name = "IMAGE")]
        tag: Vec<String>,
        /// The images
        #[arg(required = true, value_name = "IMAGE")]
        sources: Vec<String>,
    },
    /// Copy an image with all its platforms to another repository or registry
    Copy {
        /// The image
        #[arg(value_name = "FROM")]
        from: String,
        /// Its new name
        #[arg(value_name = "TO")]
        to: String,
    },
    /// Print the digest of an image
    Digest {
        /// The image
        #[arg(value_name = "IMAGE")]
        image: String,
    },
    /// List the tags of a repository
    Tags {
        /// The repository
        #[arg(value_name = "REPOSITORY")]
        repository: String,
    },
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// The directory whose files the build may use
    #[arg(default_value = ".", value_name = "DIR")]
    pub(crate) context: PathBuf,
    /// The Dockerfile [default: DIR/Dockerfile]
    #[arg(long, short = 'f', value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// A name of the image; may be repeated
    #[arg(long, short = 't', value_name = "IMAGE")]
    pub(crate) tag: Vec<String>,
    /// A build argument; may be repeated
    #[arg(long = "build-arg", value_name = "NAME=VALUE", value_parser = crate::args::pair)]
    pub(crate) arguments: Vec<(String, String)>,
    /// A label of the image; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = crate::args::pair)]
    pub(crate) label: Vec<(String, String)>,
    /// A secret for the build: `id=NAME,src=FILE` or `id=NAME,env=VARIABLE`; may be repeated
    #[arg(long, value_name = "SECRET")]
    pub(crate) secret: Vec<String>,
    /// The stage to build [default: the last]
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,
    /// An image with an inline cache; may be repeated
    #[arg(long, value_name = "IMAGE")]
    pub(crate) cache_from: Vec<String>,
    /// Make the image a source for --cache-from
    #[arg(long)]
    pub(crate) inline_cache: bool,
    /// The platforms, such as `linux/amd64,linux/arm64` [default: the engine's own]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,
    /// The network of the steps
    #[arg(long, value_name = "MODE")]
    pub(crate) network: Option<String>,
    /// Do every step anew
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Look for newer base images
    #[arg(long)]
    pub(crate) pull: bool,
    /// Push the image
    #[arg(long)]
    pub(crate) push: bool,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// What the help of `ci latest` says at its end.
const LATEST_HELP: &str = "\
Variables:
  RELEASE_REGISTRY_IMAGE, CI_COMMIT_TAG, UPDATE_LATEST_STRATEGY, TAG_TYPE_OVERRIDE
                                  what no option says
  RELEASE_REGISTRY_USER, RELEASE_REGISTRY_PASSWORD
                                  the credentials for RELEASE_REGISTRY_IMAGE
  CI_REGISTRY, CI_REGISTRY_USER, CI_REGISTRY_PASSWORD
                                  a registry and its credentials
  CI_API_V4_URL, CI_PROJECT_ID, GITLAB_TOKEN or CI_JOB_TOKEN
                                  the forge that knows the tag

Processes that share a store (--store) never move `latest` at the same time.";

#[derive(Debug, clap::Args)]
#[command(after_help = LATEST_HELP)]
pub(crate) struct LatestArgs {
    /// A repository; may be repeated. The first one's `latest` decides for all
    /// [default: `RELEASE_REGISTRY_IMAGE`]
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) image: Vec<String>,
    /// The tag of the release [default: `CI_COMMIT_TAG`]
    #[arg(long)]
    pub(crate) tag: Option<String>,
    /// Whether `latest` moves [default: `UPDATE_LATEST_STRATEGY`, else auto]
    #[arg(long, value_enum, ignore_case = true)]
    pub(crate) strategy: Option<StrategyChoice>,
    /// What a newer version is
    #[arg(long, value_enum, default_value_t = OrderChoice::Semver)]
    pub(crate) version_order: OrderChoice,
    /// The kind of the tag [default: `TAG_TYPE_OVERRIDE`, else what git, the forge or the name says]
    #[arg(long, value_enum, ignore_case = true)]
    pub(crate) tag_type: Option<TagTypeChoice>,
    /// The tag that moves
    #[arg(long, default_value = "latest", value_name = "TAG")]
    pub(crate) latest_tag: String,
    /// Explain the decision and move nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Whether `latest` moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StrategyChoice {
    /// Always.
    Force,
    /// Never.
    Skip,
    /// For an annotated tag with a newer version.
    Auto,
}

/// What a newer version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OrderChoice {
    /// By its numbers; with a suffix it is below its release, and a leading `v` does not count.
    Semver,
    /// As GNU `sort -V` sorts it: with a suffix it is above its release.
    SortV,
}

/// The kind of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TagTypeChoice {
    /// An official release.
    Annotated,
    /// An internal one.
    Lightweight,
}
