//! `only` and `except`, as files used them before `rules`.

use super::include::globs;
use super::job_rules::Scene;
use super::variables::Variables;
use crate::yaml::{Map, Node};

/// Why a job is not in the pipeline, if it is not.
pub(super) fn excluded(map: &Map, visible: &Variables, scene: &Scene<'_>) -> Option<String> {
    let (only, except) = (map.get("only"), map.get("except"));
    match only.filter(|node| !node.is_null()) {
        Some(only) => {
            if !all_hold(only, visible, scene) {
                return Some(format!("its `only` does not hold ({})", only.mark));
            }
        }
        None if scene.has_workflow_rules => {}
        None => {
            let default = ["branches", "tags"];
            if !default.iter().any(|word| refers(word, scene)) {
                return Some(
                    "without rules a job is in pipelines of branches and tags only".to_owned(),
                );
            }
        }
    }
    let except = except.filter(|node| !node.is_null())?;
    any_holds(except, visible, scene).then(|| format!("its `except` holds ({})", except.mark))
}

/// `only`: everything it asks for has to be so. Without `refs` branches and tags are meant.
fn all_hold(node: &Node, visible: &Variables, scene: &Scene<'_>) -> bool {
    if node.as_map().is_none() {
        return refs(node, visible, scene);
    }
    let refs_hold = match node.get("refs") {
        Some(list) => refs(list, visible, scene),
        None => {
            scene.has_workflow_rules || ["branches", "tags"].iter().any(|word| refers(word, scene))
        }
    };
    refs_hold
        && node
            .get("variables")
            .is_none_or(|list| expressions(list, visible, scene))
        && node
            .get("changes")
            .is_none_or(|list| changes(list, visible, scene))
        && node.get("kubernetes").is_none()
}

/// `except`: one thing is enough.
fn any_holds(node: &Node, visible: &Variables, scene: &Scene<'_>) -> bool {
    if node.as_map().is_none() {
        return refs(node, visible, scene);
    }
    node.get("refs")
        .is_some_and(|list| refs(list, visible, scene))
        || node
            .get("variables")
            .is_some_and(|list| expressions(list, visible, scene))
        || node
            .get("changes")
            .is_some_and(|list| changes(list, visible, scene))
}

fn refs(list: &Node, visible: &Variables, scene: &Scene<'_>) -> bool {
    let one = std::slice::from_ref(list);
    let list = list.as_seq().unwrap_or(one);
    list.iter().filter_map(Node::scalar).any(|item| {
        let item = item.trim();
        if item.starts_with('$') {
            return holds(item, visible, scene);
        }
        // `ref@path` asks for the project too.
        let (name, project) = match item.rsplit_once('@') {
            Some((name, project)) if !project.ends_with('/') => (name, Some(project)),
            _ => (item, None),
        };
        project.is_none_or(|project| project == scene.facts.project) && refers(name, scene)
    })
}

/// Whether a word or a pattern means the ref of the pipeline, or what started it.
fn refers(word: &str, scene: &Scene<'_>) -> bool {
    let facts = scene.facts;
    let is_request = facts.is_merge_request();
    let is_tag = facts.run.tag.is_some();
    let source = |name: &str| facts.source == name;
    match word {
        "branches" => !is_tag && !is_request,
        "tags" => is_tag && !is_request,
        "merge_requests" => is_request,
        "pushes" => source("push"),
        "schedules" => source("schedule"),
        "triggers" => source("trigger"),
        "pipelines" => source("pipeline"),
        "external_pull_requests" => source("external_pull_request_event"),
        "api" | "web" | "chat" | "external" => source(word),
        _ if is_request => false,
        _ => match &*scene.cache.pattern(word) {
            Some(Ok(pattern)) => pattern.is_match(facts.ref_name()),
            Some(Err(_)) => false,
            None => word == facts.ref_name(),
        },
    }
}

fn expressions(list: &Node, visible: &Variables, scene: &Scene<'_>) -> bool {
    let one = std::slice::from_ref(list);
    let mut texts = list.as_seq().unwrap_or(one).iter().filter_map(Node::scalar);
    texts.any(|text| holds(&text, visible, scene))
}

fn holds(text: &str, visible: &Variables, scene: &Scene<'_>) -> bool {
    let expression = scene.cache.expression(text);
    expression
        .as_ref()
        .as_ref()
        .is_ok_and(|it| it.holds(|name| visible.raw(name)))
}

fn changes(list: &Node, visible: &Variables, scene: &Scene<'_>) -> bool {
    let Some(paths) = &scene.facts.run.changed_paths else {
        return true;
    };
    let globs = globs(list, visible);
    globs.iter().any(|glob| scene.cache.changed(glob, paths))
}
