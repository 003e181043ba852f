//! The jobs of a file, each with its defaults, and the stages.

use std::sync::Arc;

use super::check::flatten;
use super::keys;
use super::merge::is_job;
use super::notes::Notes;
use super::variables::{Variable, Variables};
use crate::similar::closest;
use crate::yaml::problem::Problem;
use crate::yaml::{Map, Mark, Node};

/// The most values that all jobs may stand for, with what they extend.
const MOST: usize = 4_000_000;

const STAGES: [&str; 3] = ["build", "test", "deploy"];

/// A job that is not hidden, with its defaults.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) name: Arc<str>,
    /// Where its name stands.
    pub(super) mark: Mark,
    pub(super) map: Map,
    /// How many values stand in it.
    pub(super) weight: usize,
    /// The place of its stage among the stages.
    pub(super) stage: usize,
    /// The variables of the file that it inherits, and its own.
    pub(super) inherited: Variables,
    pub(super) own: Variables,
}

impl Job {
    /// The text under a key.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.map.get(key).and_then(Node::as_str)
    }
}

/// Every job that is not hidden.
pub(super) fn collect(root: &Map, stages: &[Arc<str>], notes: &mut Notes) -> Vec<Job> {
    let globals = variables(root.get("variables"), "variables", notes);
    let mut jobs = Vec::new();
    let mut left = MOST;
    for (name, entry) in root.entries() {
        if !is_job(name) || name.starts_with('.') {
            continue;
        }
        left = left.saturating_sub(weight(&entry.node, left));
        if left == 0 {
            let message = format!("the jobs stand for more than {MOST} values");
            notes.problems.push(Problem::error(&entry.key, message));
            return jobs;
        }
        super::check::job(name, entry, notes);
        let Some(map) = entry.node.as_map() else {
            continue;
        };
        let map = with_defaults(map, root);
        let weight = map.iter().map(|(_, node)| weight(node, MOST)).sum();
        left = left.saturating_sub(weight);
        let written = map.get("stage").filter(|node| !node.is_null());
        let stage_name = written.and_then(Node::scalar).unwrap_or("test".into());
        let Some(stage) = stages.iter().position(|stage| **stage == *stage_name) else {
            let mark = written.map_or(&entry.key, |node| &node.mark);
            unknown_stage(name, &stage_name, mark, stages, notes);
            continue;
        };
        let own = variables(
            map.get("variables"),
            &format!("jobs:{name}:variables"),
            notes,
        );
        let inherited = inherited(&globals, &map);
        jobs.push(Job {
            name: Arc::clone(name),
            mark: entry.key.clone(),
            map,
            weight,
            stage,
            inherited,
            own,
        });
    }
    jobs
}

fn unknown_stage(name: &str, stage: &str, mark: &Mark, stages: &[Arc<str>], notes: &mut Notes) {
    if notes.stubbed {
        let why = format!(
            "stage `{stage}` of `{name}` is unknown: an include that was left out may have it"
        );
        notes.missing(mark, "stage", why);
        return;
    }
    let list = stages.join(", ");
    let message = format!("chosen stage `{stage}` does not exist; available stages are {list}");
    let problem = Problem::error(mark, message).at(format!("jobs:{name}"));
    notes
        .problems
        .push(problem.did_you_mean(closest(stage, stages.iter().map(AsRef::as_ref))));
}

/// How many values stand in a node, counted up to `most`.
fn weight(node: &Node, most: usize) -> usize {
    let mut total = 1;
    let mut count = |node: &Node| {
        if total < most {
            total += weight(node, most - total);
        }
    };
    if let Some(items) = node.as_seq() {
        items.iter().for_each(&mut count);
    } else if let Some(map) = node.as_map() {
        map.iter().for_each(|(_, node)| count(node));
    }
    total
}

/// The job with what it lacks taken from the defaults, as its `inherit` lets it.
fn with_defaults(map: &Map, root: &Map) -> Map {
    let mut map = map.clone();
    let inherit = map
        .get("inherit")
        .and_then(|inherit| inherit.get("default"))
        .cloned();
    for key in keys::DEFAULT.iter().copied() {
        let default = root
            .get("default")
            .and_then(|default| default.get(key))
            .or(root.get(key));
        if let Some(default) = default
            && !map.contains(key)
            && wanted(inherit.as_ref(), key)
            && !map.contains("trigger")
        {
            map.insert(key, default.clone());
        }
    }
    map
}

/// Whether a value of `inherit` lets a key or variable through.
fn wanted(inherit: Option<&Node>, name: &str) -> bool {
    match inherit {
        None => true,
        Some(node) => match (node.as_bool(), node.as_seq()) {
            (Some(all), _) => all,
            (None, Some(names)) => names.iter().any(|node| node.as_str() == Some(name)),
            (None, None) => true,
        },
    }
}

fn inherited(globals: &Variables, map: &Map) -> Variables {
    let inherit = map
        .get("inherit")
        .and_then(|inherit| inherit.get("variables"));
    let mut inherited = globals.clone();
    inherited.retain(|name| wanted(inherit, name));
    inherited
}

/// The variables under a key.
pub(super) fn variables(node: Option<&Node>, path: &str, notes: &mut Notes) -> Variables {
    let mut found = Variables::default();
    let Some(map) = node.and_then(Node::as_map) else {
        return found;
    };
    for (name, node) in map.iter() {
        let value = if node.as_map().is_some() {
            node.get("value")
        } else {
            Some(node)
        };
        let Some(value) = value else {
            // Described for people who start a pipeline by hand, with no value of its own.
            found.set(&**name, Variable::new(""));
            continue;
        };
        let Some(text) = value.scalar() else {
            let message = "config should be a hash of key value pairs";
            let problem = Problem::error(&value.mark, message).at(format!("{path}:{name}"));
            notes.problems.push(problem);
            continue;
        };
        let expand = node.get("expand").and_then(Node::as_bool).unwrap_or(true);
        let value = text.into_owned();
        found.set(&**name, Variable { value, expand });
    }
    found
}

/// The stages in their order, `.pre` first and `.post` last.
pub(super) fn stages(root: &Map, notes: &mut Notes) -> Vec<Arc<str>> {
    let mut stages: Vec<Arc<str>> = vec![".pre".into()];
    match root.get("stages").filter(|node| !node.is_null()) {
        None => stages.extend(STAGES.map(Arc::from)),
        Some(node) => {
            let mut flat = Vec::new();
            flatten(
                node.as_seq().unwrap_or(std::slice::from_ref(node)),
                10,
                &mut flat,
            );
            for stage in flat {
                let Some(name) = stage.scalar() else {
                    let message = "config should be an array of strings";
                    notes
                        .problems
                        .push(Problem::error(&stage.mark, message).at("stages"));
                    continue;
                };
                let known = stages.iter().any(|known| **known == *name);
                if !known && name != ".post" {
                    stages.push(name.into());
                }
            }
        }
    }
    stages.push(".post".into());
    stages
}
