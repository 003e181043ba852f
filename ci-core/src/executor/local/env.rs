//! Which of the engine's own variables a local job sees.

use std::collections::BTreeMap;
use std::path::Path;

/// Names the run of a process, for sweeping.
pub(super) const RUN_MARK: &str = "CI_CORE_RUN";
/// Names the session of a process within the run.
pub(super) const SESSION_MARK: &str = "CI_CORE_SESSION";
/// Names the command of a process within the session.
pub(super) const COMMAND_MARK: &str = "CI_CORE_COMMAND";

/// Variables that are passed on: where programs are, how to show text, how to reach the network.
const INHERITED: [&str; 24] = [
    "PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "SHELL",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "DOCKER_HOST",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SystemRoot",
    "COMSPEC",
    "PATHEXT",
    "TEMP",
];

/// Tools that keep the programs they run in the home directory: a job with a private home is told
/// where they are.
const TOOL_HOMES: [(&str, &str); 6] = [
    ("RUSTUP_HOME", ".rustup"),
    ("PYENV_ROOT", ".pyenv"),
    ("RBENV_ROOT", ".rbenv"),
    ("NVM_DIR", ".nvm"),
    ("ASDF_DATA_DIR", ".asdf"),
    ("VOLTA_HOME", ".volta"),
];

/// The variables of this process that a job sees. `own` gives this process's variables.
pub(super) fn inherited(
    own: impl Iterator<Item = (String, String)>,
    everything: bool,
) -> BTreeMap<String, String> {
    own.filter(|(name, _)| {
        everything || INHERITED.contains(&name.as_str()) || name.starts_with("LC_")
    })
    .collect()
}

/// Where tools find what they keep in the home directory `home`, for those that are there.
pub(super) fn tool_homes(home: &Path) -> BTreeMap<String, String> {
    let known = TOOL_HOMES.iter().map(|(name, dir)| (name, home.join(dir)));
    known
        .filter(|(_, dir)| dir.is_dir())
        .map(|(name, dir)| ((*name).to_owned(), dir.display().to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_the_user_are_not_passed_on() {
        let own = [
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
        ];
        let own = || {
            own.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        };
        assert_eq!(
            inherited(own(), false).into_keys().collect::<Vec<_>>(),
            ["LC_ALL", "PATH"]
        );
        assert_eq!(inherited(own(), true).len(), 3);
    }
}
