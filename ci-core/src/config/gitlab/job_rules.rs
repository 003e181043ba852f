//! Whether a job is in the pipeline, and how it starts: `rules`, `when`, `allow_failure`.

use std::rc::Rc;
use std::time::Duration;

use super::cache::Cache;
use super::check::flatten;
use super::duration::natural;
use super::files::Files;
use super::include::globs;
use super::jobs::{Job, variables};
use super::notes::Notes;
use super::only;
use super::options::Facts;
use super::variables::Variables;
use crate::job::AllowFailure;
use crate::yaml::Node;

/// When a job starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum When {
    /// When no job before it failed.
    OnSuccess,
    /// When a job before it failed.
    OnFailure,
    /// When the jobs before it have ended.
    Always,
    /// When somebody starts it.
    Manual,
    /// Some time after the jobs before it.
    Delayed,
}

impl When {
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "on_success" => Self::OnSuccess,
            "on_failure" => Self::OnFailure,
            "always" => Self::Always,
            "manual" => Self::Manual,
            "delayed" => Self::Delayed,
            _ => return None,
        })
    }
}

/// What a pipeline knows when it decides.
pub(super) struct Scene<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) facts: &'a Facts,
    pub(super) cache: Rc<Cache>,
    /// Whether the workflow has rules: then jobs without rules of their own are in every pipeline.
    pub(super) has_workflow_rules: bool,
}

/// How a job is in the pipeline.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) when: When,
    pub(super) allow_failure: AllowFailure,
    pub(super) start_in: Option<Duration>,
    /// The needs of the rule, which replace those of the job.
    pub(super) needs: Option<Node>,
    pub(super) variables: Variables,
}

/// How a job is in the pipeline, or why it is not.
pub(super) fn decide(
    job: &Job,
    visible: &Variables,
    scene: &Scene<'_>,
    notes: &mut Notes,
) -> Result<Chosen, String> {
    let when = job.text("when").and_then(When::of);
    let Some(rules) = own_rules(job) else {
        if let Some(why) = only::excluded(&job.map, visible, scene) {
            return Err(why);
        }
        return Ok(Chosen {
            when: when.unwrap_or(When::OnSuccess),
            allow_failure: allow_failure(job.map.get("allow_failure"), when == Some(When::Manual)),
            start_in: start_in(job.map.get("start_in")),
            needs: None,
            variables: Variables::default(),
        });
    };
    let mut flat = Vec::new();
    flatten(rules.as_seq().unwrap_or_default(), 10, &mut flat);
    for (index, rule) in flat.into_iter().enumerate() {
        if !holds(rule, visible, scene) {
            continue;
        }
        let word = rule.get("when").and_then(Node::as_str);
        if word == Some("never") {
            return Err(format!("rule {} says never ({})", index + 1, rule.mark));
        }
        let when = word.and_then(When::of).or(when).unwrap_or(When::OnSuccess);
        let own = rule.get("allow_failure").or(job.map.get("allow_failure"));
        let path = format!("jobs:{}:rules:rule:variables", job.name);
        return Ok(Chosen {
            when,
            // A rule that makes a job manual makes it hold the pipeline, unless something says
            // otherwise; a job that is manual by itself does not.
            allow_failure: allow_failure(own, job.text("when") == Some("manual")),
            start_in: start_in(rule.get("start_in").or(job.map.get("start_in"))),
            needs: rule.get("needs").cloned(),
            variables: variables(rule.get("variables"), &path, notes),
        });
    }
    Err("none of its rules holds".to_owned())
}

/// The rules of a job, if it has some.
fn own_rules(job: &Job) -> Option<&Node> {
    let rules = job.map.get("rules")?;
    rules
        .as_seq()
        .is_some_and(|list| !list.is_empty())
        .then_some(rules)
}

/// Whether everything that a rule asks for is so; a rule that asks for nothing always holds.
pub(super) fn holds(rule: &Node, visible: &Variables, scene: &Scene<'_>) -> bool {
    if let Some(text) = rule.get("if") {
        let text = text.scalar().unwrap_or_default();
        let expression = scene.cache.expression(&text);
        if !expression
            .as_ref()
            .as_ref()
            .is_ok_and(|it| it.holds(|name| visible.raw(name)))
        {
            return false;
        }
    }
    if let Some(node) = rule.get("exists")
        && !globs(node, visible)
            .iter()
            .any(|glob| scene.cache.found(glob, scene.files.paths()))
    {
        return false;
    }
    rule.get("changes")
        .is_none_or(|node| changed(node, visible, scene))
}

/// Whether a changed path matches. In pipelines that no push and no merge request started nothing is
/// compared, and it always does; likewise where the changed paths are not known.
pub(super) fn changed(node: &Node, visible: &Variables, scene: &Scene<'_>) -> bool {
    let facts = scene.facts;
    let compares = (facts.source == "push" && facts.run.tag.is_none())
        || facts.is_merge_request()
        || facts.source == "external_pull_request_event"
        || node.get("compare_to").is_some();
    match &facts.run.changed_paths {
        Some(paths) if compares => {
            let globs = globs(node, visible);
            globs.iter().any(|glob| scene.cache.changed(glob, paths))
        }
        _ => true,
    }
}

fn start_in(node: Option<&Node>) -> Option<Duration> {
    natural(&node?.scalar()?)
}

fn allow_failure(node: Option<&Node>, default: bool) -> AllowFailure {
    let otherwise = if default {
        AllowFailure::Always
    } else {
        AllowFailure::Never
    };
    let Some(node) = node else {
        return otherwise;
    };
    match node.as_bool() {
        Some(true) => AllowFailure::Always,
        Some(false) => AllowFailure::Never,
        None => node.get("exit_codes").map_or(otherwise, |codes| {
            let one = std::slice::from_ref(codes);
            let codes = codes
                .as_seq()
                .unwrap_or(one)
                .iter()
                .filter_map(Node::as_int);
            AllowFailure::ExitCodes(codes.filter_map(|code| i32::try_from(code).ok()).collect())
        }),
    }
}
