//! What can be asked: the tools and their arguments.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

/// The tools that only read.
pub(super) fn reading() -> Vec<Tool> {
    let run = || {
        (
            "run",
            json!({"type": "string", "description": "A run's id, the beginning of one, or `last`, which is the default."}),
        )
    };
    let job = |what: &str| ("job", json!({"type": "string", "description": what}));
    let number = |name: &'static str, what: &str, default: u64| {
        (
            name,
            json!({"type": "integer", "minimum": 0, "default": default, "description": what}),
        )
    };
    let tools = [
        tool(
            "list_runs",
            "Lists runs of workflows, newest first, with how they ended.",
            &[],
            vec![
                (
                    "workflow",
                    json!({"type": "string", "description": "Only runs of this workflow."}),
                ),
                (
                    "branch",
                    json!({"type": "string", "description": "Only runs for this branch."}),
                ),
                number("limit", "How many at most, up to 100.", 20),
                number("offset", "How many to pass over.", 0),
            ],
        ),
        tool(
            "what_failed",
            "Says what failed in a run: jobs, steps with their first failing lines, tests, and what changed since the last success.",
            &[],
            vec![
                run(),
                (
                    "branch",
                    json!({"type": "string", "description": "The newest run for this branch instead."}),
                ),
                number(
                    "lines",
                    "How many lines of output of each failed step, up to 200.",
                    12,
                ),
            ],
        ),
        tool(
            "show_run",
            "Shows how a run and each of its jobs went.",
            &[],
            vec![run()],
        ),
        tool(
            "failed_tests",
            "Lists the tests of a run that failed, with their messages.",
            &[],
            vec![run(), job("Only those of this job.")],
        ),
        tool(
            "read_log",
            "Reads a range of lines of what a job printed.",
            &["job"],
            vec![
                run(),
                job("The job."),
                (
                    "step",
                    json!({"type": "integer", "minimum": 0, "description": "Only this step, counted from 0."}),
                ),
                (
                    "attempt",
                    json!({"type": "integer", "minimum": 1, "description": "This attempt; the last by default."}),
                ),
                (
                    "from",
                    json!({"type": "integer", "description": "The first line, counted from 1; below zero from the end, as -50 for the last 50.", "default": -200}),
                ),
                number("lines", "How many lines, up to 1000.", 200),
            ],
        ),
        tool(
            "list_artifacts",
            "Lists the files that jobs of a run kept.",
            &[],
            vec![run(), job("Only those of this job.")],
        ),
    ];
    let reads = |tool: Tool| {
        let hints =
            ToolAnnotations::from_raw(None, Some(true), Some(false), Some(true), Some(false));
        tool.with_annotations(hints)
    };
    tools.into_iter().map(reads).collect()
}

/// The tools that change something.
pub(super) fn writing() -> Vec<Tool> {
    let run = || {
        (
            "run",
            json!({"type": "string", "description": "A run's id, the beginning of one, or `last`."}),
        )
    };
    let tools = [
        tool(
            "cancel",
            "Asks a run, or one job of it, to stop.",
            &["run"],
            vec![
                run(),
                (
                    "job",
                    json!({"type": "string", "description": "Only this job."}),
                ),
            ],
        ),
        tool(
            "approve",
            "Decides about a job that waits for an approval.",
            &["run", "job"],
            vec![
                run(),
                (
                    "job",
                    json!({"type": "string", "description": "The job that waits."}),
                ),
                (
                    "approved",
                    json!({"type": "boolean", "default": true, "description": "Whether it may go on."}),
                ),
            ],
        ),
        tool(
            "rerun",
            "Starts a run again in a process of its own.",
            &["run"],
            vec![
                run(),
                (
                    "from_failed",
                    json!({"type": "boolean", "default": true, "description": "Whether what succeeded is reused."}),
                ),
            ],
        ),
    ];
    let writes = |tool: Tool| {
        let hints =
            ToolAnnotations::from_raw(None, Some(false), Some(true), Some(false), Some(false));
        tool.with_annotations(hints)
    };
    tools.into_iter().map(writes).collect()
}

fn tool(
    name: &'static str,
    what: &'static str,
    required: &[&str],
    properties: Vec<(&str, Value)>,
) -> Tool {
    let properties: JsonObject = properties
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    let mut schema = JsonObject::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), Value::Object(properties));
    schema.insert("required".into(), json!(required));
    schema.insert("additionalProperties".into(), false.into());
    Tool::new(name, what, Arc::new(schema))
}
