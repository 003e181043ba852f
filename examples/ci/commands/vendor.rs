//! `ci compile`, `ci validate` and `ci explain`: what a vendor's file means here.

use serde_json::json;

use crate::args::{Format, Global, WorkflowArgs};
use crate::failure::Failure;
use crate::origin::{self, Vendor};
use crate::{open, output};

/// Prints a file as the vendor compiles it.
pub(crate) fn compile(global: &Global, args: &WorkflowArgs) -> Result<u8, Failure> {
    let located = origin::locate(args)?;
    let facts = open::facts(args, &located.dir)?;
    let settings = open::settings(args.settings.as_deref(), &located.dir)?;
    let (config, warnings) = match located.vendor {
        Some(Vendor::CircleCi) => {
            let options = origin::setup(args, &located.file, &located.dir)
                .options(&origin::of_push(args, &facts));
            let compiled = origin::circleci(&located.file, &options)?;
            (compiled.config, compiled.warnings)
        }
        Some(Vendor::GitLab) => {
            let compiled = origin::gitlab(args, &located.file, &facts, (&located.dir, &settings))?;
            (compiled.merged().clone(), compiled.warnings().to_vec())
        }
        None => {
            let message = format!("`{}` is no file of a vendor", located.file.display());
            return Err(Failure::input(message).hint("`ci graph` shows the jobs of a workflow"));
        }
    };
    for warning in &warnings {
        output::say(warning.to_string());
    }
    if global.format == Format::Json {
        output::line(serde_json::to_string_pretty(&config)?)?;
    } else {
        output::print(&config.to_yaml())?;
    }
    Ok(0)
}

/// Says everything that is wrong with a file.
pub(crate) fn validate(global: &Global, args: &WorkflowArgs) -> Result<u8, Failure> {
    let project = open::project(args, &[])?;
    for warning in &project.origin.warnings {
        output::say(warning.to_string());
    }
    let (workflow, notes) = project.settings.apply(project.workflow);
    for note in &notes {
        output::say(note.to_string());
    }
    workflow
        .plan(&project.facts)
        .map_err(|error| project.origin.invalid(&error))?;
    if global.format == Format::Json {
        output::json(&json!({ "valid": true, "jobs": workflow.jobs.len() }))?;
    } else {
        output::say(format!("{} jobs, nothing wrong", workflow.jobs.len()));
    }
    Ok(0)
}

/// Says what is not the same here as on the vendor's machines.
pub(crate) fn explain(global: &Global, args: &WorkflowArgs) -> Result<u8, Failure> {
    let project = open::project(args, &[])?;
    let rows = project.origin.fidelity.rows();
    if global.format == Format::Json {
        output::json(&json!({ "total": rows.len(), "data": rows }))?;
        return Ok(0);
    }
    for row in rows {
        output::line(row.to_string())?;
    }
    if rows.is_empty() {
        output::say("everything means here what it means at the vendor's");
    }
    Ok(0)
}
