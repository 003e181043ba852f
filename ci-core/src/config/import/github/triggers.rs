//! `on`: what starts a workflow.

use super::super::pipeline::{Filter, Pipeline};
use crate::yaml::{Map, Node};

/// Reads `on`.
pub(super) fn read(on: &Node, pipeline: &mut Pipeline) {
    if let Some(name) = on.as_str() {
        event(name, on, on, pipeline);
    } else if let Some(names) = on.as_seq() {
        for node in names {
            event(node.as_str().unwrap_or_default(), node, node, pipeline);
        }
    } else if let Some(map) = on.as_map() {
        for (name, entry) in map.entries() {
            let place = Node::text("", &entry.key);
            event(name, &entry.node, &place, pipeline);
        }
    }
}

fn event(name: &str, body: &Node, place: &Node, pipeline: &mut Pipeline) {
    let mark = &place.mark;
    match name {
        "push" => push(body.as_map(), pipeline),
        "pull_request" | "pull_request_target" | "merge_group" => {
            let hint = "every push to a branch is built, also one with a request; GitLab has `$CI_PIPELINE_SOURCE == \"merge_request_event\"`";
            pipeline.note(mark, format!("`on: {name}`"), hint);
        }
        "schedule" => {
            let hint = "schedules are set up in the project's settings, or with `ci watch` in `.ci/triggers.yml`";
            pipeline.note(mark, "`on: schedule`", hint);
        }
        "workflow_dispatch" => {
            let hint = "`ci run` starts it by hand; inputs are variables of the same name in capitals: `ci run --var NAME=VALUE`";
            pipeline.note(mark, "`on: workflow_dispatch`", hint);
        }
        other => {
            let hint = "no event of CircleCI or GitLab is the same; start it from outside through their API";
            pipeline.note(mark, format!("`on: {other}`"), hint);
        }
    }
}

fn push(body: Option<&Map>, pipeline: &mut Pipeline) {
    let Some(body) = body else { return };
    for (key, entry) in body.entries() {
        let globs = entry.node.as_seq().unwrap_or_default().iter();
        let globs = globs.filter_map(|it| it.scalar().map(std::borrow::Cow::into_owned));
        let mut globs: Vec<String> = globs.collect();
        if let Some(one) = entry.node.as_str() {
            globs.push(one.to_owned());
        }
        match &**key {
            "branches" => only(&mut pipeline.branches, globs),
            "branches-ignore" => pipeline.branches.ignore.extend(globs),
            "tags" => only(&mut pipeline.tags, globs),
            "tags-ignore" => pipeline.tags.ignore.extend(globs),
            other => {
                let hint = "GitLab has `rules: changes` for jobs; CircleCI a setup workflow that looks at the paths";
                pipeline.note(&entry.key, format!("`on.push.{other}`"), hint);
            }
        }
    }
    // With tags only, branches are not built.
    let has_tags = !pipeline.tags.only.is_empty();
    if has_tags && pipeline.branches.is_empty() {
        pipeline.branches.ignore.push("**".into());
    }
}

/// `!` takes away what patterns before it gave.
fn only(filter: &mut Filter, globs: Vec<String>) {
    for glob in globs {
        match glob.strip_prefix('!') {
            Some(glob) => filter.ignore.push(glob.to_owned()),
            None => filter.only.push(glob),
        }
    }
}
