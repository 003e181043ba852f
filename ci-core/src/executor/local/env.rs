//! Which variables a job sees, and the markers that its processes are found by.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::id::RunId;

/// The run that a process belongs to, for people and programs in the job.
pub(super) const RUN: &str = "CI_CORE_RUN";
/// The job that a process belongs to, for people and programs in the job.
pub(super) const JOB: &str = "CI_CORE_JOB";
/// The [`Marker`]s of the command that a process belongs to, the outermost first where an engine runs
/// inside a job of another one: `run/session/command`, joined by colons.
pub(super) const COMMAND: &str = "CI_CORE_COMMAND";

/// What a job inherits from the engine's environment: how to find programs, speak the user's language
/// and reach the network; nothing that grants access to anything.
const INHERITED: &[&str] = &[
    "PATH",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "SHELL",
    "USER",
    "LOGNAME",
    // Certificates and proxies.
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    // Where tools are installed that programs in `PATH` need to find themselves.
    "RUSTUP_HOME",
    "JAVA_HOME",
    "GOROOT",
    "PYENV_ROOT",
    "NVM_DIR",
    "SDKMAN_DIR",
    "DOCKER_HOST",
    // Windows does not start programs without these.
    "SystemRoot",
    "SystemDrive",
    "ComSpec",
    "PATHEXT",
    "windir",
    "ProgramData",
    "ProgramFiles",
    "NUMBER_OF_PROCESSORS",
    "PROCESSOR_ARCHITECTURE",
];

/// Which of the engine's own variables a job inherits.
#[derive(Debug, Clone, Default)]
pub(super) struct Inheritance {
    all: bool,
    more: Vec<String>,
}

impl Inheritance {
    pub(super) fn all(&mut self) {
        self.all = true;
    }

    pub(super) fn also(&mut self, name: String) {
        self.more.push(name);
    }

    fn takes(&self, name: &str) -> bool {
        self.all
            || INHERITED.contains(&name)
            || name.starts_with("LC_")
            || self.more.iter().any(|more| more == name)
    }

    /// The part of `all` that a job inherits.
    pub(super) fn pick(
        &self,
        all: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> BTreeMap<OsString, OsString> {
        let mut picked: BTreeMap<_, _> = all
            .into_iter()
            .filter(|(name, _)| self.all || name.to_str().is_some_and(|name| self.takes(name)))
            .collect();
        // The directory of the engine itself and its shell's depth mean nothing in a job.
        for name in ["PWD", "OLDPWD", "SHLVL", "_"] {
            picked.remove(OsStr::new(name));
        }
        picked
    }
}

/// Names a session among all those of all runs and engines: what its processes are found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) run: RunId,
    /// The engine's process and a count: sessions of one run may belong to several engines.
    pub(super) session: String,
}

impl Marker {
    pub(super) fn new(run: RunId) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            run,
            session: format!("{}.{count}", std::process::id()),
        }
    }

    /// The whole marker of the command `number`.
    pub(super) fn of_command(&self, number: u64) -> String {
        format!("{}/{}/{number}", self.run, self.session)
    }
}

/// The value of [`COMMAND`] for a command with `marker`, started by an engine whose own value is
/// `outer`.
pub(super) fn chain(outer: Option<&OsStr>, marker: &str) -> OsString {
    match outer.and_then(OsStr::to_str).filter(|it| !it.is_empty()) {
        Some(outer) => format!("{outer}:{marker}").into(),
        None => marker.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(inheritance: &Inheritance, names: &[&str]) -> Vec<String> {
        let all = names.iter().map(|name| ((*name).into(), "x".into()));
        let picked = inheritance.pick(all);
        picked
            .keys()
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn a_job_inherits_little_unless_told() {
        let names = ["AWS_SECRET_ACCESS_KEY", "LC_ALL", "PATH", "PWD", "EDITOR"];
        let mut inheritance = Inheritance::default();
        assert_eq!(pick(&inheritance, &names), ["LC_ALL", "PATH"]);
        inheritance.also("EDITOR".to_owned());
        assert_eq!(pick(&inheritance, &names), ["EDITOR", "LC_ALL", "PATH"]);
        inheritance.all();
        assert_eq!(pick(&inheritance, &names).len(), 4);
    }

    #[test]
    fn an_engine_inside_a_job_keeps_the_markers_of_both() {
        assert_eq!(chain(None, "a/b/0"), "a/b/0");
        assert_eq!(chain(Some(OsStr::new("")), "a/b/0"), "a/b/0");
        assert_eq!(chain(Some(OsStr::new("x/y/1")), "a/b/0"), "x/y/1:a/b/0");
    }
}
