//! What is run on the machine.

use std::collections::BTreeMap;

use ci_core::session::Command;

/// What to build.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuildRequest {
    /// Such as `linux/arm64`.
    pub platform: String,
    /// Targets of the bake file; `all` is its default group, unless it has something of that name.
    pub target: String,
    /// The bake file, relative to the project.
    pub bake_file: String,
}

impl BuildRequest {
    /// A build of everything in a bake file.
    #[must_use]
    pub fn new(platform: &str, target: &str, bake_file: &str) -> Self {
        Self {
            platform: platform.to_owned(),
            target: target.to_owned(),
            bake_file: bake_file.to_owned(),
        }
    }
}

/// Logs in through standard input, builds, and pushes. The credentials are in a directory of the job's
/// own, so that removing that removes them.
const BUILD: &str = r#"set -eu
umask 077
export DOCKER_CONFIG="$PWD/.e2c-docker"
mkdir -p "$DOCKER_CONFIG"
# Plug-ins that the user has installed go on counting.
[ ! -d "$HOME/.docker/cli-plugins" ] || [ -e "$DOCKER_CONFIG/cli-plugins" ] ||
    ln -s "$HOME/.docker/cli-plugins" "$DOCKER_CONFIG/cli-plugins"
if [ -n "${CI_REGISTRY_PASSWORD:-}" ]; then
    printf %s "$CI_REGISTRY_PASSWORD" |
        docker login --username "${CI_REGISTRY_USER:-}" --password-stdin "${CI_REGISTRY:-}"
fi
umask 022
unset CI_REGISTRY_PASSWORD
set -f
if [ "$E2C_TARGET" = all ] &&
    ! docker buildx bake --file "$E2C_BAKE_FILE" --print all >/dev/null 2>&1; then
    E2C_TARGET=
fi
exec docker buildx bake --file "$E2C_BAKE_FILE" --set "*.platform=$E2C_PLATFORM" --push $E2C_TARGET
"#;

/// Takes the credentials and the directory of the job away, and nothing else.
const CLEANUP: &str = r#"cd / || exit 1
if [ -d "$E2C_JOB_DIR/.e2c-docker" ]; then
    DOCKER_CONFIG="$E2C_JOB_DIR/.e2c-docker" docker logout "${CI_REGISTRY:-}" >/dev/null 2>&1 || :
fi
rm -rf -- "$E2C_JOB_DIR"
"#;

pub(super) fn build(
    request: &BuildRequest,
    dir: &str,
    passed: &BTreeMap<String, String>,
) -> Command {
    with(Command::sh(BUILD).dir(dir), passed)
        .env("E2C_PLATFORM", &request.platform)
        .env("E2C_TARGET", &request.target)
        .env("E2C_BAKE_FILE", &request.bake_file)
}

pub(super) fn cleanup(dir: &str, passed: &BTreeMap<String, String>) -> Command {
    let mut passed = passed.clone();
    // Nobody logs in any more.
    passed.remove("CI_REGISTRY_PASSWORD");
    with(Command::sh(CLEANUP).dir("/"), &passed).env("E2C_JOB_DIR", dir)
}

fn with(command: Command, passed: &BTreeMap<String, String>) -> Command {
    let known = passed.iter().filter(|(name, _)| is_name(name));
    known.fold(command, |command, (name, value)| command.env(name, value))
}

fn is_name(name: &str) -> bool {
    name.chars()
        .all(|it| it.is_ascii_alphanumeric() || it == '_')
}
