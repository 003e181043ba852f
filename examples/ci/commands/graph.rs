//! `ci graph`, `ci list` and `ci schema`: what a workflow is, without running it.

use std::sync::Arc;

use ci_core::graph::render;
use ci_core::job::{AllowFailure, JobSpec, Start};
use ci_core::settings::Settings;
use ci_core::workflow::WorkflowSpec;
use serde_json::json;

use crate::args::{Drawing, Format, Global, GraphArgs, SchemaArgs, SchemaOf, WorkflowArgs};
use crate::failure::Failure;
use crate::{open, output};

/// Draws the jobs.
pub(crate) fn graph(args: &GraphArgs) -> Result<u8, Failure> {
    let project = open::project(&args.workflow)?;
    let (workflow, _) = project.settings.apply(project.workflow);
    let plan = workflow
        .plan(&project.facts)
        .map_err(|error| Failure::input(error.to_string()))?;
    output::print(&match args.drawing {
        Drawing::Dot => render::dot(&plan),
        Drawing::Mermaid => render::mermaid(&plan),
        Drawing::Svg => render::svg(&plan),
    })?;
    Ok(0)
}

/// Lists the jobs, where each would run, and why others would not.
pub(crate) fn list(global: &Global, args: &WorkflowArgs) -> Result<u8, Failure> {
    let project = open::project(args)?;
    let (workflow, notes) = project.settings.apply(project.workflow);
    let plan = workflow
        .plan(&project.facts)
        .map_err(|error| Failure::input(error.to_string()))?;
    for note in &notes {
        output::say(note.to_string());
    }
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
        let chosen = project.chosen.iter().filter(|it| {
            let name = job.name.strip_prefix(&*it.job);
            name.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ':']))
        });
        let why = chosen.max_by_key(|it| it.job.len());
        let why = why.filter(|it| it.executor == executor);
        listed.push((job, executor, why.map(|it| &*it.why)));
    }
    let out = plan
        .skipped
        .iter()
        .map(|(id, why)| (&plan.job(*id).name, &**why));
    let filtered = project.skipped.iter().map(|(name, why)| (name, &**why));
    let skipped: Vec<(&Arc<str>, &str)> = filtered.chain(out).collect();
    if global.format == Format::Json {
        let why = if listed.is_empty() {
            "no job runs"
        } else {
            "it is asked for"
        };
        let jobs: Vec<_> = listed
            .iter()
            .map(|(job, executor, why)| document(job, executor, *why))
            .collect();
        let skipped: Vec<_> = skipped
            .iter()
            .map(|(name, why)| json!({ "name": name, "why": why }))
            .collect();
        output::json(&json!({ "workflows": [{
            "name": workflow.name,
            "runs": !jobs.is_empty(),
            "why": why,
            "jobs": jobs,
            "skipped": skipped,
        }] }))?;
    } else {
        let mut table = vec![["JOB", "EXECUTOR", "NEEDS", ""].map(str::to_owned).to_vec()];
        table.extend(listed.iter().map(|(job, executor, why)| {
            let needs: Vec<&str> = job.needs.iter().map(|need| &*need.job).collect();
            vec![
                job.name.to_string(),
                executor.clone(),
                needs.join(", "),
                why.unwrap_or_default().to_owned(),
            ]
        }));
        table.extend(skipped.iter().map(|(name, why)| {
            let why = format!("skipped: {why}");
            vec![name.to_string(), String::new(), String::new(), why]
        }));
        output::print(&output::table(&table))?;
    }
    if problems.is_empty() {
        Ok(0)
    } else {
        Err(Failure::input(problems.join("\n")))
    }
}

/// A job of a listing.
fn document(job: &JobSpec, executor: &str, why: Option<&str>) -> serde_json::Value {
    let needs: Vec<&str> = job.needs.iter().map(|need| &*need.job).collect();
    let when = match (&job.options.start, job.options.always) {
        (Start::Manual { .. }, _) => "manual",
        (Start::Delayed(_), _) => "delayed",
        (_, true) => "always",
        _ => "on_success",
    };
    json!({
        "name": job.name,
        "stage": job.options.stage,
        "needs": needs,
        "when": when,
        "allow_failure": job.options.allow_failure != AllowFailure::Never,
        "executor": executor,
        "executor_why": why,
    })
}

/// The schema of the settings file, with the options of the executors of this program.
fn settings_schema() -> serde_json::Value {
    let mut schema = Settings::json_schema();
    let mut docker = ci_docker::DockerOptions::json_schema();
    let inner = docker
        .as_object_mut()
        .and_then(|docker| docker.remove("$defs"));
    let Some(all) = schema
        .get_mut("$defs")
        .and_then(serde_json::Value::as_object_mut)
    else {
        return schema;
    };
    if let Some(serde_json::Value::Object(inner)) = inner {
        all.extend(inner);
    }
    all.insert("DockerOptions".to_owned(), docker);
    if let Some(serde_json::Value::Object(executor)) = all.get_mut("ExecutorSettings") {
        let is_docker = json!({ "properties": { "type": { "const": "docker" } } });
        let options = json!({ "properties": { "options": { "$ref": "#/$defs/DockerOptions" } } });
        executor.insert("if".to_owned(), is_docker);
        executor.insert("then".to_owned(), options);
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
