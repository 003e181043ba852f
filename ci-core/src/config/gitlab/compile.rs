//! Compiles a project: its file, merged; the jobs of the pipeline; the workflow.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::children::{self, Child, graft};
use super::files::Files;
use super::include::{self, Top};
use super::job_rules::When;
use super::notes::Notes;
use super::options::Options;
use super::pipeline::{self, Pipeline};
use super::variables::Variables;
use super::{check, explain, jobs, lower, merge, predefined, reference};
use crate::config::fidelity::Fidelity;
use crate::config::place::{Asked, AskedByJobs};
use crate::job::AllowFailure;
use crate::workflow::WorkflowSpec;
use crate::yaml::problem::{ConfigError, Problem};
use crate::yaml::{Map, Mark, Node};

/// A project with a GitLab CI configuration.
#[derive(Debug, Clone, Copy)]
pub struct Project;

impl Project {
    /// Compiles the configuration among `files`.
    ///
    /// # Errors
    /// Everything that is wrong with the files, whatever the pipeline is for.
    ///
    /// ```
    /// use ci_core::config::gitlab::{MemoryFiles, Options, Project};
    ///
    /// let text = "test: {script: cargo test}\ndeploy: {stage: deploy, script: ./deploy}\n";
    /// let files = MemoryFiles::from_iter([(".gitlab-ci.yml", text)]);
    /// let compiled = Project::load(&files, &Options::new())?;
    /// assert_eq!(compiled.jobs()[1].needs, ["test".into()]);
    /// assert_eq!(compiled.workflow()?.jobs.len(), 2);
    /// # Ok::<(), ci_core::config::problem::ConfigError>(())
    /// ```
    pub fn load(files: &dyn Files, options: &Options) -> Result<Compiled, ConfigError> {
        let mut notes = Notes::default();
        let compiled = compile(files, options, &Top::File, 0, &mut notes);
        let rows = notes.take_rows();
        let warnings = notes.problems.finish()?;
        let Some(mut compiled) = compiled else {
            let problem = Problem::of_file(&options.file, "the configuration could not be read");
            return Err(problem.into());
        };
        compiled.fidelity = Fidelity::of(rows);
        compiled.warnings = warnings;
        Ok(compiled)
    }
}

/// A configuration that was found good, compiled for one pipeline.
#[derive(Debug, Clone)]
pub struct Compiled {
    merged: Node,
    name: Option<String>,
    stages: Vec<Arc<str>>,
    jobs: Vec<ListedJob>,
    skipped: Vec<SkippedJob>,
    children: Vec<Child>,
    stopped: Option<String>,
    workflow: Result<WorkflowSpec, ConfigError>,
    fidelity: Fidelity,
    asked: AskedByJobs,
    warnings: Vec<Problem>,
}

/// A job that is in the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ListedJob {
    /// Its name, with its values if it is one of several.
    pub name: Arc<str>,
    /// Its stage.
    pub stage: Arc<str>,
    /// The jobs it waits for.
    pub needs: Vec<Arc<str>>,
    /// When it starts.
    pub when: When,
    /// Whether its failure, or some of its exit codes, are no failure of the pipeline.
    pub allow_failure: bool,
}

/// A job that is not in the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct SkippedJob {
    /// Its name.
    pub name: Arc<str>,
    /// Why it is not.
    pub why: String,
}

impl Compiled {
    /// The whole configuration as one: includes, `extends` and references are done, rules still in it.
    pub fn merged(&self) -> &Node {
        &self.merged
    }

    /// The name that the configuration gives the pipeline.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The stages in their order, with `.pre` and `.post`.
    pub fn stages(&self) -> &[Arc<str>] {
        &self.stages
    }

    /// Whether there is a pipeline at all.
    pub fn runs(&self) -> bool {
        self.stopped.is_none()
    }

    /// Why there is no pipeline.
    pub fn why(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// The jobs that are in the pipeline.
    pub fn jobs(&self) -> &[ListedJob] {
        &self.jobs
    }

    /// The jobs that are not in the pipeline, and why.
    pub fn skipped(&self) -> &[SkippedJob] {
        &self.skipped
    }

    /// The pipelines that jobs of this one start.
    pub fn children(&self) -> &[Child] {
        &self.children
    }

    /// The workflow of the pipeline with those that it starts; without jobs if there is no pipeline.
    ///
    /// # Errors
    /// If the pipeline cannot be created: a job needs one that is not in it, or jobs need each other.
    pub fn workflow(&self) -> Result<WorkflowSpec, ConfigError> {
        self.workflow.clone()
    }

    /// Every key that does not do all that it says, with the place and why.
    pub fn fidelity(&self) -> &Fidelity {
        &self.fidelity
    }

    /// Where the files say what each job runs in; see [`compare`].
    ///
    /// [`compare`]: crate::config::place::compare
    pub fn asked(&self) -> &AskedByJobs {
        &self.asked
    }

    /// What is doubtful about the files, and no error.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
}

/// Compiles a file, or what a trigger includes. `depth` counts the pipelines around this one, which
/// ends the recursion.
pub(super) fn compile(
    files: &dyn Files,
    options: &Options,
    top: &Top<'_>,
    depth: usize,
    notes: &mut Notes,
) -> Option<Compiled> {
    let predefined = Arc::new(predefined::of_pipeline(&options.facts));
    let mut visible = Variables::above(&predefined);
    visible.extend_texts(&options.facts.variables);
    visible.extend_texts(&options.facts.run.variables);
    let root = include::load(files, options, top, &visible, notes)?;
    let root = merge::extend(&root, notes);
    let root = reference::resolve(&root, notes);
    check::globals(&root, notes);
    let stages = jobs::stages(&root, notes);
    let jobs = jobs::collect(&root, &stages, notes);
    let is_job = |(name, _): &(&Arc<str>, _)| merge::is_job(name) && !name.starts_with('.');
    if !root.iter().any(|entry| is_job(&entry)) && !notes.stubbed && !notes.problems.has_errors() {
        let message = "jobs config should contain at least one visible job";
        notes
            .problems
            .push(Problem::of_file(&options.file, message));
    }
    for job in &jobs {
        explain::job(job, notes);
    }
    explain::file(&root, notes);
    let pipeline = {
        let project = pipeline::Source {
            root: &root,
            jobs: &jobs,
            stages: &stages,
            files,
            options,
        };
        pipeline::of(&project, &predefined, notes)
    };
    let children = children::of(&pipeline, files, options, depth, notes);
    let name = root
        .get("workflow")
        .and_then(|workflow| workflow.get("name"));
    let name = name.and_then(Node::as_str).map(|name| visible.expand(name));
    Some(Compiled {
        merged: Node::map(shown(&root), &Mark::new(&*options.file, 1, 1)),
        workflow: workflow(&root, &pipeline, &stages, &predefined, &children, options),
        asked: asked(&pipeline, &children),
        children,
        jobs: listed(&pipeline, &stages),
        skipped: skipped(&pipeline),
        stopped: pipeline.stopped.clone(),
        name,
        stages,
        fidelity: Fidelity::default(),
        warnings: Vec::new(),
    })
}

/// Where the files say what each job runs in, those of children by their names in the parent.
fn asked(pipeline: &Pipeline<'_>, children: &[Child]) -> AskedByJobs {
    let mark = |entry: &pipeline::Entry<'_>, key| {
        let entry = entry.job.map.entry(key)?;
        Some(entry.key.clone())
    };
    let mut out = AskedByJobs::new();
    for entry in &pipeline.entries {
        let services = entry.job.map.get("services").and_then(Node::as_seq);
        let services = services.into_iter().flatten().map(|node| node.mark.clone());
        let asked = Asked {
            image: mark(entry, "image"),
            services: services.collect(),
            labels: mark(entry, "tags"),
        };
        if asked != Asked::default() {
            out.insert(Arc::clone(&entry.instance.name), asked);
        }
    }
    for child in children {
        for (name, asked) in &child.pipeline.asked {
            out.insert(format!("{} / {name}", child.job).into(), asked.clone());
        }
    }
    out
}

fn workflow(
    root: &Map,
    pipeline: &Pipeline<'_>,
    stages: &[Arc<str>],
    predefined: &BTreeMap<String, String>,
    children: &[Child],
    options: &Options,
) -> Result<WorkflowSpec, ConfigError> {
    if pipeline.stopped.is_some() {
        return Ok(WorkflowSpec {
            name: "pipeline".into(),
            ..WorkflowSpec::default()
        });
    }
    pipeline.missing.clone().finish()?;
    let mut workflow = lower::workflow(pipeline, stages, predefined, options);
    workflow.fail_fast = fails_fast(root);
    for child in children {
        graft(&mut workflow, child, &child.pipeline.workflow()?);
    }
    match workflow.validate() {
        Ok(()) => Ok(workflow),
        Err(invalid) => {
            let problem = |problem: &crate::workflow::Problem| {
                Problem::of_file(&options.file, problem.to_string())
            };
            Err(ConfigError::new(
                invalid.problems().iter().map(problem).collect(),
            ))
        }
    }
}

/// Whether the first failure cancels the pipeline: `workflow:auto_cancel:on_job_failure`.
fn fails_fast(root: &Map) -> bool {
    let cancel = root
        .get("workflow")
        .and_then(|workflow| workflow.get("auto_cancel"));
    let on_failure = cancel.and_then(|cancel| cancel.get("on_job_failure"));
    on_failure.and_then(Node::as_str) == Some("all")
}

/// The file without the jobs that only others use.
fn shown(root: &Map) -> Map {
    let mut shown = Map::new();
    for (key, entry) in root.entries() {
        if !key.starts_with('.') {
            shown.insert_at(Arc::clone(key), &entry.key, entry.node.clone());
        }
    }
    shown
}

fn listed(pipeline: &Pipeline<'_>, stages: &[Arc<str>]) -> Vec<ListedJob> {
    if pipeline.stopped.is_some() {
        return Vec::new();
    }
    let name = |index: usize| {
        pipeline
            .entries
            .get(index)
            .map(|entry| Arc::clone(&entry.instance.name))
    };
    let jobs = pipeline.entries.iter().zip(&pipeline.links);
    jobs.map(|(entry, links)| ListedJob {
        name: Arc::clone(&entry.instance.name),
        stage: stages
            .get(entry.job.stage)
            .map_or_else(|| "test".into(), Arc::clone),
        needs: links
            .needs
            .iter()
            .filter_map(|needed| name(needed.job))
            .collect(),
        when: entry.chosen.when,
        allow_failure: entry.chosen.allow_failure != AllowFailure::Never,
    })
    .collect()
}

fn skipped(pipeline: &Pipeline<'_>) -> Vec<SkippedJob> {
    let not_chosen = pipeline.skipped.iter().map(|(name, why)| SkippedJob {
        name: Arc::clone(name),
        why: why.clone(),
    });
    let mut skipped: Vec<SkippedJob> = not_chosen.collect();
    if let Some(why) = &pipeline.stopped {
        skipped.extend(pipeline.entries.iter().map(|entry| SkippedJob {
            name: Arc::clone(&entry.instance.name),
            why: format!("there is no pipeline: {why}"),
        }));
    }
    skipped
}
