//! Steps of a job.

use super::super::pipeline::{Action, Job, Pipeline, Run, Step, When};
use super::super::text::Text;
use super::workflow::{environment, texts};
use super::{actions, convert};
use crate::yaml::{Map, Node};

/// `defaults.run` of the workflow and the job.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    shell: Option<String>,
    dir: Option<String>,
}

impl Defaults {
    /// The job's own win.
    pub(super) fn of(workflow: Option<&Node>, job: Option<&Node>) -> Self {
        let find = |key: &str| {
            let all = [job, workflow].into_iter().flatten();
            let mut found = all.filter_map(|node| node.get("run")?.get(key)?.as_str());
            found.next().map(str::to_owned)
        };
        Self {
            shell: find("shell"),
            dir: find("working-directory"),
        }
    }
}

/// What the steps of a job leave for its end.
#[derive(Debug, Default)]
pub(super) struct Later {
    pub(super) steps: Vec<Step>,
}

/// Files by which steps of GitHub talk to it.
const FILES: [(&str, &str); 4] = [
    (
        "GITHUB_ENV",
        "variables for later steps: write `export NAME=value` to `$BASH_ENV` (CircleCI), or to a file that they read",
    ),
    (
        "GITHUB_PATH",
        "directories for later steps: write `export PATH=DIR:$PATH` to `$BASH_ENV` (CircleCI)",
    ),
    (
        "GITHUB_OUTPUT",
        "values for later steps: write them to files that those read",
    ),
    (
        "GITHUB_STEP_SUMMARY",
        "write the summary to a file and keep it as an artifact",
    ),
];

/// Reads the steps of a job.
pub(super) fn read(job: &mut Job, nodes: &[Node], defaults: &Defaults, pipeline: &mut Pipeline) {
    let mut later = Later::default();
    for node in nodes {
        let Some(map) = node.as_map() else {
            pipeline.note(&node.mark, "a step that is no map", "write `run` or `uses`");
            let what = "a step that is no map".to_owned();
            job.steps.push(Step::new(
                "Not converted",
                &node.mark,
                Action::Placeholder { what },
            ));
            continue;
        };
        if let Some(run) = map.get("run") {
            let step = command(map, run, defaults, pipeline);
            job.steps.push(step);
        } else {
            uses(job, node, map, &mut later, pipeline);
        }
    }
    job.steps.extend(later.steps);
}

/// The name of a step; what it does in a few words where it has none.
fn name(map: &Map, what: &str, pipeline: &mut Pipeline) -> String {
    let Some(node) = map.get("name") else {
        let line = what.lines().map(str::trim).find(|line| !line.is_empty());
        return line.unwrap_or("step").chars().take(60).collect();
    };
    let source = node.scalar().unwrap_or_default();
    // A name is no shell: only values of the matrix mean something in it.
    let text = texts(&source, &node.mark, pipeline);
    let plain = text.0.iter().map(|piece| match piece {
        super::super::text::Piece::Plain(text) => text.clone(),
        super::super::text::Piece::Matrix(name) => format!("({name})"),
        _ => String::new(),
    });
    plain.collect()
}

fn command(map: &Map, run: &Node, defaults: &Defaults, pipeline: &mut Pipeline) -> Step {
    let source = run.scalar().unwrap_or_default();
    let mut script = Text::default();
    for (file, hint) in FILES {
        if source.contains(file) {
            script.push(&format!("export {file}=/dev/null\n"));
            pipeline.note(&run.mark, format!("the file `${file}`"), hint);
        }
    }
    script.append(texts(source.trim_end(), &run.mark, pipeline));
    let mut it = Run {
        script,
        shell: defaults.shell.clone(),
        dir: defaults
            .dir
            .as_deref()
            .map(|dir| texts(dir, &run.mark, pipeline)),
        ..Run::default()
    };
    let name = name(map, &source, pipeline);
    let mut when = When::Success;
    for (key, entry) in map.entries() {
        let node = &entry.node;
        let text = node.scalar().unwrap_or_default();
        match &**key {
            "run" | "name" | "id" => {}
            "env" => it.env = environment(node, pipeline),
            "shell" => it.shell = Some(text.into_owned()),
            "working-directory" => it.dir = Some(texts(&text, &node.mark, pipeline)),
            "if" => match convert::condition(&text) {
                Some(condition) => (when, it.guard) = (condition.when, condition.guard),
                None => lost_condition(&text, node, pipeline),
            },
            "continue-on-error" if node.as_bool() == Some(true) => it.ignore_failure = true,
            "continue-on-error" if node.as_bool() == Some(false) => {}
            other => lost_key(other, entry, pipeline),
        }
    }
    it.shell = it
        .shell
        .and_then(|shell| self::shell(&shell, run, pipeline));
    let mut step = Step::new(name, &run.mark, Action::Run(it));
    step.when = when;
    step
}

/// A shell as CircleCI names it; `None` for the usual one.
fn shell(shell: &str, node: &Node, pipeline: &mut Pipeline) -> Option<String> {
    match shell {
        "bash" => None,
        "sh" => Some("sh -e".into()),
        "python" | "python3" => Some("python3".into()),
        other if other.contains("bash") => None,
        other => {
            pipeline.note(
                &node.mark,
                format!("`shell: {other}`"),
                "install it in the image: the command is given to it",
            );
            Some(other.replace("{0}", "").trim().to_owned())
        }
    }
}

fn lost_condition(source: &str, node: &Node, pipeline: &mut Pipeline) {
    let hint =
        "no condition of a shell says the same: the step always runs; test for it in the command";
    pipeline.note(&node.mark, format!("`if: {source}`"), hint);
}

fn lost_key(key: &str, entry: &crate::yaml::Entry, pipeline: &mut Pipeline) {
    let hint = match key {
        "timeout-minutes" => {
            "CircleCI limits silence: `no_output_timeout` of the step; or use `timeout` of the shell"
        }
        "continue-on-error" => "end the command with `|| true`",
        _ => "nothing of CircleCI or GitLab is the same",
    };
    pipeline.note(&entry.key, format!("`{key}` of a step"), hint);
}

fn uses(job: &mut Job, node: &Node, map: &Map, later: &mut Later, pipeline: &mut Pipeline) {
    let action = map.get("uses").and_then(Node::as_str).unwrap_or("nothing");
    let name = name(map, action, pipeline);
    let before = (job.steps.len(), later.steps.len());
    let known = actions::convert(job, node, (action, &name), later, pipeline);
    if !known {
        let hint = actions::suggestion(action);
        pipeline.note(&node.mark, format!("the action `{action}`"), hint);
        let what = format!("uses {action}");
        job.steps
            .push(Step::new(name, &node.mark, Action::Placeholder { what }));
    }
    for (key, entry) in map.entries() {
        let text = entry.node.scalar().unwrap_or_default();
        match &**key {
            "uses" | "with" | "name" | "id" => {}
            // What it depended on is gone with it.
            "if" | "env" | "continue-on-error" | "timeout-minutes" if !known => {}
            "env" => {
                let env = environment(&entry.node, pipeline);
                job.steps[before.0..].iter_mut().for_each(|step| {
                    if let Action::Run(run) = &mut step.action {
                        run.env.extend(env.iter().cloned());
                    }
                });
            }
            "if" => match convert::condition(&text) {
                Some(condition) => {
                    let made = job.steps[before.0..]
                        .iter_mut()
                        .chain(&mut later.steps[before.1..]);
                    let mut fits = condition.guard.is_none();
                    for step in made {
                        step.when = condition.when;
                        if let (Action::Run(run), Some(guard)) =
                            (&mut step.action, &condition.guard)
                        {
                            run.guard = Some(guard.clone());
                            fits = true;
                        }
                    }
                    if !fits {
                        lost_condition(&text, &entry.node, pipeline);
                    }
                }
                None => lost_condition(&text, &entry.node, pipeline),
            },
            "continue-on-error" if entry.node.as_bool() == Some(false) => {}
            other => lost_key(other, entry, pipeline),
        }
    }
}
