//! `ci graph`, `ci list` and `ci schema`: what a workflow is, without running it.

use ci_core::graph::render;
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

/// Lists the jobs and where each would run.
pub(crate) fn list(global: &Global, args: &WorkflowArgs) -> Result<u8, Failure> {
    let project = open::project(args)?;
    let (workflow, notes) = project.settings.apply(project.workflow);
    let plan = workflow
        .plan(&project.facts)
        .map_err(|error| Failure::input(error.to_string()))?;
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    for id in plan.dag.jobs() {
        let job = plan.job(id);
        let needs: Vec<&str> = job.needs.iter().map(|need| &*need.job).collect();
        let place = match project.settings.place(job) {
            Ok(place) => place.executor,
            Err(error) => {
                problems.push(error.to_string());
                "?".to_owned()
            }
        };
        rows.push((
            job.name.to_string(),
            needs.join(", "),
            place,
            plan.skipped.get(&id).cloned(),
        ));
    }
    for note in &notes {
        output::say(note.to_string());
    }
    if global.format == Format::Json {
        let data: Vec<_> = rows
            .iter()
            .map(|(name, needs, place, skipped)| {
                json!({ "name": name, "needs": needs, "executor": place, "skipped": skipped })
            })
            .collect();
        output::json(&json!({ "total": data.len(), "data": data }))?;
    } else {
        let mut table = vec![vec![
            "JOB".into(),
            "EXECUTOR".into(),
            "NEEDS".into(),
            String::new(),
        ]];
        table.extend(rows.into_iter().map(|(name, needs, place, skipped)| {
            let skipped = skipped.map_or_else(String::new, |why| format!("skipped: {why}"));
            vec![name, place, needs, skipped]
        }));
        output::print(&output::table(&table))?;
    }
    if problems.is_empty() {
        Ok(0)
    } else {
        Err(Failure::input(problems.join("\n")))
    }
}

/// Prints a JSON schema.
pub(crate) fn schema(args: &SchemaArgs) -> Result<u8, Failure> {
    let schema = match args.of {
        SchemaOf::Workflow => WorkflowSpec::json_schema(),
        SchemaOf::Settings => Settings::json_schema(),
        SchemaOf::Events => serde_json::from_str(&ci_core::event::event_schema())?,
    };
    output::line(serde_json::to_string_pretty(&schema)?)?;
    Ok(0)
}
