//! Compiled files become workflows of the engine.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::compile::{CompileOptions, Compiled};
use super::compiler::Compiler;
use super::{filters, pipeline::Pipeline};
use crate::config::fidelity::Fidelity;
use crate::config::place::AskedByJobs;
use crate::job::{JobSpec, Need};
use crate::outcome::{OutcomeKind, OutcomeSet};
use crate::similar::closest;
use crate::workflow::{self, WorkflowSpec};
use crate::yaml::problem::{ConfigError, Problem, Problems};
use crate::yaml::{Map, Mark, Node, Value};

/// More nodes than this are a slip.
const MOST_NODES: i64 = 1_000;

/// Workflows of a file as one of the engine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Lowered {
    /// The jobs that run.
    pub workflow: WorkflowSpec,
    /// The jobs that do not, and why.
    pub skipped: Vec<Skipped>,
    /// What is not the same as on the vendor's machines.
    pub fidelity: Fidelity,
    /// Where the file says what each job runs in; see [`compare`](crate::config::place::compare).
    pub asked: AskedByJobs,
    /// The workflows, each with its jobs that run.
    pub workflows: Vec<(Arc<str>, Vec<Arc<str>>)>,
}

/// A job that is not part of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Skipped {
    /// The workflow.
    pub workflow: Arc<str>,
    /// The job.
    pub name: Arc<str>,
    /// Why.
    pub why: String,
}

impl Compiled {
    /// The names of the workflows that run.
    #[must_use]
    pub fn workflows(&self) -> Vec<Arc<str>> {
        let workflows = self.declared();
        let names = workflows.into_iter().flat_map(Map::iter);
        names
            .filter(|(name, _)| &***name != "version")
            .map(|(name, _)| Arc::clone(name))
            .collect()
    }

    /// The workflow called `only`, or all that run for the pipeline, as one of the engine. Where a
    /// job's name stands in several of them it is `workflow/job`.
    ///
    /// # Errors
    /// With everything that does not fit together.
    pub fn lower(
        &self,
        only: Option<&str>,
        options: &CompileOptions,
    ) -> Result<Lowered, ConfigError> {
        let mut problems = Problems::new();
        let lowered = lower(self, only, options, &mut problems);
        problems.finish()?;
        Ok(lowered)
    }
}

/// A job of a workflow, as its entry says.
pub(super) struct Entry<'a> {
    pub(super) workflow: &'a Arc<str>,
    pub(super) name: &'a Arc<str>,
    pub(super) node: &'a Node,
    pub(super) given: Option<&'a Map>,
    skipped: Option<String>,
}

/// What lowering looks at.
pub(super) struct Lower<'a, 'p> {
    pub(super) options: &'a CompileOptions,
    pub(super) compiler: Compiler<'p>,
    pub(super) fidelity: Fidelity,
    pub(super) asked: AskedByJobs,
    /// The workflows, each with its jobs that run.
    workflows: Vec<(Arc<str>, Vec<Arc<str>>)>,
    /// Whether the jobs are those of a setup workflow.
    pub(super) is_setup: bool,
    jobs: Option<&'a Map>,
    entries: Vec<Entry<'a>>,
    /// How many workflows have a job of this name.
    seen: HashMap<&'a str, usize>,
    /// The jobs that run, with their workflows.
    running: HashSet<(&'a str, &'a str)>,
    /// All jobs, with their workflows.
    invoked: HashSet<(&'a str, &'a str)>,
    /// Where the file says that a job runs.
    places: HashMap<Arc<str>, Mark>,
}

fn lower(
    compiled: &Compiled,
    only: Option<&str>,
    options: &CompileOptions,
    problems: &mut Problems,
) -> Lowered {
    let config = &compiled.config;
    let values = options.pipeline.values(config, &mut Problems::new());
    let mut this = Lower {
        options,
        compiler: Compiler::new(problems, values, Vec::new()),
        fidelity: Fidelity::default(),
        asked: AskedByJobs::new(),
        workflows: Vec::new(),
        is_setup: compiled.is_setup(),
        jobs: config.get("jobs").and_then(Node::as_map),
        entries: Vec::new(),
        seen: HashMap::new(),
        running: HashSet::new(),
        invoked: HashSet::new(),
        places: HashMap::new(),
    };
    let names = compiled.workflows();
    if let Some(only) = only
        && !names.iter().any(|name| **name == *only)
    {
        let message = format!("there is no workflow `{only}`, or it does not run");
        let meant = closest(only, names.iter().map(AsRef::as_ref));
        let problem = Problem::error(&config.mark, message).did_you_mean(meant);
        this.compiler.problems.push(problem);
    }
    let workflows = compiled.declared();
    for (workflow, node) in workflows.into_iter().flat_map(Map::iter) {
        if &**workflow == "version" || only.is_some_and(|only| **workflow != *only) {
            continue;
        }
        let unscheduled =
            node.get("triggers").is_some() && options.pipeline.schedule.is_none() && only.is_none();
        let pipeline = &options.pipeline;
        let entries = of_workflow(workflow, node, unscheduled, pipeline, &mut this.compiler);
        this.entries.extend(entries);
        this.workflows.push((Arc::clone(workflow), Vec::new()));
    }
    drop_orphans(&mut this.entries);
    let of_file = this.entries.iter();
    this.invoked = of_file.map(|it| (&**it.workflow, &**it.name)).collect();
    let mut running: Vec<&str> = Vec::new();
    for entry in this.entries.iter().filter(|entry| entry.skipped.is_none()) {
        *this.seen.entry(entry.name).or_default() += 1;
        this.running.insert((entry.workflow, entry.name));
        if running.last() != Some(&&**entry.workflow) {
            running.push(entry.workflow);
        }
    }
    if this.is_setup && running.len() > 1 {
        let message = format!(
            "only one workflow of a setup may run, and these do: `{}`",
            running.join("`, `")
        );
        this.compiler.error(&config.mark, message);
    }
    if running.is_empty() {
        running.extend(this.workflows.iter().map(|(name, _)| &**name));
    }
    let name = match only {
        Some(only) => only.to_owned(),
        // Every workflow of the file is left out by a condition of its own.
        None if running.is_empty() => "no workflow".to_owned(),
        None => running.join(", "),
    };
    let (jobs, skipped) = this.all();
    let workflow = WorkflowSpec {
        name: name.into(),
        jobs: Arc::new(jobs),
        ..WorkflowSpec::default()
    };
    // What follows from problems that have been told is not told again.
    if !this.compiler.problems.has_errors()
        && let Err(invalid) = workflow.validate()
    {
        let told = invalid.problems().iter();
        let told = told.map(|problem| {
            let mark = job_of(problem).and_then(|job| this.places.get(job));
            Problem::error(mark.unwrap_or(&config.mark), problem.to_string())
        });
        this.compiler.problems.extend(told);
    }
    Lowered {
        workflow,
        skipped,
        fidelity: this.fidelity,
        asked: this.asked,
        workflows: this.workflows,
    }
}

impl<'a> Lower<'a, '_> {
    /// The jobs of all entries, and those that are left out.
    fn all(&mut self) -> (Vec<JobSpec>, Vec<Skipped>) {
        let (mut jobs, mut skipped) = (Vec::new(), Vec::new());
        let entries = std::mem::take(&mut self.entries);
        for entry in &entries {
            if let Some(why) = &entry.skipped {
                skipped.push(Skipped {
                    workflow: Arc::clone(entry.workflow),
                    name: Arc::clone(entry.name),
                    why: why.clone(),
                });
                continue;
            }
            let needs = self.needs(entry);
            let definition = self.jobs.and_then(|jobs| jobs.get(entry.name));
            let name = self.final_name(entry.workflow, entry.name);
            let made = self.job(entry, &name, definition);
            let of = |(name, _): &&mut (Arc<str>, _)| name == entry.workflow;
            if let Some((_, jobs)) = self.workflows.iter_mut().find(of) {
                jobs.extend(made.iter().map(|job| Arc::clone(&job.name)));
            }
            let place = |job: &JobSpec| (Arc::clone(&job.name), entry.node.mark.clone());
            self.places.extend(made.iter().map(place));
            jobs.extend(made.into_iter().map(|job| job.needs_all(needs.clone())));
        }
        (jobs, skipped)
    }

    fn final_name(&self, workflow: &str, name: &str) -> String {
        if self.seen.get(name).copied().unwrap_or(0) > 1 {
            format!("{workflow}/{name}")
        } else {
            name.to_owned()
        }
    }

    /// What an entry waits for: all nodes of the jobs it requires.
    fn needs(&mut self, entry: &Entry<'a>) -> Vec<Need> {
        let mut needs = Vec::new();
        for (name, status) in required(entry) {
            if !self.invoked.contains(&(&**entry.workflow, &*name)) {
                let message = format!("`requires` names `{name}`, which is no job of the workflow");
                let known = self.invoked.iter().map(|(_, name)| *name);
                let meant = closest(&name, known).map(str::to_owned);
                let problem = Problem::error(&entry.node.mark, message);
                let problem = problem.did_you_mean(meant.as_deref());
                self.compiler.problems.push(problem);
            }
            // What is filtered out counts as if it were not required.
            if !self.running.contains(&(&**entry.workflow, &*name)) {
                continue;
            }
            let accept = match status {
                Some(status) => accepted(status, &mut self.compiler),
                None => OutcomeSet::SUCCESS,
            };
            let job = self.jobs.and_then(|jobs| jobs.get(&name));
            let total = job.map_or(1, nodes);
            let name = self.final_name(entry.workflow, &name);
            needs.extend((0..total).map(|index| {
                let mut need = Need::success(node_name(&name, index, total));
                need.accept = accept;
                need
            }));
        }
        needs
    }
}

/// The job that a problem is one of.
fn job_of(problem: &workflow::Problem) -> Option<&str> {
    match problem {
        workflow::Problem::Cycle(jobs) => jobs.first().map(String::as_str),
        workflow::Problem::DuplicateJob(job)
        | workflow::Problem::UnknownJob { job, .. }
        | workflow::Problem::Unreachable { job, .. } => Some(job),
        _ => None,
    }
}

/// A whole number, also as text.
pub(super) fn whole(node: &Node) -> Option<i64> {
    node.as_int().or_else(|| node.as_str()?.parse().ok())
}

/// How many nodes a job runs on.
pub(super) fn nodes(job: &Node) -> i64 {
    let written = job.get("parallelism").and_then(whole);
    written.unwrap_or(1).clamp(1, MOST_NODES)
}

/// The name of a job on one of its nodes.
pub(super) fn node_name(name: &str, index: i64, total: i64) -> String {
    if total > 1 {
        format!("{name} ({}/{total})", index + 1)
    } else {
        name.to_owned()
    }
}

fn of_workflow<'a>(
    workflow: &'a Arc<str>,
    node: &'a Node,
    unscheduled: bool,
    pipeline: &Pipeline,
    compiler: &mut Compiler<'_>,
) -> Vec<Entry<'a>> {
    let list = node.get("jobs").and_then(Node::as_seq).unwrap_or_default();
    let (mut entries, mut invoked) = (Vec::new(), HashSet::new());
    for item in list {
        let (name, given) = match &item.value {
            Value::Str(name) => (name, None),
            Value::Map(map) => match map.iter().next() {
                Some((name, node)) => (name, node.as_map()),
                None => continue,
            },
            _ => continue,
        };
        // A job that is invoked twice with the same arguments is one job.
        if !invoked.insert(name) {
            continue;
        }
        let filters = given.and_then(|given| given.get("filters"));
        let skipped = if unscheduled {
            Some("trigger: the workflow runs on a schedule only".to_owned())
        } else {
            filters::why_not(filters, pipeline, compiler)
        };
        entries.push(Entry {
            workflow,
            name,
            node: item,
            given,
            skipped,
        });
    }
    entries
}

/// Leaves out the jobs all of whose required jobs are left out.
fn drop_orphans(entries: &mut [Entry<'_>]) {
    type Key = (Arc<str>, Arc<str>);
    let key = |entry: &Entry<'_>, name: &Arc<str>| (Arc::clone(entry.workflow), Arc::clone(name));
    // How many of its required jobs may still run, and who waits for a job.
    let mut left: Vec<usize> = Vec::with_capacity(entries.len());
    let mut waiting: HashMap<Key, Vec<usize>> = HashMap::new();
    let mut out: Vec<Key> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let required: HashSet<Arc<str>> = required(entry).map(|(name, _)| name).collect();
        left.push(required.len());
        for name in &required {
            waiting.entry(key(entry, name)).or_default().push(index);
        }
        if entry.skipped.is_some() {
            out.push(key(entry, entry.name));
        }
    }
    while let Some(gone) = out.pop() {
        for index in waiting.remove(&gone).unwrap_or_default() {
            left[index] -= 1;
            let entry = &mut entries[index];
            if left[index] == 0 && entry.skipped.is_none() {
                let required: Vec<Arc<str>> = required(entry).map(|(name, _)| name).collect();
                let names = required.join("`, `");
                let why = format!("dependency: none of the jobs it requires runs (`{names}`)");
                entry.skipped = Some(why);
                out.push((Arc::clone(entry.workflow), Arc::clone(entry.name)));
            }
        }
    }
}

/// The names that an entry requires, with the status of each where one is given.
fn required<'a>(entry: &Entry<'a>) -> impl Iterator<Item = (Arc<str>, Option<&'a Node>)> + use<'a> {
    let requires = entry.given.and_then(|given| given.get("requires"));
    let list = requires.and_then(Node::as_seq).unwrap_or_default();
    list.iter().filter_map(|item| match &item.value {
        Value::Map(map) => map
            .iter()
            .next()
            .map(|(name, status)| (Arc::clone(name), Some(status))),
        _ => Some((item.scalar()?.into(), None)),
    })
}

/// The outcomes that a status of `requires` stands for.
fn accepted(status: &Node, compiler: &mut Compiler<'_>) -> OutcomeSet {
    use OutcomeKind as Kind;
    let list = match status.as_seq() {
        Some(list) => list,
        None => std::slice::from_ref(status),
    };
    let mut kinds = Vec::new();
    for word in list {
        match word.scalar().as_deref() {
            Some("success") => kinds.push(Kind::Success),
            Some("failed") => kinds.extend([
                Kind::Failed,
                Kind::TimedOut,
                Kind::InfrastructureFailure,
                Kind::Interrupted,
            ]),
            Some("canceled") => kinds.push(Kind::Canceled),
            Some("not_run") => kinds.extend([Kind::NotRun, Kind::Skipped]),
            // Nobody is asked who he is here.
            Some("unauthorized") => {}
            Some("terminal") => return OutcomeSet::ANY,
            other => {
                let message = format!("`{}` is no status", other.unwrap_or_default());
                let known = [
                    "success",
                    "failed",
                    "canceled",
                    "not_run",
                    "unauthorized",
                    "terminal",
                ];
                let meant = other.and_then(|other| closest(other, known));
                let problem = Problem::error(&word.mark, message).did_you_mean(meant);
                compiler.problems.push(problem);
            }
        }
    }
    OutcomeSet::of(&kinds)
}
