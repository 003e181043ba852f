//! Says what cannot stand in a job: unknown keys, and values of the wrong kind.

use super::duration::natural;
use super::merge::is_job;
use super::rules_if::compile_pattern;
use super::state::State;
use crate::config::problem::Problem;
use crate::config::yaml::{Entry, Map, Node, Value};
use crate::similar::closest;

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
const TRIGGER: &[&str] = &[
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

const DEFAULT: &[&str] = &[
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

/// What may stand under a key.
enum Shape {
    Text,
    Bool,
    Script,
    List,
    Map(&'static [&'static str]),
    FreeMap,
    TextOrList,
    TextOrMap(&'static [&'static str]),
    IntOrMap(&'static [&'static str]),
    BoolOrMap(&'static [&'static str]),
    /// A map, or a list of maps.
    Maps(&'static [&'static str]),
    /// A list of strings and maps.
    Mixed(&'static [&'static str]),
    /// A list or a map.
    ListOrMap(&'static [&'static str]),
    OneOf(&'static [&'static str]),
    Duration,
    Pattern,
    Any,
}

fn shape(key: &str) -> Shape {
    match key {
        "script" | "before_script" | "after_script" => Shape::Script,
        "stage" | "resource_group" | "manual_confirmation" => Shape::Text,
        "start_in" | "timeout" => Shape::Duration,
        "interruptible" => Shape::Bool,
        "tags" | "dependencies" | "run" => Shape::List,
        "image" => Shape::TextOrMap(&[
            "name",
            "entrypoint",
            "docker",
            "kubernetes",
            "pull_policy",
            "ports",
        ]),
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
        "artifacts" => Shape::Map(&[
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
        "variables" | "id_tokens" | "secrets" | "hooks" | "inputs" | "release" => Shape::FreeMap,
        "environment" => Shape::TextOrMap(&[
            "name",
            "url",
            "on_stop",
            "action",
            "auto_stop_in",
            "kubernetes",
            "deployment_tier",
        ]),
        "allow_failure" => Shape::BoolOrMap(&["exit_codes"]),
        "retry" => Shape::IntOrMap(&["max", "when", "exit_codes"]),
        "parallel" => Shape::IntOrMap(&["matrix"]),
        "trigger" => Shape::TextOrMap(&[
            "project", "branch", "strategy", "forward", "inputs", "include",
        ]),
        "inherit" => Shape::Map(&["default", "variables"]),
        "only" | "except" => Shape::ListOrMap(&["refs", "variables", "changes", "kubernetes"]),
        "extends" => Shape::TextOrList,
        "when" => Shape::OneOf(&["on_success", "on_failure", "always", "manual", "delayed"]),
        "coverage" => Shape::Pattern,
        _ => Shape::Any,
    }
}

/// Checks a job that is not hidden.
pub(super) fn job(name: &str, entry: &Entry, state: &mut State) {
    let path = format!("jobs:{name}");
    let Some(map) = entry.node.as_map() else {
        let message = format!("config should be a hash, not {}", entry.node.kind());
        state
            .problems
            .push(Problem::error(&entry.node.mark, message).at(path));
        return;
    };
    if name.is_empty() || name.len() > 255 {
        let message = "a job's name has from 1 to 255 letters";
        state
            .problems
            .push(Problem::error(&entry.key, message).at(path.clone()));
    }
    keys(map, JOB, &path, "config", state);
    for (key, inner) in map.entries() {
        value(key, &inner.node, &path, state);
    }
    if map.contains("trigger") {
        for (key, inner) in map.entries() {
            if JOB.contains(&&**key) && !TRIGGER.contains(&&**key) {
                let message = format!("`{key}` cannot stand beside `trigger`");
                state
                    .problems
                    .push(Problem::error(&inner.key, message).at(path.clone()));
            }
        }
    } else if !["script", "run"]
        .iter()
        .any(|key| map.get(key).is_some_and(|node| !node.is_null()))
    {
        let message = "config should implement the script:, run:, or trigger: keyword";
        if state.stubbed {
            let why = "the job has no `script`: an include that was left out may have it";
            state.missing(&entry.key, "script", why);
        } else {
            state
                .problems
                .push(Problem::error(&entry.key, message).at(path.clone()));
        }
    }
    if let Some(rules) = map.entry("rules") {
        for key in ["only", "except"] {
            if map.contains(key) {
                let message = format!("config key may not be used with `rules`: {key}");
                state
                    .problems
                    .push(Problem::error(&rules.key, message).at(path.clone()));
            }
        }
    }
    let delayed = map.get("when").and_then(Node::as_str) == Some("delayed");
    if delayed && !map.contains("start_in") {
        let message = "`when: delayed` needs `start_in`";
        state
            .problems
            .push(Problem::error(&entry.key, message).at(path));
    }
}

/// Checks what stands at the top of a file beside the jobs.
pub(super) fn globals(root: &Map, state: &mut State) {
    for (key, entry) in root.entries() {
        match &**key {
            "default" => {
                if let Some(map) = entry.node.as_map() {
                    keys(map, DEFAULT, "default", "config", state);
                    for (key, inner) in map.entries() {
                        value(key, &inner.node, "default", state);
                    }
                } else if !entry.node.is_null() {
                    wrong(&entry.node, "default", "should be a hash", state);
                }
            }
            "workflow" => {
                if let Some(map) = entry.node.as_map() {
                    keys(
                        map,
                        &["name", "rules", "auto_cancel"],
                        "workflow",
                        "config",
                        state,
                    );
                    if let Some(rules) = map.get("rules") {
                        value("rules", rules, "workflow", state);
                    }
                }
            }
            "image" | "services" | "cache" | "before_script" | "after_script" => {
                value(key, &entry.node, "", state);
            }
            key if is_job(key) && !key.starts_with('.') => {}
            _ => {}
        }
    }
}

fn keys(map: &Map, known: &[&str], path: &str, what: &str, state: &mut State) {
    for (key, entry) in map.entries() {
        if !known.contains(&&**key) {
            let message = format!("{what} contains unknown keys: `{key}`");
            let problem = Problem::error(&entry.key, message).at(path);
            state
                .problems
                .push(problem.did_you_mean(closest(key, known.iter().copied())));
        }
    }
}

fn wrong(node: &Node, path: &str, should: &str, state: &mut State) {
    let message = format!("config {should}, not {}", node.kind());
    state
        .problems
        .push(Problem::error(&node.mark, message).at(path.trim_matches(':')));
}

fn value(key: &str, node: &Node, path: &str, state: &mut State) {
    let path = format!("{path}:{key}");
    let is_text = |node: &Node| node.scalar().is_some();
    if node.is_null() {
        return;
    }
    match shape(key) {
        Shape::Any => {}
        Shape::Text if is_text(node) => {}
        Shape::Text => wrong(node, &path, "should be a string", state),
        Shape::Bool if node.as_bool().is_some() => {}
        Shape::Bool => wrong(node, &path, "should be a boolean value", state),
        Shape::Script if is_script(node, 10) => {}
        Shape::Script => {
            let should = "should be a string or a nested array of strings up to 10 levels deep";
            wrong(node, &path, should, state);
        }
        Shape::List if node.as_seq().is_some() => {}
        Shape::List => wrong(node, &path, "should be an array", state),
        Shape::FreeMap if node.as_map().is_some() => {}
        Shape::FreeMap => wrong(node, &path, "should be a hash", state),
        Shape::TextOrList if is_text(node) || node.as_seq().is_some() => {}
        Shape::TextOrList => {
            wrong(
                node,
                &path,
                "should be an array of strings or a string",
                state,
            );
        }
        Shape::Map(known) => inner(node, known, &path, |_| false, "should be a hash", state),
        Shape::TextOrMap(known) => {
            inner(
                node,
                known,
                &path,
                is_text,
                "should be a hash or a string",
                state,
            );
        }
        Shape::IntOrMap(known) => {
            let is_int = |node: &Node| {
                node.scalar()
                    .is_some_and(|text| text.parse::<i64>().is_ok())
            };
            inner(
                node,
                known,
                &path,
                is_int,
                "should be a hash or an integer",
                state,
            );
        }
        Shape::BoolOrMap(known) => {
            let is_bool = |node: &Node| node.as_bool().is_some();
            inner(
                node,
                known,
                &path,
                is_bool,
                "should be a hash or a boolean value",
                state,
            );
        }
        Shape::Maps(known) => {
            let one = std::slice::from_ref(node);
            for node in node.as_seq().unwrap_or(one) {
                inner(
                    node,
                    known,
                    &path,
                    |_| false,
                    "should be a hash or an array of hashes",
                    state,
                );
            }
        }
        Shape::Mixed(known) => mixed(key, node, known, &path, state),
        Shape::ListOrMap(known) => {
            let is_list = |node: &Node| node.as_seq().is_some() || is_text(node);
            let should = "should be either an array of strings or a hash";
            inner(node, known, &path, is_list, should, state);
        }
        Shape::OneOf(words) => {
            let known = node.as_str().is_some_and(|word| words.contains(&word));
            if !known {
                let message = format!("config should be one of: {}", words.join(", "));
                let meant = closest(node.as_str().unwrap_or_default(), words.iter().copied());
                state.problems.push(
                    Problem::error(&node.mark, message)
                        .at(path)
                        .did_you_mean(meant),
                );
            }
        }
        Shape::Duration => {
            if node.scalar().is_none_or(|text| natural(&text).is_none()) {
                let problem = Problem::error(&node.mark, "config should be a duration").at(path);
                state
                    .problems
                    .push(problem.hint("write it as in `3h 30m` or `90 minutes`"));
            }
        }
        Shape::Pattern => {
            let text = node.as_str().unwrap_or_default();
            if !matches!(compile_pattern(text), Some(Ok(_))) {
                let message = "config must be a regular expression between slashes";
                state
                    .problems
                    .push(Problem::error(&node.mark, message).at(path));
            }
        }
    }
}

/// A list of maps, and of strings where the key takes them.
fn mixed(key: &str, node: &Node, known: &[&str], path: &str, state: &mut State) {
    let takes_text = key != "rules";
    let one = std::slice::from_ref(node);
    let items = match &node.value {
        Value::Seq(items) => items.as_slice(),
        Value::Map(_) if key == "needs" => one,
        Value::Str(_) if key == "needs" => one,
        _ => {
            wrong(node, path, "should be an array", state);
            return;
        }
    };
    if key == "rules" {
        let mut flat = Vec::new();
        flatten(items, 10, &mut flat);
        for item in flat {
            inner(
                item,
                known,
                path,
                |_| false,
                "should be an array of hashes",
                state,
            );
            rule(item, path, state);
        }
        return;
    }
    for item in items {
        let is_text = |node: &Node| takes_text && node.as_str().is_some();
        inner(
            item,
            known,
            path,
            is_text,
            "should be an array of strings and hashes",
            state,
        );
    }
}

/// The words of a rule's `when`, its expression and its patterns.
fn rule(rule: &Node, path: &str, state: &mut State) {
    const WHEN: &[&str] = &[
        "on_success",
        "on_failure",
        "always",
        "never",
        "manual",
        "delayed",
    ];
    let path = format!("{path}:rule");
    if let Some(node) = rule.get("when")
        && !node.as_str().is_some_and(|word| WHEN.contains(&word))
    {
        let message = format!("when should be one of: {}", WHEN.join(", "));
        let meant = closest(node.as_str().unwrap_or_default(), WHEN.iter().copied());
        state.problems.push(
            Problem::error(&node.mark, message)
                .at(path.clone())
                .did_you_mean(meant),
        );
    }
    if let Some(node) = rule.get("if")
        && let Err(error) = &*state.cache.expression(&node.scalar().unwrap_or_default())
    {
        let message = format!("if {error}");
        state
            .problems
            .push(Problem::error(&node.mark, message).at(path.clone()));
    }
    for key in ["changes", "exists"] {
        let Some(node) = rule.get(key) else { continue };
        let list = node
            .get("paths")
            .unwrap_or(node)
            .as_seq()
            .map_or(0, <[Node]>::len);
        if list > super::globs::MOST {
            let message = format!("{key} is too long (maximum is {})", super::globs::MOST);
            state
                .problems
                .push(Problem::error(&node.mark, message).at(path.clone()));
        }
    }
}

fn inner(
    node: &Node,
    known: &[&str],
    path: &str,
    other: impl Fn(&Node) -> bool,
    should: &str,
    state: &mut State,
) {
    if let Some(map) = node.as_map() {
        keys(map, known, path.trim_start_matches(':'), "config", state);
    } else if !other(node) {
        wrong(node, path, should, state);
    }
}

/// The items of lists in lists.
pub(super) fn flatten<'a>(items: &'a [Node], deep: usize, out: &mut Vec<&'a Node>) {
    for item in items {
        match item.as_seq() {
            Some(items) if deep > 0 => flatten(items, deep - 1, out),
            _ => out.push(item),
        }
    }
}

fn is_script(node: &Node, deep: usize) -> bool {
    match &node.value {
        Value::Seq(items) => deep > 0 && items.iter().all(|item| is_script(item, deep - 1)),
        Value::Map(_) => false,
        _ => true,
    }
}
