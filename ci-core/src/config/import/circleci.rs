//! Writes a pipeline as a file of CircleCI.

use super::Target;
use super::pipeline::{Action, Filter, Job, Pipeline, Step, When, directory};
use super::text::{Text, parameter};
use super::tree::{list, map, text, texts};
use crate::shell::quote;
use crate::yaml::{Mark, Node, Value};

const TARGET: Target = Target::CircleCi;

/// The file, with a workflow for each pipeline.
pub(super) fn write(pipelines: &mut [Pipeline]) -> Node {
    let (mut jobs, mut workflows) = (Vec::new(), Vec::new());
    for pipeline in pipelines {
        let real = || pipeline.jobs.iter().filter(|job| !job.approval);
        jobs.extend(real().map(|job| (job.name.clone(), self::job(pipeline, job))));
        let invocations = pipeline
            .jobs
            .iter()
            .flat_map(|job| invocations(pipeline, job));
        let workflow = map([("jobs", list(invocations))]);
        workflows.push((pipeline.name.clone(), workflow));
        let limits = real().flat_map(|job| limits(pipeline, job));
        for (mark, message, suggestion) in limits.collect::<Vec<_>>() {
            pipeline.note(&mark, message, suggestion);
        }
    }
    let version = Node::new(Value::Float(2.1), &Mark::new("", 1, 1));
    map([
        ("version", version),
        ("jobs", map(jobs)),
        ("workflows", map(workflows)),
    ])
}

type Limit = (Mark, String, &'static str);

/// What CircleCI has no key for.
fn limits(pipeline: &Pipeline, job: &Job) -> Vec<Limit> {
    let Some(first) = job.steps.first() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if let Some(minutes) = job.timeout_minutes {
        let message = format!(
            "the time limit of {minutes} minutes of the job `{}`",
            job.name
        );
        let hint = "CircleCI limits silence: `no_output_timeout` of a run step; or `timeout` of the job in `.ci/settings.yml`";
        found.push((first.mark.clone(), message, hint));
    }
    if job.allow_failure {
        let message = format!("the job `{}` may fail", job.name);
        let hint =
            "CircleCI has no such jobs: `allow_failure: true` of the job in `.ci/settings.yml`";
        found.push((first.mark.clone(), message, hint));
    }
    if job.when == When::Failure && requires(pipeline, job).len() > 1 {
        let message = format!(
            "the job `{}` runs after a failure of any of several jobs",
            job.name
        );
        let hint = "CircleCI can only say what each of them came to: it runs after the others have ended, also where none of them failed; let it wait for one job, or test for the failure in a command";
        found.push((first.mark.clone(), message, hint));
    }
    found
}

fn job(pipeline: &Pipeline, job: &Job) -> Node {
    let mut entries = Vec::new();
    let names = names(job);
    if !names.is_empty() {
        let declared = names.iter().map(|name| {
            (
                parameter(name),
                map([("type", text("string")), ("default", text(""))]),
            )
        });
        entries.push(("parameters", map(declared)));
    }
    let mut images = vec![map([("image", text(job.image.render(TARGET)))])];
    for service in &job.services {
        let mut image = vec![
            ("image", text(service.image.render(TARGET))),
            ("name", text(&service.name)),
        ];
        if !service.env.is_empty() {
            image.push(("environment", environment(&service.env)));
        }
        images.push(map(image));
    }
    entries.push(("docker", list(images)));
    let all = || pipeline.env.iter().chain(&job.env);
    let fixed: Vec<_> = all()
        .filter(|(_, value)| value.is_fixed())
        .cloned()
        .collect();
    if !fixed.is_empty() {
        entries.push(("environment", environment(&fixed)));
    }
    let live: Vec<_> = all()
        .filter(|(_, value)| !value.is_fixed())
        .cloned()
        .collect();
    let mut steps = Vec::new();
    if let Some(guard) = &job.guard {
        let guard = guard.render(TARGET);
        let script = format!("if ! {{ {guard}; }}; then circleci-agent step halt; fi");
        steps.push(run("Condition of the job", script, &[]));
    }
    if !live.is_empty() {
        let mut script = String::new();
        for (name, value) in &live {
            let value = super::pipeline::in_double_quotes(value).render(TARGET);
            script.push_str(&format_export(name, &value));
        }
        steps.push(run("Variables", script, &[]));
    }
    steps.extend(job.steps.iter().filter_map(step));
    if steps.is_empty() {
        steps.push(run("Nothing", "true".into(), &[]));
    }
    entries.push(("steps", list(steps)));
    map(entries)
}

fn format_export(name: &str, value: &str) -> String {
    format!("printf 'export {name}=%q\\n' \"{value}\" >> \"$BASH_ENV\"\n")
}

fn environment(env: &[(String, Text)]) -> Node {
    map(env
        .iter()
        .map(|(name, value)| (name, text(value.render(TARGET)))))
}

fn run(name: &str, command: String, rest: &[(&str, Node)]) -> Node {
    let mut entries = vec![("name", text(name)), ("command", text(command))];
    entries.extend(rest.iter().cloned());
    map([("run", map(entries))])
}

fn step(step: &Step) -> Option<Node> {
    let name = step.name.replace("<<", "\\<<");
    let mut rest = Vec::new();
    match step.when {
        When::Success => {}
        When::Failure => rest.push(("when", text("on_fail"))),
        When::Always => rest.push(("when", text("always"))),
    }
    Some(match &step.action {
        Action::Checkout => text("checkout"),
        Action::Attach => map([("attach_workspace", map([("at", text("."))]))]),
        Action::RestoreCache { keys } => {
            let keys = texts(keys.iter().map(key_of));
            map([("restore_cache", map([("keys", keys)]))])
        }
        Action::SaveCache { key, paths } => {
            let entries = [("key", text(key_of(key))), ("paths", texts(paths.clone()))];
            map([("save_cache", map(entries))])
        }
        Action::Artifacts {
            paths,
            for_jobs: false,
        } => {
            let path = paths.first()?;
            map([("store_artifacts", map([("path", text(path))]))])
        }
        Action::Artifacts {
            paths,
            for_jobs: true,
        } => {
            let entries = [("root", text(".")), ("paths", texts(paths.clone()))];
            map([("persist_to_workspace", map(entries))])
        }
        Action::TestResults { path } => {
            map([("store_test_results", map([("path", text(directory(path)))]))])
        }
        Action::Placeholder { what } => {
            let command = format!("echo {} >&2", quote(&format!("not converted: {what}")));
            run(&name, command.replace("<<", "\\<<"), &rest)
        }
        Action::Run(it) => {
            if let Some(shell) = it.own_shell() {
                rest.push(("shell", text(shell)));
            }
            run(&name, it.whole(&[]).render(TARGET), &rest)
        }
    })
}

/// The key of a cache, which is never empty: values that a matrix does not have are.
fn key_of(key: &Text) -> String {
    let key = key.render(TARGET);
    if key.is_empty() {
        "cache".to_owned()
    } else {
        key
    }
}

fn names(job: &Job) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in job.matrix.iter().flatten() {
        if !names.contains(&&**name) {
            names.push(name);
        }
    }
    names
}

/// How a job stands in the workflow: once, or once for each combination of its matrix.
fn invocations(pipeline: &Pipeline, job: &Job) -> Vec<Node> {
    let combinations: Vec<Option<&Vec<(String, String)>>> = if job.matrix.is_empty() {
        vec![None]
    } else {
        job.matrix.iter().map(Some).collect()
    };
    let one = |combination: Option<&Vec<(String, String)>>| {
        let mut entries: Vec<(String, Node)> = Vec::new();
        if let Some(values) = combination {
            entries.push(("name".into(), text(called(job, values))));
            for (name, value) in values {
                entries.push((parameter(name), text(value)));
            }
        }
        if job.approval {
            entries.push(("type".into(), text("approval")));
        }
        let requires = requires(pipeline, job);
        let statuses: &[&str] = match job.when {
            When::Success => &[],
            // A job whose own needs failed was not run.
            When::Failure if requires.len() == 1 => &["failed", "not_run"],
            When::Failure | When::Always => &["terminal"],
        };
        if statuses.is_empty() && !requires.is_empty() {
            entries.push(("requires".into(), texts(requires)));
        } else if !requires.is_empty() {
            let after = requires.into_iter();
            let after = after.map(|need| map([(need, texts(statuses.iter().copied()))]));
            entries.push(("requires".into(), list(after)));
        }
        if let Some(filters) = filters(pipeline) {
            entries.push(("filters".into(), filters));
        }
        if entries.is_empty() {
            text(&job.name)
        } else {
            map([(job.name.clone(), map(entries))])
        }
    };
    combinations.into_iter().map(one).collect()
}

/// The names of the jobs that a job waits for.
fn requires(pipeline: &Pipeline, job: &Job) -> Vec<String> {
    let needs = job.needs.iter();
    needs.flat_map(|need| all_of(pipeline, need)).collect()
}

/// The names under which a job stands in the workflow.
fn all_of(pipeline: &Pipeline, name: &str) -> Vec<String> {
    let jobs = pipeline.jobs.iter().filter(|job| job.name == name);
    let names = jobs.flat_map(|job| {
        if job.matrix.is_empty() {
            vec![job.name.clone()]
        } else {
            job.matrix
                .iter()
                .map(|values| called(job, values))
                .collect()
        }
    });
    names.collect()
}

fn called(job: &Job, values: &[(String, String)]) -> String {
    let mut name = job.name.clone();
    for (_, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
        name.push('-');
        name.extend(value.chars().map(|it| {
            if it.is_ascii_alphanumeric() || matches!(it, '.' | '_') {
                it
            } else {
                '-'
            }
        }));
    }
    // Names differ even where what tells them apart fits no name.
    let same = |other: &&Vec<(String, String)>| other.as_slice() == values;
    let index = job.matrix.iter().position(|it| same(&it)).unwrap_or(0);
    let others = job.matrix.iter().take(index);
    if name.len() > 100 || others.clone().any(|it| rough(it) == rough(values)) {
        name = format!("{}-{}", job.name, index + 1);
    }
    name
}

fn rough(values: &[(String, String)]) -> String {
    values
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .flat_map(|(_, value)| value.chars().chain(['-']))
        .map(|it| if it.is_ascii_alphanumeric() { it } else { '-' })
        .collect()
}

fn filters(pipeline: &Pipeline) -> Option<Node> {
    let part = |filter: &Filter| {
        let mut entries = Vec::new();
        if !filter.only.is_empty() {
            entries.push(("only", texts(filter.only.iter().map(|it| pattern(it)))));
        }
        if !filter.ignore.is_empty() {
            entries.push(("ignore", texts(filter.ignore.iter().map(|it| pattern(it)))));
        }
        map(entries)
    };
    let mut entries = Vec::new();
    if !pipeline.branches.is_empty() {
        entries.push(("branches", part(&pipeline.branches)));
    }
    if !pipeline.tags.is_empty() {
        entries.push(("tags", part(&pipeline.tags)));
    }
    (!entries.is_empty()).then(|| map(entries))
}

/// A pattern with `*` as what CircleCI takes: a word, or a regular expression between slashes.
fn pattern(glob: &str) -> String {
    if glob.contains(['*', '?', '[', '+', '!']) {
        format!("/^{}$/", regex_of(glob))
    } else {
        glob.to_owned()
    }
}

/// A pattern with `*` as a regular expression.
pub(super) fn regex_of(glob: &str) -> String {
    let mut regex = String::new();
    let mut letters = glob.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '*' if letters.peek() == Some(&'*') => {
                letters.next();
                regex.push_str(".*");
            }
            '*' => regex.push_str("[^/]*"),
            // After a character it says how often that one comes.
            '?' | '+' | '[' | ']' => regex.push(letter),
            letter if letter.is_alphanumeric() || matches!(letter, '_' | '-') => regex.push(letter),
            other => {
                regex.push('\\');
                regex.push(other);
            }
        }
    }
    regex
}
