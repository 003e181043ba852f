//! The keys of jobs that cannot be the same here as on GitLab's machines.

use crate::config::fidelity::Level;

/// Keys that nothing here can honour, with the reason: each becomes a row where a job has it.
pub(super) const OF_JOBS: &[(&str, Level, &str)] = &[
    (
        "tags",
        Level::Ignored,
        "the executor is chosen here, not by the tags of a runner",
    ),
    (
        "interruptible",
        Level::Ignored,
        "no newer pipeline cancels a local run",
    ),
    (
        "coverage",
        Level::Approximated,
        "the percentage is shown with the job; nothing is shown in a merge request",
    ),
    (
        "environment",
        Level::Approximated,
        "its variables are set; no deployment is recorded",
    ),
    (
        "release",
        Level::Ignored,
        "there is no server to make a release on",
    ),
    ("pages", Level::Ignored, "nothing is published"),
    ("publish", Level::Ignored, "nothing is published"),
    (
        "secrets",
        Level::Ignored,
        "no vault is asked; give the values as variables",
    ),
    (
        "id_tokens",
        Level::Approximated,
        "the variables are defined and empty: there is no server to sign a token",
    ),
    (
        "identity",
        Level::Ignored,
        "there is no server to sign an identity",
    ),
    (
        "hooks",
        Level::Approximated,
        "`pre_get_sources_script` runs after the sources are there",
    ),
    (
        "dast_configuration",
        Level::Ignored,
        "the profiles stand on the server",
    ),
    (
        "manual_confirmation",
        Level::Approximated,
        "it is the question of the approval",
    ),
    (
        "run",
        Level::Approximated,
        "steps with a `script` run; steps of others are left out",
    ),
];
