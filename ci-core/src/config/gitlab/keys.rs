//! The keys of a file, and what may stand under each.

use super::check::is_script;
use crate::yaml::Node;

/// The keys of a job.
pub(super) const JOB: &[&str] = &[
    "image",
    "services",
    "before_script",
    "after_script",
    "hooks",
    "rules",
    "variables",
    "cache",
    "id_tokens",
    "identity",
    "inputs",
    "secrets",
    "script",
    "run",
    "stage",
    "only",
    "except",
    "extends",
    "needs",
    "tags",
    "allow_failure",
    "timeout",
    "when",
    "start_in",
    "manual_confirmation",
    "dependencies",
    "artifacts",
    "environment",
    "release",
    "coverage",
    "retry",
    "parallel",
    "interruptible",
    "resource_group",
    "trigger",
    "inherit",
    "publish",
    "pages",
    "dast_configuration",
];

/// The keys of a job that starts another pipeline.
pub(super) const TRIGGER: &[&str] = &[
    "allow_failure",
    "extends",
    "needs",
    "only",
    "except",
    "parallel",
    "rules",
    "stage",
    "trigger",
    "variables",
    "when",
    "start_in",
    "resource_group",
    "environment",
    "inherit",
    "interruptible",
    "manual_confirmation",
];

/// The keys of `default`.
pub(super) const DEFAULT: &[&str] = &[
    "after_script",
    "artifacts",
    "before_script",
    "cache",
    "hooks",
    "id_tokens",
    "identity",
    "image",
    "interruptible",
    "retry",
    "services",
    "tags",
    "timeout",
];

/// The keys of a rule.
pub(super) const RULE: &[&str] = &[
    "if",
    "changes",
    "exists",
    "when",
    "allow_failure",
    "needs",
    "variables",
    "interruptible",
    "start_in",
    "auto_cancel",
];

/// When a job may start, by its own `when`.
const WHEN: &[&str] = &["on_success", "on_failure", "always", "manual", "delayed"];

/// A test of a value that is no map.
pub(super) type Test = fn(&Node) -> bool;

/// What may stand under a key.
pub(super) enum Shape {
    /// What passes a test.
    Is(Test, &'static str),
    /// A map with these keys, or what passes a test.
    Map(&'static [&'static str], Test, &'static str),
    /// A map with these keys, or a list of such maps.
    Maps(&'static [&'static str]),
    /// A list of maps with these keys and, except for rules, of strings.
    Mixed(&'static [&'static str]),
    /// One of these words.
    OneOf(&'static [&'static str]),
    Duration,
    Pattern,
    Any,
}

const NO_OTHER: Test = |_| false;

fn is_text(node: &Node) -> bool {
    node.scalar().is_some()
}

fn is_int(node: &Node) -> bool {
    node.scalar()
        .is_some_and(|text| text.parse::<i64>().is_ok())
}

/// What may stand under a key of a job.
pub(super) fn shape(key: &str) -> Shape {
    const ENTRYPOINT: &[&str] = &[
        "name",
        "entrypoint",
        "docker",
        "kubernetes",
        "pull_policy",
        "ports",
    ];
    match key {
        "script" | "before_script" | "after_script" => Shape::Is(
            |node| is_script(node, 10),
            "should be a string or a nested array of strings up to 10 levels deep",
        ),
        "stage" | "resource_group" | "manual_confirmation" => {
            Shape::Is(is_text, "should be a string")
        }
        "start_in" | "timeout" => Shape::Duration,
        "interruptible" => Shape::Is(|node| node.as_bool().is_some(), "should be a boolean value"),
        "tags" | "dependencies" | "run" => {
            Shape::Is(|node| node.as_seq().is_some(), "should be an array")
        }
        "image" => Shape::Map(ENTRYPOINT, is_text, "should be a hash or a string"),
        "services" => Shape::Mixed(&[
            "name",
            "alias",
            "entrypoint",
            "command",
            "variables",
            "docker",
            "kubernetes",
            "pull_policy",
            "ports",
        ]),
        "cache" => Shape::Maps(&[
            "key",
            "paths",
            "untracked",
            "unprotect",
            "when",
            "policy",
            "fallback_keys",
        ]),
        "rules" => Shape::Mixed(RULE),
        "needs" => Shape::Mixed(&[
            "job",
            "artifacts",
            "optional",
            "parallel",
            "pipeline",
            "project",
            "ref",
        ]),
        "variables" | "id_tokens" | "secrets" | "hooks" | "inputs" | "release" => {
            Shape::Is(|node| node.as_map().is_some(), "should be a hash")
        }
        "extends" => Shape::Is(
            |node| is_text(node) || node.as_seq().is_some(),
            "should be an array of strings or a string",
        ),
        "when" => Shape::OneOf(WHEN),
        "coverage" => Shape::Pattern,
        _ => map_shape(key),
    }
}

/// What may stand under a key that takes a map.
fn map_shape(key: &str) -> Shape {
    match key {
        "artifacts" => Shape::Map(
            &[
                "paths",
                "exclude",
                "untracked",
                "name",
                "when",
                "expire_in",
                "expose_as",
                "public",
                "access",
                "reports",
            ],
            NO_OTHER,
            "should be a hash",
        ),
        "environment" => Shape::Map(
            &[
                "name",
                "url",
                "on_stop",
                "action",
                "auto_stop_in",
                "kubernetes",
                "deployment_tier",
            ],
            is_text,
            "should be a hash or a string",
        ),
        "allow_failure" => Shape::Map(
            &["exit_codes"],
            |node| node.as_bool().is_some(),
            "should be a hash or a boolean value",
        ),
        "retry" => Shape::Map(
            &["max", "when", "exit_codes"],
            is_int,
            "should be a hash or an integer",
        ),
        "parallel" => Shape::Map(&["matrix"], is_int, "should be a hash or an integer"),
        "trigger" => Shape::Map(
            &[
                "project", "branch", "strategy", "forward", "inputs", "include",
            ],
            is_text,
            "should be a hash or a string",
        ),
        "inherit" => Shape::Map(&["default", "variables"], NO_OTHER, "should be a hash"),
        "only" | "except" => Shape::Map(
            &["refs", "variables", "changes", "kubernetes"],
            |node| node.as_seq().is_some() || is_text(node),
            "should be either an array of strings or a hash",
        ),
        _ => Shape::Any,
    }
}
