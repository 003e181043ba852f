//! Child pipelines: what `trigger:include` names becomes part of the workflow.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::compile::{Compiled, compile};
use super::files::Files;
use super::include::Top;
use super::notes::Notes;
use super::options::Options;
use super::pipeline::{Entry, Pipeline};
use crate::job::{JobSpec, Need};
use crate::outcome::{OutcomeKind, OutcomeSet};
use crate::step::{Action, StepSpec};
use crate::workflow::WorkflowSpec;
use crate::yaml::Node;

/// How many pipelines may be within one another: children of children.
const DEEPEST: usize = 2;

/// A pipeline that a job starts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Child {
    /// The job that starts it.
    pub job: Arc<str>,
    /// Whether the jobs after that one wait for the child's jobs (`strategy: depend` or `mirror`).
    pub waits: bool,
    /// The pipeline.
    pub pipeline: Compiled,
}

/// The files that a job's trigger includes, if they are known before the pipeline runs.
pub(super) fn includes(trigger: &Node) -> Option<&Node> {
    let node = trigger.get("include")?;
    let items = node.as_seq().unwrap_or(std::slice::from_ref(node));
    let known = items.iter().all(|item| item.get("artifact").is_none());
    (known && !items.is_empty()).then_some(node)
}

/// The children of the pipeline's jobs.
pub(super) fn of(
    pipeline: &Pipeline<'_>,
    files: &dyn Files,
    options: &Options,
    depth: usize,
    notes: &mut Notes,
) -> Vec<Child> {
    let mut children = Vec::new();
    if depth >= DEEPEST || pipeline.stopped.is_some() {
        return children;
    }
    for entry in &pipeline.entries {
        let Some(trigger) = entry.job.map.get("trigger") else {
            continue;
        };
        let Some(include) = includes(trigger) else {
            continue;
        };
        let options = options_of(entry, trigger, options);
        let top = Top::Includes(include);
        if let Some(pipeline) = compile(files, &options, &top, depth + 1, notes) {
            let strategy = trigger.get("strategy").and_then(Node::as_str);
            children.push(Child {
                job: Arc::clone(&entry.instance.name),
                waits: matches!(strategy, Some("depend" | "mirror")),
                pipeline,
            });
        }
    }
    children
}

/// What a child is compiled for: the parent's facts, with the variables that the job hands on.
fn options_of(entry: &Entry<'_>, trigger: &Node, options: &Options) -> Options {
    let forward = |key: &str, usual| {
        let node = trigger.get("forward").and_then(|forward| forward.get(key));
        node.and_then(Node::as_bool).unwrap_or(usual)
    };
    let mut options = options.clone();
    options.inputs.clear();
    "parent_pipeline".clone_into(&mut options.facts.source);
    let of_parent = std::mem::take(&mut options.facts.run.variables);
    if forward("yaml_variables", true) {
        let env = entry.variables.expanded();
        let own = env
            .own
            .into_iter()
            .filter(|(name, _)| !of_parent.contains_key(name));
        options.facts.run.variables.extend(own);
    }
    if forward("pipeline_variables", false) {
        options.facts.run.variables.extend(of_parent);
    }
    options
}

/// The step, with the jobs that it fetches files from named as they are in the parent.
fn fetched(step: &StepSpec, name: impl Fn(&str) -> Arc<str>) -> StepSpec {
    let mut step = step.clone();
    if let Action::AttachWorkspace(spec) = &mut step.action {
        for job in &mut spec.from {
            *job = name(job).to_string();
        }
    }
    step
}

/// What a job that goes by success asks of a child's job: one that did not run says nothing.
const NONE_FAILED: [OutcomeKind; 3] = [
    OutcomeKind::Success,
    OutcomeKind::Skipped,
    OutcomeKind::NotRun,
];

/// The workflow with the jobs of a child, named after the job that starts it. They wait for that job,
/// and where the trigger asks for it, what waits for that job waits for them too.
pub(super) fn graft(parent: &mut WorkflowSpec, child: &Child, workflow: &WorkflowSpec) {
    let name = |job: &str| -> Arc<str> { format!("{} / {job}", child.job).into() };
    let optional: HashMap<&str, bool> = child
        .pipeline
        .jobs()
        .iter()
        .map(|job| {
            (
                &*job.name,
                job.when == super::When::Manual && job.allow_failure,
            )
        })
        .collect();
    let env: BTreeMap<String, String> = workflow
        .env
        .iter()
        .filter(|(name, value)| parent.env.get(*name) != Some(*value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let grafted = workflow.jobs.iter().map(|job| {
        let mut job = JobSpec {
            name: name(&job.name),
            ..job.clone()
        };
        for need in &mut job.needs {
            need.job = name(&need.job);
        }
        job.steps = job.steps.iter().map(|step| fetched(step, name)).collect();
        job.needs.push(Need::success(Arc::clone(&child.job)));
        job.with(|options| {
            options.stage = options.stage.as_deref().map(name);
            for (name, value) in &env {
                options
                    .env
                    .entry(name.clone())
                    .or_insert_with(|| value.clone());
            }
        })
    });
    let grafted: Vec<JobSpec> = grafted.collect();
    let jobs = Arc::make_mut(&mut parent.jobs);
    if child.waits {
        for job in jobs.iter_mut() {
            let Some(need) = job.needs.iter().find(|need| need.job == child.job).cloned() else {
                continue;
            };
            let accept = if need.accept == OutcomeSet::SUCCESS {
                OutcomeSet::of(&NONE_FAILED)
            } else {
                need.accept
            };
            let waited = workflow
                .jobs
                .iter()
                .filter(|other| !optional.get(&*other.name).copied().unwrap_or(false));
            job.needs.extend(waited.map(|other| Need {
                job: name(&other.name),
                accept,
                optional: false,
            }));
        }
    }
    jobs.extend(grafted);
}
