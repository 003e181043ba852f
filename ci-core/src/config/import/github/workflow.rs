//! A workflow as a whole.

use std::collections::BTreeSet;

use super::super::pipeline::Pipeline;
use super::super::text::{Text, variable};
use super::{convert, jobs, triggers};
use crate::yaml::problem::{ConfigError, Problem, Problems};
use crate::yaml::{Map, Mark, Node, load};

/// Reads a workflow.
pub(in super::super) fn read(text: &str, file: &str) -> Result<Pipeline, ConfigError> {
    let mut problems = Problems::new();
    let documents = load(text, file, &mut problems)?;
    problems.finish()?;
    let Some(root) = documents.first() else {
        return Err(Problem::of_file(file, "the file is empty").into());
    };
    let jobs = root.get("jobs").and_then(Node::as_map);
    let (Some(map), Some(jobs)) = (root.as_map(), jobs) else {
        let problem = Problem::error(
            &root.mark,
            "this is no workflow of GitHub Actions: it has no `jobs`",
        );
        return Err(problem.hint("workflows are in `.github/workflows/`").into());
    };
    if jobs.is_empty() {
        return Err(Problem::error(&root.mark, "the workflow has no job").into());
    }
    let mut pipeline = Pipeline {
        name: name(map),
        ..Pipeline::default()
    };
    secrets(text, file, &mut pipeline);
    let mut defaults = None;
    for (key, entry) in map.entries() {
        match &**key {
            "name" | "jobs" => {}
            "on" => triggers::read(&entry.node, &mut pipeline),
            "env" => pipeline.env = environment(&entry.node, &mut pipeline),
            "defaults" => defaults = Some(&entry.node),
            other => unknown(&mut pipeline, &entry.key, other),
        }
    }
    for (id, entry) in jobs.entries() {
        jobs::read(id, entry, defaults, &mut pipeline);
    }
    Ok(pipeline)
}

fn name(map: &Map) -> String {
    let name = map.get("name").and_then(Node::as_str).unwrap_or_default();
    let fitting = name.chars().map(|it| {
        if it.is_ascii_alphanumeric() || matches!(it, '-' | '_') {
            it.to_ascii_lowercase()
        } else {
            '-'
        }
    });
    let fitting: String = fitting.collect();
    fitting.trim_matches('-').to_owned()
}

/// A key of a workflow or a job that is not converted.
pub(super) fn unknown(pipeline: &mut Pipeline, mark: &Mark, key: &str) {
    let hint = match key {
        "permissions" => "tokens of CircleCI and GitLab have the rights that they were made with",
        "concurrency" => {
            "`groups` of the job in `.ci/settings.yml`, GitLab's `resource_group`, or `ci run --supersede`"
        }
        "run-name" => "pipelines have no name of their own",
        "outputs" => {
            "write the value to a file and hand it on: a workspace of CircleCI, a dotenv report of GitLab"
        }
        "environment" => "GitLab has `environment`; with CircleCI a context holds the variables",
        "secrets" | "with" | "uses" => {
            "a workflow that is used from elsewhere has to be converted by itself"
        }
        _ => "nothing of CircleCI or GitLab is the same",
    };
    pipeline.note(mark, format!("`{key}`"), hint);
}

/// Secrets are not in files: whoever runs the pipeline sets them.
fn secrets(text: &str, file: &str, pipeline: &mut Pipeline) {
    let mut known = BTreeSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        for (at, _) in line.match_indices("secrets.") {
            let rest = &line[at + "secrets.".len()..];
            let end = rest.find(|it: char| !(it.is_ascii_alphanumeric() || it == '_'));
            let name = &rest[..end.unwrap_or(rest.len())];
            if !name.is_empty() && known.insert(name.to_owned()) {
                let mark = Mark::new(file, number, 1);
                let hint = "set the variable in a context (CircleCI), in the project's variables (GitLab), or here with `--context FILE`";
                pipeline.note(&mark, format!("the secret `{name}`"), hint);
            }
        }
    }
}

/// Variables.
pub(super) fn environment(env: &Node, pipeline: &mut Pipeline) -> Vec<(String, Text)> {
    let Some(map) = env.as_map() else {
        pipeline.note(
            &env.mark,
            "`env` that is computed",
            "write its variables out",
        );
        return Vec::new();
    };
    let one = |(name, entry): (&std::sync::Arc<str>, &crate::yaml::Entry)| {
        let value = entry.node.scalar().unwrap_or_default();
        (variable(name), texts(&value, &entry.node.mark, pipeline))
    };
    map.entries().map(one).collect()
}

/// A text with its expressions; those that nothing stands for are noted.
pub(super) fn texts(source: &str, mark: &Mark, pipeline: &mut Pipeline) -> Text {
    let converted = convert::text(source);
    for expression in converted.left {
        let hint = if expression.starts_with("steps.") || expression.starts_with("needs.") {
            "write the value to a file in the workspace and read it where it is needed; `${NOT_CONVERTED}` stands in its place"
        } else {
            "`${NOT_CONVERTED}` stands in its place: put a variable or a value there"
        };
        pipeline.note(mark, format!("the expression `{expression}`"), hint);
    }
    for expression in converted.in_quotes {
        let hint =
            "it stands between single quotes, where a shell puts no variable in: use double quotes";
        pipeline.note(mark, format!("the expression `{expression}`"), hint);
    }
    converted.text
}
