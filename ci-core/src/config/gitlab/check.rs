//! Says what cannot stand in a job: unknown keys, and values of the wrong kind.

use super::duration::natural;
use super::keys::{DEFAULT, JOB, Shape, TRIGGER, shape};
use super::merge::is_job;
use super::notes::Notes;
use crate::similar::closest;
use crate::yaml::problem::Problem;
use crate::yaml::{Entry, Map, Node, Value};

/// Checks a job that is not hidden.
pub(super) fn job(name: &str, entry: &Entry, notes: &mut Notes) {
    let path = format!("jobs:{name}");
    let Some(map) = entry.node.as_map() else {
        let message = format!("config should be a hash, not {}", entry.node.kind());
        notes
            .problems
            .push(Problem::error(&entry.node.mark, message).at(path));
        return;
    };
    if name.is_empty() || name.len() > 255 {
        let message = "a job's name has from 1 to 255 letters";
        notes
            .problems
            .push(Problem::error(&entry.key, message).at(path.clone()));
    }
    keys(map, JOB, &path, "config", notes);
    for (key, inner) in map.entries() {
        value(key, &inner.node, &path, notes);
    }
    if map.contains("trigger") {
        for (key, inner) in map.entries() {
            if JOB.contains(&&**key) && !TRIGGER.contains(&&**key) {
                let message = format!("`{key}` cannot stand beside `trigger`");
                notes
                    .problems
                    .push(Problem::error(&inner.key, message).at(path.clone()));
            }
        }
    } else if !["script", "run"]
        .iter()
        .any(|key| map.get(key).is_some_and(says_something))
    {
        let message = "config should implement the script:, run:, or trigger: keyword";
        if notes.stubbed {
            let why = "the job has no `script`: an include that was left out may have it";
            notes.missing(&entry.key, "script", why);
        } else {
            notes
                .problems
                .push(Problem::error(&entry.key, message).at(path.clone()));
        }
    }
    if let Some(rules) = map.entry("rules") {
        for key in ["only", "except"] {
            if map.contains(key) {
                let message = format!("config key may not be used with `rules`: {key}");
                notes
                    .problems
                    .push(Problem::error(&rules.key, message).at(path.clone()));
            }
        }
    }
    let delayed = map.get("when").and_then(Node::as_str) == Some("delayed");
    if delayed && !map.contains("start_in") {
        let message = "`when: delayed` needs `start_in`";
        notes
            .problems
            .push(Problem::error(&entry.key, message).at(path));
    }
}

/// Whether there is something under a key: not nothing, and no empty list.
fn says_something(node: &Node) -> bool {
    !node.is_null() && node.as_seq().is_none_or(|list| !list.is_empty())
}

/// Checks what stands at the top of a file beside the jobs.
pub(super) fn globals(root: &Map, notes: &mut Notes) {
    for (key, entry) in root.entries() {
        match &**key {
            "default" => {
                if let Some(map) = entry.node.as_map() {
                    keys(map, DEFAULT, "default", "config", notes);
                    for (key, inner) in map.entries() {
                        value(key, &inner.node, "default", notes);
                    }
                } else if !entry.node.is_null() {
                    wrong(&entry.node, "default", "should be a hash", notes);
                }
            }
            "workflow" => {
                if let Some(map) = entry.node.as_map() {
                    keys(
                        map,
                        &["name", "rules", "auto_cancel"],
                        "workflow",
                        "config",
                        notes,
                    );
                    if let Some(rules) = map.get("rules") {
                        value("rules", rules, "workflow", notes);
                    }
                }
            }
            "image" | "services" | "cache" | "before_script" | "after_script" => {
                value(key, &entry.node, "", notes);
            }
            key if is_job(key) && !key.starts_with('.') => {}
            _ => {}
        }
    }
}

fn keys(map: &Map, known: &[&str], path: &str, what: &str, notes: &mut Notes) {
    for (key, entry) in map.entries() {
        if !known.contains(&&**key) {
            let message = format!("{what} contains unknown keys: `{key}`");
            let problem = Problem::error(&entry.key, message).at(path);
            notes
                .problems
                .push(problem.did_you_mean(closest(key, known.iter().copied())));
        }
    }
}

fn wrong(node: &Node, path: &str, should: &str, notes: &mut Notes) {
    let message = format!("config {should}, not {}", node.kind());
    notes
        .problems
        .push(Problem::error(&node.mark, message).at(path.trim_matches(':')));
}

fn value(key: &str, node: &Node, path: &str, notes: &mut Notes) {
    let path = format!("{path}:{key}");
    let path = path.trim_start_matches(':');
    if node.is_null() {
        return;
    }
    match shape(key) {
        Shape::Any => {}
        Shape::Is(fits, _) if fits(node) => {}
        Shape::Is(_, should) => wrong(node, path, should, notes),
        Shape::Map(known, other, should) => {
            inner(node, known, path, other, should, notes);
            if key == "retry" {
                retry(node, path, notes);
            }
        }
        Shape::Maps(known) => {
            let one = std::slice::from_ref(node);
            for node in node.as_seq().unwrap_or(one) {
                let should = "should be a hash or an array of hashes";
                inner(node, known, path, |_| false, should, notes);
                cache_files(node, path, notes);
            }
        }
        Shape::Mixed(known) => mixed(key, node, known, path, notes),
        Shape::OneOf(words) => {
            if !node.as_str().is_some_and(|word| words.contains(&word)) {
                let message = format!("config should be one of: {}", words.join(", "));
                let meant = closest(node.as_str().unwrap_or_default(), words.iter().copied());
                let problem = Problem::error(&node.mark, message).at(path);
                notes.problems.push(match node.as_str() {
                    Some("never") => problem.hint("`never` can only be used in rules"),
                    _ => problem.did_you_mean(meant),
                });
            }
        }
        Shape::Duration => {
            if node.scalar().is_none_or(|text| natural(&text).is_none()) {
                let problem = Problem::error(&node.mark, "config should be a duration").at(path);
                let hint = "write it as in `3h 30m` or `90 minutes`";
                notes.problems.push(problem.hint(hint));
            }
        }
        Shape::Pattern => {
            let text = node.as_str().unwrap_or_default();
            if !matches!(&*notes.cache.pattern(text), Some(Ok(_))) {
                let message = "config must be a regular expression between slashes";
                notes
                    .problems
                    .push(Problem::error(&node.mark, message).at(path));
            }
        }
    }
}

/// How often a job is repeated, and why.
fn retry(node: &Node, path: &str, notes: &mut Notes) {
    const REASONS: &[&str] = &[
        "always",
        "unknown_failure",
        "script_failure",
        "api_failure",
        "stuck_or_timeout_failure",
        "runner_system_failure",
        "runner_unsupported",
        "stale_schedule",
        "job_execution_timeout",
        "archived_failure",
        "unmet_prerequisites",
        "scheduler_failure",
        "data_integrity_failure",
    ];
    let max = if node.as_map().is_some() {
        node.get("max")
    } else {
        Some(node)
    };
    let times = max.and_then(|max| max.scalar()?.parse::<i64>().ok());
    if let (Some(max), Some(times)) = (max, times)
        && !(0..=2).contains(&times)
    {
        let problem = Problem::error(&max.mark, "config should be a number from 0 to 2");
        notes.problems.push(problem.at(path));
    }
    let Some(when) = node.get("when") else { return };
    for word in when.as_seq().unwrap_or(std::slice::from_ref(when)) {
        let text = word.as_str().unwrap_or_default();
        if !REASONS.contains(&text) {
            let message = format!("when is not a known reason: `{text}`");
            let problem = Problem::error(&word.mark, message).at(path);
            let meant = closest(text, REASONS.iter().copied());
            notes.problems.push(problem.did_you_mean(meant));
        }
    }
}

/// The files that a cache's key is made of: one or two.
fn cache_files(cache: &Node, path: &str, notes: &mut Notes) {
    let Some(files) = cache.get("key").and_then(|key| key.get("files")) else {
        return;
    };
    let message = match files.as_seq().map(<[Node]>::len) {
        Some(1 | 2) => return,
        Some(0) => "config requires at least 1 item",
        Some(_) => "config has too many items (maximum is 2)",
        None => "config should be an array of strings",
    };
    let path = format!("{path}:key:files");
    notes
        .problems
        .push(Problem::error(&files.mark, message).at(path));
}

/// A list of maps, and of strings where the key takes them.
fn mixed(key: &str, node: &Node, known: &[&str], path: &str, notes: &mut Notes) {
    let takes_text = key != "rules";
    let one = std::slice::from_ref(node);
    let items = match &node.value {
        Value::Seq(items) => items.as_slice(),
        Value::Map(_) | Value::Str(_) if key == "needs" => one,
        _ => {
            wrong(node, path, "should be an array", notes);
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
                notes,
            );
            rule(item, path, notes);
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
            notes,
        );
    }
}

/// The words of a rule's `when`, its expression and its patterns.
fn rule(rule: &Node, path: &str, notes: &mut Notes) {
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
        notes.problems.push(
            Problem::error(&node.mark, message)
                .at(path.clone())
                .did_you_mean(meant),
        );
    }
    if let Some(node) = rule.get("if")
        && let Err(error) = &*notes.cache.expression(&node.scalar().unwrap_or_default())
    {
        let message = format!("if {error}");
        notes
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
            notes
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
    notes: &mut Notes,
) {
    if let Some(map) = node.as_map() {
        keys(map, known, path.trim_start_matches(':'), "config", notes);
    } else if !other(node) {
        wrong(node, path, should, notes);
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

pub(super) fn is_script(node: &Node, deep: usize) -> bool {
    match &node.value {
        Value::Seq(items) => deep > 0 && items.iter().all(|item| is_script(item, deep - 1)),
        Value::Map(_) => false,
        _ => true,
    }
}
