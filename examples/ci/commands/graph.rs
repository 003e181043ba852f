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
        .map_err(|error| project.origin.invalid(&error))?;
    output::print(&match args.drawing {
