//! `workflow:rules`: whether there is a pipeline at all, and the variables it gets.

use super::check::flatten;
use super::job_rules::{Scene, holds};
use super::jobs::variables;
use super::notes::Notes;
use super::variables::Variables;
use crate::yaml::{Map, Node};

/// The variables that the rules give the pipeline, or why there is none.
pub(super) fn decide(
    root: &Map,
    visible: &Variables,
    scene: &Scene<'_>,
    notes: &mut Notes,
) -> Result<Variables, String> {
    let Some(rules) = rules(root) else {
        return Ok(Variables::default());
    };
    let mut flat = Vec::new();
    flatten(rules.as_seq().unwrap_or_default(), 10, &mut flat);
    for (index, rule) in flat.into_iter().enumerate() {
        if !holds(rule, visible, scene) {
            continue;
        }
        if rule.get("when").and_then(Node::as_str) == Some("never") {
            return Err(format!(
                "rule {} of the workflow says never ({})",
                index + 1,
                rule.mark
            ));
        }
        return Ok(variables(
            rule.get("variables"),
            "workflow:rules:rule:variables",
            notes,
        ));
    }
    Err("none of the workflow's rules holds".to_owned())
}

/// The rules of the workflow, if it has some.
pub(super) fn rules(root: &Map) -> Option<&Node> {
    root.get("workflow")?
        .get("rules")
        .filter(|node| !node.is_null())
}
