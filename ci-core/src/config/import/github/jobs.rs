//! Jobs of a workflow.

use super::super::pipeline::{Action, Job, Pipeline, Service, Step};
use super::super::text::{Piece, Text};
use super::steps::{self, Defaults};
use super::workflow::{environment, texts, unknown};
use super::{convert, matrix};
use crate::yaml::{Entry, Map, Node};

/// The image of jobs that run on a Linux machine of GitHub.
const BASE: &str = "buildpack-deps:noble";

/// Reads a job and puts it into the pipeline.
pub(super) fn read(id: &str, entry: &Entry, defaults: Option<&Node>, pipeline: &mut Pipeline) {
    let mut job = Job::new(id, BASE);
    let Some(map) = entry.node.as_map() else {
        pipeline.note(
            &entry.key,
            format!("the job `{id}`, which is no map"),
            "write its keys",
        );
        return;
    };
    let mut own_defaults = None;
    for (key, entry) in map.entries() {
        let (node, mark) = (&entry.node, &entry.key);
        match &**key {
            "name" | "steps" | "runs-on" => {}
            "needs" => job.needs = words(node),
            "env" => job.env = environment(node, pipeline),
            "if" => condition(&mut job, node, pipeline),
            "strategy" => strategy(&mut job, node, pipeline),
            "container" => container(&mut job, node, pipeline),
            "services" => services(&mut job, node, pipeline),
            "timeout-minutes" => job.timeout_minutes = node.as_int(),
            "continue-on-error" => match node.as_bool() {
                Some(allowed) => job.allow_failure = allowed,
                None => pipeline.note(
                    mark,
                    "`continue-on-error` that is computed",
                    "write `true` or `false`",
                ),
            },
            "defaults" => own_defaults = Some(node),
            other => unknown(pipeline, mark, other),
        }
    }
    // The matrix is known now.
    if let Some(node) = map.get("runs-on") {
        runs_on(&mut job, node, pipeline);
    }
    let defaults = Defaults::of(defaults, own_defaults);
    if let Some(nodes) = map.get("steps").and_then(Node::as_seq) {
        steps::read(&mut job, nodes, &defaults, pipeline);
    } else {
        let what = map.get("uses").and_then(Node::as_str).unwrap_or("no steps");
        let what = format!("the job `{id}` uses `{what}`");
        pipeline.note(
            &entry.key,
            &*what,
            "convert the workflow that it uses, and write its jobs here",
        );
        job.steps.push(Step::new(
            "Not converted",
            &entry.key,
            Action::Placeholder { what },
        ));
    }
    no_parameters(&mut job, map);
    pipeline.jobs.push(job);
}

/// What the matrix does not have is empty at GitHub; of a matrix that is computed nobody knows.
fn no_parameters(job: &mut Job, map: &Map) {
    let matrix = map.get("strategy").and_then(|it| it.get("matrix"));
    let is_computed = |name: &str| {
        matrix.is_some_and(|it| match it.as_map() {
            Some(axes) => axes
                .get(name)
                .or_else(|| axes.get("include"))
                .is_some_and(|it| it.as_seq().is_none()),
            None => true,
        })
    };
    let known: Vec<String> = job
        .matrix
        .iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect();
    job.change_texts(&|text: &mut Text| {
        for piece in &mut text.0 {
            if let Piece::Matrix(name) = piece
                && !known.contains(name)
            {
                *piece = if is_computed(name) {
                    Piece::Env(convert::UNKNOWN.into())
                } else {
                    Piece::Plain(String::new())
                };
            }
        }
    });
}

fn words(node: &Node) -> Vec<String> {
    if let Some(word) = node.as_str() {
        return vec![word.to_owned()];
    }
    let words = node.as_seq().unwrap_or_default().iter();
    words
        .filter_map(|it| it.as_str().map(str::to_owned))
        .collect()
}

fn condition(job: &mut Job, node: &Node, pipeline: &mut Pipeline) {
    let source = node.scalar().unwrap_or_default();
    if let Some(condition) = convert::condition(&source) {
        job.guard = condition.guard;
        job.when = condition.when;
    } else {
        let message = format!("`if: {source}` of the job `{}`", job.name);
        let hint = "no condition of a shell says the same: the job always runs; write a filter (CircleCI) or rules (GitLab)";
        pipeline.note(&node.mark, message, hint);
    }
}

fn strategy(job: &mut Job, node: &Node, pipeline: &mut Pipeline) {
    for (key, entry) in node.as_map().into_iter().flat_map(Map::entries) {
        match &**key {
            "matrix" => job.matrix = matrix::read(&entry.node, pipeline),
            // What others do: the rest goes on.
            "fail-fast" if entry.node.as_bool() == Some(false) => {}
            "fail-fast" | "max-parallel" => {
                let hint = "jobs of a matrix go on when one fails; `ci run --slots N` and `groups` of `.ci/settings.yml` limit how many run at once";
                pipeline.note(&entry.key, format!("`strategy.{key}`"), hint);
            }
            other => unknown(pipeline, &entry.key, other),
        }
    }
}

fn is_linux(runner: &str) -> bool {
    let runner = runner.to_ascii_lowercase();
    !["windows", "macos", "mac-", "win-"]
        .iter()
        .any(|other| runner.starts_with(other))
}

/// Only Linux jobs are converted: of a matrix the others go.
fn runs_on(job: &mut Job, node: &Node, pipeline: &mut Pipeline) {
    for runner in words(node) {
        let converted = convert::text(&runner).text;
        match converted.0.as_slice() {
            [Piece::Matrix(name)] => {
                let of = |values: &Vec<(String, String)>| {
                    values
                        .iter()
                        .find(|(it, _)| it == name)
                        .map(|(_, value)| value.clone())
                };
                let mut gone: Vec<String> = job
                    .matrix
                    .iter()
                    .filter_map(of)
                    .filter(|it| !is_linux(it))
                    .collect();
                gone.dedup();
                let all = job.matrix.len();
                job.matrix
                    .retain(|values| of(values).is_none_or(|it| is_linux(&it)));
                for runner in gone {
                    other_system(pipeline, node, &job.name, &runner);
                }
                if job.matrix.is_empty() && all > 0 {
                    job.guard = Some("false".into());
                }
            }
            _ if is_linux(&runner) => {}
            _ => {
                other_system(pipeline, node, &job.name, &runner);
                job.guard = Some("false".into());
            }
        }
    }
}

fn other_system(pipeline: &mut Pipeline, node: &Node, job: &str, runner: &str) {
    let message = format!("the job `{job}` on `{runner}`");
    let hint = "only Linux jobs are converted: CircleCI has `macos` and Windows executors, GitLab runners with tags";
    pipeline.note(&node.mark, message, hint);
}

fn container(job: &mut Job, node: &Node, pipeline: &mut Pipeline) {
    let image = node.as_str().map(|_| node).or_else(|| node.get("image"));
    if let Some(image) = image {
        let source = image.scalar().unwrap_or_default();
        job.image = texts(&source, &image.mark, pipeline);
    }
    for (key, entry) in node.as_map().into_iter().flat_map(Map::entries) {
        match &**key {
            "image" => {}
            "env" => {
                let env = environment(&entry.node, pipeline);
                job.env.extend(env);
            }
            other => {
                let hint = "`options` of the executor in `.ci/settings.yml` have volumes and limits; logins are set up where the image is pulled";
                pipeline.note(&entry.key, format!("`container.{other}`"), hint);
            }
        }
    }
}

fn services(job: &mut Job, node: &Node, pipeline: &mut Pipeline) {
    for (name, entry) in node.as_map().into_iter().flat_map(Map::entries) {
        let mut service = Service {
            name: name.to_string(),
            image: Text::default(),
            env: Vec::new(),
        };
        for (key, part) in entry.node.as_map().into_iter().flat_map(Map::entries) {
            let source = part.node.scalar().unwrap_or_default();
            match &**key {
                "image" => service.image = texts(&source, &part.node.mark, pipeline),
                "env" => service.env = environment(&part.node, pipeline),
                "ports" => {
                    let hint = format!(
                        "jobs reach the service as `{name}` at the port inside its container, not at `localhost`"
                    );
                    pipeline.note(&part.key, format!("`ports` of the service `{name}`"), hint);
                }
                "options" => {
                    let hint = "wait for the service in a step before it is used";
                    pipeline.note(
                        &part.key,
                        format!("`options` of the service `{name}`"),
                        hint,
                    );
                }
                other => {
                    let hint = "set it where services are configured";
                    pipeline.note(
                        &part.key,
                        format!("`{other}` of the service `{name}`"),
                        hint,
                    );
                }
            }
        }
        if service.image.is_empty() {
            pipeline.note(
                &entry.key,
                format!("the service `{name}` without an image"),
                "name its image",
            );
        } else {
            job.services.push(service);
        }
    }
}
