//! What cannot be the same here as on GitLab's machines.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::config::yaml::Mark;

/// How far a key does what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fidelity {
    /// It does something close to it.
    Approximated,
    /// It does nothing.
    Ignored,
    /// It is not at hand, and was left out as the caller asked.
    Missing,
}

/// A key that does not do all that it says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// How far it goes.
    pub fidelity: Fidelity,
    /// Where the key stands.
    pub mark: Mark,
    /// The job it belongs to, if to one.
    pub job: Option<Arc<str>>,
    /// The key, such as `cache:unprotect`.
    pub key: String,
    /// What is different, and why.
    pub why: String,
}

impl Row {
    pub(super) fn new(
        fidelity: Fidelity,
        mark: &Mark,
        key: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self {
            fidelity,
            mark: mark.clone(),
            job: None,
            key: key.into(),
            why: why.into(),
        }
    }

    pub(super) fn of_job(mut self, job: &Arc<str>) -> Self {
        self.job = Some(Arc::clone(job));
        self
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Row", 7)?;
        out.serialize_field("fidelity", &self.fidelity)?;
        out.serialize_field("file", &*self.mark.file)?;
        out.serialize_field("line", &self.mark.line)?;
        out.serialize_field("column", &self.mark.column)?;
        out.serialize_field("job", &self.job.as_deref())?;
        out.serialize_field("key", &self.key)?;
        out.serialize_field("why", &self.why)?;
        out.end()
    }
}

/// Keys that nothing here can honour, with the reason: each becomes a row where a job has it.
pub(super) const OF_JOBS: &[(&str, Fidelity, &str)] = &[
    (
        "tags",
        Fidelity::Ignored,
        "the executor is chosen here, not by the tags of a runner",
    ),
    (
        "interruptible",
        Fidelity::Ignored,
        "no newer pipeline cancels a local run",
    ),
    (
        "coverage",
        Fidelity::Approximated,
        "the percentage is shown with the job; nothing is shown in a merge request",
    ),
    (
        "environment",
        Fidelity::Approximated,
        "its variables are set; no deployment is recorded",
    ),
    (
        "release",
        Fidelity::Ignored,
        "there is no server to make a release on",
    ),
    ("pages", Fidelity::Ignored, "nothing is published"),
    ("publish", Fidelity::Ignored, "nothing is published"),
    (
        "secrets",
        Fidelity::Ignored,
        "no vault is asked; give the values as variables",
    ),
    (
        "id_tokens",
        Fidelity::Approximated,
        "the variables are defined and empty: there is no server to sign a token",
    ),
    (
        "identity",
        Fidelity::Ignored,
        "there is no server to sign an identity",
    ),
    (
        "hooks",
        Fidelity::Approximated,
        "`pre_get_sources_script` runs after the sources are there",
    ),
    (
        "dast_configuration",
        Fidelity::Ignored,
        "the profiles stand on the server",
    ),
    (
        "manual_confirmation",
        Fidelity::Approximated,
        "it is the question of the approval",
    ),
    (
        "run",
        Fidelity::Approximated,
        "steps with a `script` run; steps of others are left out",
    ),
];
