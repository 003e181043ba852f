//! The variables that the vendor's machines give to every job.

use std::collections::BTreeMap;

use super::pipeline::Pipeline;
use crate::yaml::{Node, Value};

/// The variables of a job, as far as a machine of one's own knows them; tokens are defined and empty.
pub(super) fn builtin(pipeline: &Pipeline, job: &str, workflow: &str) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut set = |name: &str, value: &str| {
        out.insert(name.to_owned(), value.to_owned());
    };
    set("CI", "true");
    set("CIRCLECI", "true");
    set("CIRCLE_JOB", job);
    set("CIRCLE_WORKFLOW_ID", &pipeline.id);
    set("CIRCLE_WORKFLOW_JOB_ID", &format!("{workflow}/{job}"));
    set("CIRCLE_WORKFLOW_WORKSPACE_ID", &pipeline.id);
    set("CIRCLE_PIPELINE_ID", &pipeline.id);
    set("CIRCLE_BUILD_NUM", &pipeline.number.to_string());
    set("CIRCLE_NODE_INDEX", "0");
    set("CIRCLE_NODE_TOTAL", "1");
    set("CIRCLE_OIDC_TOKEN", "");
    set("CIRCLE_OIDC_TOKEN_V2", "");
    set("CIRCLE_USERNAME", "");
    set("CIRCLE_BUILD_URL", "");
    set(
        "CIRCLE_SHA1",
        pipeline.facts.revision.as_deref().unwrap_or_default(),
    );
    match (&pipeline.facts.tag, &pipeline.facts.branch) {
        (Some(tag), _) => set("CIRCLE_TAG", tag),
        (None, Some(branch)) => set("CIRCLE_BRANCH", branch),
        (None, None) => {}
    }
    if let Some(url) = &pipeline.repository_url {
        set("CIRCLE_REPOSITORY_URL", url);
    }
    let slug = pipeline.slug();
    let (owner, name) = slug.rsplit_once('/').unwrap_or(("", &slug));
    set("CIRCLE_PROJECT_USERNAME", owner);
    set("CIRCLE_PROJECT_REPONAME", name);
    out
}

/// The variables that a file sets: a map, or a list of maps of which later ones count.
pub(super) fn written(node: Option<&Node>) -> BTreeMap<String, String> {
    let maps = match node.map(|node| &node.value) {
        Some(Value::Seq(maps)) => maps.to_vec(),
        Some(Value::Map(_)) => node.cloned().into_iter().collect(),
        _ => Vec::new(),
    };
    let mut out = BTreeMap::new();
    for map in maps.iter().filter_map(Node::as_map) {
        for (name, value) in map.iter() {
            out.insert(
                name.to_string(),
                value.scalar().unwrap_or_default().into_owned(),
            );
        }
    }
    out
}
