//! Which events start a run, and the decision about one of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Event, EventKind, NameFilter, Parameter, PathFilter, Schedule, TriggerError, arguments,
    skip_word,
};
use crate::workflow::RunFacts;

/// Which events start a run, and with what. As YAML:
///
/// ```yaml
/// on:
///   push: {branches: [main, "release/*"], paths: {ignore: ["docs/**", "**/*.md"]}}
///   merge_request: {targets: [main]}
///   tag: {names: ['/v\d+\.\d+/'], kind: annotated}
///   schedule:
///     - {name: nightly, cron: "0 3 * * *", time_zone: Europe/Berlin, arguments: {suite: all}}
///   manual: true
/// parameters:
///   suite: {type: enum, values: [quick, all], default: quick}
/// supersede: branch
/// ```
///
/// Without `on`, pushes, merge requests, tags, people and programs all start runs. With it, only what
/// it names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TriggerSpec {
    /// The events.
    #[serde(default = "On::everything")]
    pub on: On,
    /// The parameters of the runs; their values become variables. Without any, those of a schedule are
    /// taken as they are.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
    /// Which older runs a new one replaces.
    #[serde(default)]
    pub supersede: Supersede,
}

/// The events that start a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct On {
    /// Commits on branches.
    pub push: Option<PushRule>,
    /// Pull or merge requests.
    pub merge_request: Option<MergeRequestRule>,
    /// Tags.
    pub tag: Option<TagRule>,
    /// Times.
    pub schedule: Vec<Schedule>,
    /// Whether people may start a run.
    pub manual: bool,
    /// Whether programs may start a run.
    pub api: bool,
}

impl On {
    /// Every event except schedules.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            push: Some(PushRule::default()),
            merge_request: Some(MergeRequestRule::default()),
            tag: Some(TagRule::default()),
            schedule: Vec::new(),
            manual: true,
            api: true,
        }
    }
}

/// Which commits start a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PushRule {
    /// On which branches.
    pub branches: NameFilter,
    /// With which changes.
    pub paths: PathFilter,
}

/// Which pull or merge requests start a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MergeRequestRule {
    /// From which branches.
    pub sources: NameFilter,
    /// To which branches.
    pub targets: NameFilter,
    /// With which changes.
    pub paths: PathFilter,
}

/// Which tags start a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TagRule {
    /// Of which names.
    pub names: NameFilter,
    /// Of which kind; both if it does not say.
    pub kind: Option<TagKind>,
}

/// The two kinds of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TagKind {
    /// With a message and an author of its own.
    Annotated,
    /// Only a name.
    Lightweight,
}

/// Which older runs a new one replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Supersede {
    /// None.
    #[default]
    Never,
    /// Those of the same workflow and branch; for a merge request, of its source branch. See
    /// [`RunOptions::supersede`](crate::run::RunOptions::supersede).
    Branch,
}

/// What an event comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// A run for these facts.
    Run(Box<RunFacts>),
    /// No run, and why.
    Skip(String),
}

impl TriggerSpec {
    /// Every event except schedules starts a run.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            on: On::everything(),
            ..Self::default()
        }
    }

    /// Whether `event` starts a run, and for which facts. Arguments become variables.
    ///
    /// ```
    /// use ci_core::trigger::{Decision, Event, TriggerSpec};
    ///
    /// let spec = TriggerSpec::everything();
    /// let push = Event::push("main").message("fix the build");
    /// assert!(matches!(spec.decide(&push)?, Decision::Run(_)));
    /// let quiet = Event::push("main").message("typo [skip ci]");
    /// assert!(matches!(spec.decide(&quiet)?, Decision::Skip(_)));
    /// # Ok::<(), ci_core::trigger::TriggerError>(())
    /// ```
    ///
    /// # Errors
    /// When a filter is no pattern, or the arguments do not fit the parameters.
    pub fn decide(&self, event: &Event) -> Result<Decision, TriggerError> {
        if let Some(why) = self.refuses(event)? {
            return Ok(Decision::Skip(why));
        }
        let mut facts = event.facts();
        if self.parameters.is_empty() && matches!(event.kind, EventKind::Schedule { .. }) {
            // They are for parameters that the pipeline itself declares and checks.
            facts.variables.extend(event.arguments.clone());
            return Ok(Decision::Run(Box::new(facts)));
        }
        for (name, value) in arguments(&self.parameters, &event.arguments)? {
            facts = facts.variable(name, value.to_string());
        }
        Ok(Decision::Run(Box::new(facts)))
    }

    /// Why the event starts no run.
    fn refuses(&self, event: &Event) -> Result<Option<String>, TriggerError> {
        let word = event.message.as_deref().and_then(skip_word);
        let obeys = matches!(
            event.kind,
            EventKind::Push { .. } | EventKind::MergeRequest { .. } | EventKind::Tag { .. }
        );
        if let Some(word) = word.filter(|_| obeys) {
            return Ok(Some(format!("the commit message says `{word}`")));
        }
        let changed = event.changed_paths.as_deref();
        match &event.kind {
            EventKind::Push { branch } => {
                let Some(rule) = &self.on.push else {
                    return Ok(Some("pushes start no run".into()));
                };
                first_of([
                    name(&rule.branches, "branch", branch)?,
                    paths(&rule.paths, changed)?,
                ])
            }
            EventKind::MergeRequest { source, target, .. } => {
                let Some(rule) = &self.on.merge_request else {
                    return Ok(Some("merge requests start no run".into()));
                };
                first_of([
                    name(&rule.sources, "source branch", source)?,
                    name(&rule.targets, "target branch", target)?,
                    paths(&rule.paths, changed)?,
                ])
            }
            EventKind::Tag {
                name: tag,
                annotated,
            } => {
                let Some(rule) = &self.on.tag else {
                    return Ok(Some("tags start no run".into()));
                };
                let wrong_kind = match (rule.kind, annotated) {
                    (Some(TagKind::Annotated), false) => Some("the tag is not annotated"),
                    (Some(TagKind::Lightweight), true) => Some("the tag is annotated"),
                    _ => None,
                };
                first_of([
                    name(&rule.names, "tag", tag)?,
                    wrong_kind.map(str::to_owned),
                ])
            }
            EventKind::Schedule { name, .. } => {
                let known = self.on.schedule.iter().any(|it| it.name == *name);
                Ok((!known).then(|| format!("there is no schedule `{name}`")))
            }
            EventKind::Manual { .. } => {
                Ok((!self.on.manual).then(|| "people may not start a run".into()))
            }
            EventKind::Api { .. } => {
                Ok((!self.on.api).then(|| "programs may not start a run".into()))
            }
        }
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the arms of a match that can fail end with it"
)]
fn first_of<const N: usize>(reasons: [Option<String>; N]) -> Result<Option<String>, TriggerError> {
    Ok(reasons.into_iter().flatten().next())
}

fn name(filter: &NameFilter, what: &str, name: &str) -> Result<Option<String>, TriggerError> {
    let taken = filter.takes(name)?;
    Ok((!taken).then(|| format!("the filter does not take the {what} `{name}`")))
}

fn paths(filter: &PathFilter, changed: Option<&[String]>) -> Result<Option<String>, TriggerError> {
    let taken = filter.takes(changed)?;
    Ok((!taken).then(|| "no path that matters changed".into()))
}
