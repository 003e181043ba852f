//! `ci graph`, `ci list` and `ci schema`: what a workflow is, without running it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ci_core::graph::render;
use ci_core::job::{AllowFailure, JobSpec, Start};
use ci_core::settings::{Chosen, Settings};
use ci_core::workflow::{Plan, WorkflowSpec};
use serde_json::json;

use crate::args::{Drawing, Format, Global, GraphArgs, SchemaArgs, SchemaOf, WorkflowArgs};
use crate::failure::Failure;
use crate::{open, output};

/// Draws the jobs.
pub(crate) fn graph(global: &Global, args: &GraphArgs) -> Result<u8, Failure> {
    let as_data = global.format == Format::Json;
    if as_data && args.drawing.is_some() {
        return Err(Failure::input("a drawing is no JSON")
            .hint("leave out `--as`, or leave out `--format json`"));
    }
    let project = open::project(&args.workflow, &[])?;
    let (workflow, _) = project.settings.apply(project.workflow);
    let plan = workflow
        .plan(&project.facts)
        .map_err(|error| project.origin.invalid(&error))?;
    if as_data {
        output::json(&data(&plan))?;
        return Ok(0);
    }
    output::print(&match args.drawing.unwrap_or(Drawing::Dot) {
        Drawing::Dot => render::dot(&plan),
        Drawing::Mermaid => render::mermaid(&plan),
        Drawing::Svg => render::svg(&plan),
    })?;
    Ok(0)
}

/// The graph as data: the jobs in the order of the plan, and who waits for whom.
fn data(plan: &Plan) -> serde_json::Value {
    let nodes = plan.dag.jobs().map(|id| {
        let job = plan.job(id);
        json!({
            "name": job.name,
            "stage": job.options.stage,
            "when": when(job),
            "skipped": plan.skipped.get(&id),
        })
    });
    let edges = plan.dag.jobs().flat_map(|from| {
        plan.dag.edges(from).iter().map(move |edge| {
            json!({
                "from": plan.job(from).name,
                "to": plan.job(edge.to).name,
                "accept": edge.accept,
            })
        })
    });
    json!({
        "workflow": plan.workflow,
        "nodes": nodes.collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
    })
}

/// Lists the jobs, where each would run, and why others would not.
pub(crate) fn list(global: &Global, args: &WorkflowArgs) -> Result<u8, Failure> {
    let project = open::project(args, &[])?;
    let (workflow, notes) = project.settings.apply(project.workflow);
    let plan = workflow
        .plan(&project.facts)
        .map_err(|error| project.origin.invalid(&error))?;
    for note in &notes {
        output::say(note.to_string());
    }
    let chosen: HashMap<&str, &Chosen> = project.chosen.iter().map(|it| (&*it.job, it)).collect();
    let (mut listed, mut problems) = (Vec::new(), Vec::new());
    for id in plan.dag.jobs().filter(|id| !plan.skipped.contains_key(id)) {
        let job = plan.job(id);
        let executor = match project.settings.place(job) {
            Ok(place) => place.executor,
            Err(error) => {
                problems.push(error.to_string());
                "?".to_owned()
            }
        };
        // A job with a matrix or shards is chosen for before it is spelled out.
        let mut ends = job.name.rmatch_indices([' ', ':']).map(|(at, _)| at);
        let whole = chosen.get(&*job.name);
        let why = whole.or_else(|| ends.find_map(|end| chosen.get(&job.name[..end])));
        let why = why.filter(|it| it.executor == executor);
        listed.push((job, executor, why.map(|it| &*it.why)));
    }
    let out = plan.skipped.iter();
    let out = out.map(|(id, why)| (None, Arc::clone(&plan.job(*id).name), why.to_string()));
    let left = project.origin.skipped.into_iter();
    let left = left.map(|job| (job.workflow, job.name, job.why));
    let listing = Listing {
        name: &workflow.name,
        listed,
        skipped: left.chain(out).collect(),
    };
    if global.format == Format::Json {
        let mut workflows = listing.documents(&project.origin.workflows);
        let dropped = project.origin.dropped.iter();
        // A file without a pipeline is one workflow, and the reason is known.
        if project.origin.workflows.is_empty() && !project.origin.dropped.is_empty() {
            for it in &mut workflows {
                it["why"] = json!(project.origin.dropped[0].1);
            }
        } else {
            workflows.extend(dropped.map(|(name, why)| {
                json!({ "name": name, "runs": false, "why": why, "jobs": [], "skipped": [] })
            }));
        }
        output::json(&json!({ "workflows": workflows }))?;
    } else {
        output::print(&listing.table())?;
        for (name, why) in &project.origin.dropped {
            output::say(format!("the workflow `{name}` does not run: {why}"));
        }
    }
    if problems.is_empty() {
        Ok(0)
    } else {
        Err(Failure::input(problems.join("\n")))
    }
}

/// The jobs of a file: those that run with their executors, and those that do not with their workflow
/// and why.
struct Listing<'a> {
    name: &'a str,
    listed: Vec<(&'a JobSpec, String, Option<&'a str>)>,
    skipped: Vec<(Option<Arc<str>>, Arc<str>, String)>,
}

impl Listing<'_> {
    /// A document for each workflow of the file; one of all jobs where the file has no more.
    fn documents(&self, workflows: &[(Arc<str>, Vec<Arc<str>>)]) -> Vec<serde_json::Value> {
        if workflows.is_empty() {
            return vec![self.document(self.name, |_| true, |_| true)];
        }
        let each = workflows.iter().map(|(name, jobs)| {
            let jobs: HashSet<&str> = jobs.iter().map(AsRef::as_ref).collect();
            let is_here = |of: Option<&str>| of.is_none_or(|of| *of == **name);
            self.document(name, |job| jobs.contains(job), is_here)
        });
        each.collect()
    }

    fn document(
        &self,
        name: &str,
        has: impl Fn(&str) -> bool,
        is_here: impl Fn(Option<&str>) -> bool,
    ) -> serde_json::Value {
        let listed = self.listed.iter().filter(|(job, ..)| has(&job.name));
        let jobs: Vec<_> = listed
            .map(|(job, executor, why)| document(job, executor, *why))
            .collect();
        let left = self.skipped.iter();
        let left =
            left.filter(|(of, name, _)| is_here(of.as_deref()) && (of.is_some() || has(name)));
        let skipped: Vec<_> = left
            .map(|(_, name, why)| json!({ "name": name, "why": why }))
            .collect();
        let why = if jobs.is_empty() {
            "no job runs"
        } else {
            "it is asked for"
        };
        json!({
            "name": name,
            "runs": !jobs.is_empty(),
            "why": why,
            "jobs": jobs,
            "skipped": skipped,
        })
    }

    fn table(&self) -> String {
        let mut table = vec![["JOB", "EXECUTOR", "NEEDS", ""].map(str::to_owned).to_vec()];
        table.extend(self.listed.iter().map(|(job, executor, why)| {
            let needs: Vec<&str> = job.needs.iter().map(|need| &*need.job).collect();
            vec![
                job.name.to_string(),
                executor.clone(),
                needs.join(", "),
                why.unwrap_or_default().to_owned(),
            ]
        }));
        table.extend(self.skipped.iter().map(|(_, name, why)| {
            let why = format!("skipped: {why}");
            vec![name.to_string(), String::new(), String::new(), why]
        }));
        output::table(&table)
    }
}

/// A job of a listing.
fn document(job: &JobSpec, executor: &str, why: Option<&str>) -> serde_json::Value {
    let needs: Vec<&str> = job.needs.iter().map(|need| &*need.job).collect();
    json!({
        "name": job.name,
        "stage": job.options.stage,
        "needs": needs,
        "when": when(job),
        "allow_failure": job.options.allow_failure != AllowFailure::Never,
        "executor": executor,
        "executor_why": why,
    })
}

/// When a job starts, in one word.
fn when(job: &JobSpec) -> &'static str {
    match (&job.options.start, job.options.always) {
        (Start::Manual { .. }, _) => "manual",
        (Start::Delayed(_), _) => "delayed",
        (_, true) => "always",
        _ => "on_success",
    }
}

/// The schema of the settings file, with the options of the executors of this program.
fn settings_schema() -> serde_json::Value {
    let mut schema = Settings::json_schema();
    let docker = ci_docker::DockerOptions::json_schema();
    let swarm = ci_docker::SwarmOptions::json_schema();
    let mut kinds = vec![
        ("docker", "DockerOptions", docker),
        ("swarm", "SwarmOptions", swarm),
    ];
    kinds.extend(crate::aws::schema().map(|schema| (crate::aws::EC2, "Ec2Options", schema)));
    let Some(all) = schema
        .get_mut("$defs")
        .and_then(serde_json::Value::as_object_mut)
    else {
        return schema;
    };
    let mut choices = Vec::new();
    for (kind, name, mut options) in kinds {
        let inner = options
            .as_object_mut()
            .and_then(|options| options.remove("$defs"));
        if let Some(serde_json::Value::Object(inner)) = inner {
            all.extend(inner);
        }
        all.insert(name.to_owned(), options);
        let place = format!("#/$defs/{name}");
        choices.push(json!({
            "if": { "properties": { "type": { "const": kind } } },
            "then": { "properties": { "options": { "$ref": place } } },
        }));
    }
    if let Some(serde_json::Value::Object(executor)) = all.get_mut("ExecutorSettings") {
        executor.insert("allOf".to_owned(), json!(choices));
    }
    schema
}

/// Prints a JSON schema.
pub(crate) fn schema(args: &SchemaArgs) -> Result<u8, Failure> {
    let schema = match args.of {
        SchemaOf::Workflow => WorkflowSpec::json_schema(),
        SchemaOf::Settings => settings_schema(),
        SchemaOf::Events => serde_json::from_str(&ci_core::event::event_schema())?,
    };
    output::line(serde_json::to_string_pretty(&schema)?)?;
    Ok(0)
}
