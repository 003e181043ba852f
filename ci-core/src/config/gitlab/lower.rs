//! Makes a workflow of a pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::container;
use super::duration::natural;
use super::job_rules::When;
use super::options::Options;
use super::pipeline::{Entry, Links, Pipeline};
use super::predefined::{of_jobs, slug};
use super::script::{commands, script, write_files};
use super::storage::{artifacts, caches, dotenv_file, leaves};
use super::variables::{Env, Variable, Variables, replace};
use crate::job::{FailureClass, GroupUse, JobOptions, JobSpec, Need, Retry, RetryOn, Start};
use crate::outcome::{OutcomeKind, OutcomeSet};
use crate::session::BASH_OR_SH;
use crate::step::{Action, StepSpec, StepWhen};
use crate::workflow::WorkflowSpec;
use crate::yaml::Node;

/// How long `after_script` may take.
const AFTER_SCRIPT: Duration = Duration::from_mins(5);

/// What an earlier job may come to that has rules of its own about when it runs: that it did not run
/// says nothing about the pipeline.
const NONE_FAILED: [OutcomeKind; 3] = [
    OutcomeKind::Success,
    OutcomeKind::Skipped,
    OutcomeKind::NotRun,
];

/// The workflow of a pipeline.
pub(super) fn workflow(
    pipeline: &Pipeline<'_>,
    stages: &[Arc<str>],
    predefined: &BTreeMap<String, String>,
    compiled: &Options,
) -> WorkflowSpec {
    let mut shared = BTreeMap::clone(predefined);
    shared.extend(of_jobs());
    let lowering = Lowering {
        pipeline,
        stages,
        files: &compiled.facts.files,
        below: Arc::new(shared),
        left: Leftovers::new(pipeline, stages.len()),
    };
    let jobs = pipeline.entries.iter().zip(&pipeline.links);
    let jobs = jobs
        .map(|(entry, links)| lowering.job(entry, links))
        .collect();
    WorkflowSpec {
        name: "pipeline".into(),
        jobs: Arc::new(jobs),
        env: BTreeMap::clone(&lowering.below),
        ..WorkflowSpec::default()
    }
}

struct Lowering<'a> {
    pipeline: &'a Pipeline<'a>,
    stages: &'a [Arc<str>],
    /// The texts of variables of the type file.
    files: &'a BTreeMap<String, String>,
    /// The variables that all jobs have.
    below: Arc<BTreeMap<String, String>>,
    left: Leftovers,
}

/// What jobs leave for those that fetch their artifacts.
struct Leftovers {
    /// Whether a job leaves files, and the file of its variables.
    of: Vec<(bool, Option<String>)>,
    /// What a job by stages fetches, for each stage.
    before: Vec<Fetch>,
}

/// What a job fetches.
#[derive(Debug, Clone, Default)]
struct Fetch {
    /// Whether there are files.
    files: bool,
    /// The jobs they are from; all before this one if none are named.
    from: Vec<String>,
    /// The files of variables.
    dotenv: Vec<String>,
}

impl Leftovers {
    fn new(pipeline: &Pipeline<'_>, stages: usize) -> Self {
        let entries = &pipeline.entries;
        let of = entries.iter().map(|entry| {
            let (files, variables) = leaves(entry.job.map.get("artifacts"));
            (files, variables.then(|| dotenv_file(entry.name())))
        });
        let of: Vec<(bool, Option<String>)> = of.collect();
        let mut before = vec![Fetch::default(); stages];
        for (entry, (files, variables)) in entries.iter().zip(&of) {
            for place in before.iter_mut().skip(entry.job.stage + 1) {
                place.files |= *files;
                place.dotenv.extend(variables.clone());
            }
        }
        Self { of, before }
    }

    fn of_job(&self, entry: &Entry<'_>, links: &Links, entries: &[Entry<'_>]) -> Fetch {
        let Some(chosen) = &links.artifacts else {
            let fetch = self.before.get(entry.job.stage);
            return fetch.cloned().unwrap_or_default();
        };
        let mut fetch = Fetch::default();
        for job in chosen {
            let (Some((true, dotenv)), Some(other)) = (self.of.get(*job), entries.get(*job)) else {
                continue;
            };
            fetch.files = true;
            fetch.from.push(other.name().to_owned());
            fetch.dotenv.extend(dotenv.clone());
        }
        fetch
    }
}

impl Lowering<'_> {
    fn job(&self, entry: &Entry<'_>, links: &Links) -> JobSpec {
        let stage = self
            .stages
            .get(entry.job.stage)
            .map_or("test", AsRef::as_ref);
        let env = environment(entry, stage, &self.below);
        let mut options = JobOptions {
            stage: Some(stage.into()),
            shell: BASH_OR_SH.map(str::to_owned).to_vec(),
            allow_failure: entry.chosen.allow_failure.clone(),
            retry: retry(entry.job.map.get("retry")),
            start: start(entry),
            ..JobOptions::default()
        };
        container::fill(entry, &env, &mut options);
        let timeout = entry.job.map.get("timeout").and_then(Node::scalar);
        options.timeouts.job = timeout
            .and_then(|text| natural(&text))
            .filter(|limit| !limit.is_zero());
        if let Some(group) = entry.job.map.get("resource_group") {
            options
                .groups
                .push(GroupUse::mutex(container::text(group, &env)));
        }
        if let Some(pattern) = entry.job.text("coverage") {
            options.reports.coverage_pattern = Some(pattern.to_string());
        }
        options.only_after_failure = entry.chosen.when == When::OnFailure;
        let fetch = self.left.of_job(entry, links, &self.pipeline.entries);
        let mut steps = steps(entry, &fetch, &env);
        if !self.files.is_empty() {
            steps.insert(0, write_files(self.files));
        }
        options.env = env.own;
        let mut spec = JobSpec::new(entry.name()).steps(steps);
        spec.needs = links
            .needs
            .iter()
            .filter_map(|needed| {
                let other = self.pipeline.entries.get(needed.job)?;
                let follows = self
                    .pipeline
                    .links
                    .get(needed.job)
                    .is_some_and(|links| links.by_stage);
                Some(need(entry, other, links.by_stage, follows))
            })
            .collect();
        spec.with(|own| *own = options)
    }
}

/// What the job asks of one that it waits for.
fn need(entry: &Entry<'_>, other: &Entry<'_>, by_stage: bool, other_by_stage: bool) -> Need {
    let accept = match entry.chosen.when {
        When::OnFailure | When::Always => OutcomeSet::ANY,
        _ if by_stage && !(other_by_stage && other.waits_for_success()) => {
            OutcomeSet::of(&NONE_FAILED)
        }
        _ => OutcomeSet::SUCCESS,
    };
    Need {
        job: other.name().into(),
        accept,
        optional: false,
    }
}

fn start(entry: &Entry<'_>) -> Start {
    match entry.chosen.when {
        When::Manual => {
            let asked = entry.job.text("manual_confirmation").map(str::to_owned);
            Start::Manual {
                prompt: Some(asked.unwrap_or_else(|| format!("start `{}`?", entry.name()))),
                optional: entry.is_optional_manual(),
                deadline: None,
            }
        }
        When::Delayed => Start::Delayed(entry.chosen.start_in.unwrap_or_default()),
        _ => Start::Auto,
    }
}

fn retry(node: Option<&Node>) -> Retry {
    let Some(node) = node else {
        return Retry::default();
    };
    let max = node
        .get("max")
        .unwrap_or(node)
        .scalar()
        .and_then(|text| text.parse().ok());
    let mut retry = Retry::times(max.unwrap_or(0));
    let list = |key| {
        let node = node.get(key);
        node.map_or(Vec::new(), |node| {
            node.as_seq().unwrap_or(std::slice::from_ref(node)).to_vec()
        })
    };
    for word in list("when") {
        retry = match word.as_str() {
            Some("script_failure") => retry.on(RetryOn::Class(FailureClass::Script)),
            Some("stuck_or_timeout_failure" | "job_execution_timeout") => {
                retry.on(RetryOn::Class(FailureClass::Timeout))
            }
            Some("always") | None => return Retry::times(retry.max),
            Some(_) => retry
                .on(RetryOn::Class(FailureClass::Infrastructure))
                .on(RetryOn::Class(FailureClass::Interrupted)),
        };
    }
    for code in list("exit_codes") {
        if let Some(code) = code.as_int().and_then(|code| i32::try_from(code).ok()) {
            retry = retry.on(RetryOn::ExitCode(code));
        }
    }
    retry.on.dedup();
    retry
}

/// Every variable of the job, filled in.
fn environment(entry: &Entry<'_>, stage: &str, below: &Arc<BTreeMap<String, String>>) -> Env {
    let image = entry.job.map.get("image");
    let image = image
        .and_then(|image| image.get("name").or(Some(image)))
        .and_then(Node::scalar);
    let mut variables = Variables::above(below);
    let mut set = |name: &str, value: String| {
        let expand = false;
        variables.set(name, Variable { value, expand });
    };
    set("CI_JOB_NAME", entry.name().to_owned());
    set("CI_JOB_NAME_SLUG", slug(entry.name()));
    set("CI_JOB_STAGE", stage.to_owned());
    set("CI_JOB_IMAGE", image.unwrap_or_default().into_owned());
    if let Some((index, total)) = entry.instance.place {
        set("CI_NODE_INDEX", index.to_string());
        set("CI_NODE_TOTAL", total.to_string());
    }
    if let Some(tokens) = entry.job.map.get("id_tokens").and_then(Node::as_map) {
        tokens.keys().for_each(|name| set(name, String::new()));
    }
    variables.extend(&entry.variables);
    if let Some(node) = entry.job.map.get("environment") {
        let name = node
            .get("name")
            .unwrap_or(node)
            .scalar()
            .unwrap_or_default();
        let name = variables.expand(&name);
        let variable = Variable::new;
        variables.set("CI_ENVIRONMENT_SLUG", variable(slug(&name)));
        variables.set("CI_ENVIRONMENT_NAME", variable(name));
        for (key, variable_name) in [
            ("url", "CI_ENVIRONMENT_URL"),
            ("action", "CI_ENVIRONMENT_ACTION"),
            ("deployment_tier", "CI_ENVIRONMENT_TIER"),
        ] {
            if let Some(text) = node.get(key).and_then(Node::scalar) {
                variables.set(variable_name, variable(text.into_owned()));
            }
        }
    }
    let mut env = variables.expanded();
    env.own.retain(|name, _| is_variable(name));
    for value in env.own.values_mut().filter(|value| value.contains("$$")) {
        *value = value.replace("$$", "$");
    }
    env
}

/// Whether a shell could use the name.
fn is_variable(name: &str) -> bool {
    let mut letters = name.chars();
    letters
        .next()
        .is_some_and(|first| first == '_' || first.is_ascii_alphabetic())
        && letters.all(|letter| letter == '_' || letter.is_ascii_alphanumeric())
}

fn steps(entry: &Entry<'_>, fetch: &Fetch, env: &Env) -> Vec<StepSpec> {
    let map = &entry.job.map;
    if map.contains("trigger") {
        let words = match map.get("trigger").and_then(super::children::includes) {
            Some(_) => "the jobs of the child pipeline follow",
            None => "another pipeline would start here; none is started",
        };
        return vec![StepSpec::run(format!("echo '{words}'")).name("trigger")];
    }
    // The paths of caches and artifacts are below the project.
    let mut in_project = env.clone();
    in_project
        .own
        .insert("CI_PROJECT_DIR".to_owned(), ".".to_owned());
    for value in in_project.own.values_mut() {
        *value = replace(value, |name| (name == "CI_PROJECT_DIR").then_some("."));
    }
    let mut steps: Vec<StepSpec> = checkout(env).into_iter().collect();
    let hook = map
        .get("hooks")
        .and_then(|hooks| hooks.get("pre_get_sources_script"));
    let hook = commands(hook);
    if !hook.is_empty() {
        steps.push(StepSpec::run(script(&hook, env, &[])).name("pre_get_sources_script"));
    }
    let cache = caches(map.get("cache"), &in_project);
    steps.extend(cache.before);
    let dotenv = &fetch.dotenv;
    if fetch.files {
        let mut step = StepSpec::attach_workspace(".").name("fetch artifacts");
        if let Action::AttachWorkspace(spec) = &mut step.action {
            spec.from.clone_from(&fetch.from);
        }
        steps.push(step);
    }
    let mut main = commands(map.get("before_script"));
    main.extend(commands(map.get("script")));
    let run = map.get("run").and_then(Node::as_seq).unwrap_or_default();
    main.extend(run.iter().flat_map(|step| commands(step.get("script"))));
    steps.push(StepSpec::run(script(&main, env, dotenv)).name("script"));
    steps.extend(after_script(
        &commands(map.get("after_script")),
        env,
        dotenv,
    ));
    steps.extend(cache.after);
    steps.extend(artifacts(map.get("artifacts"), entry.name(), &in_project));
    steps
}

/// The step that brings the sources, unless `GIT_STRATEGY` says that there be none.
fn checkout(env: &Env) -> Option<StepSpec> {
    let strategy = env.get("GIT_STRATEGY");
    if matches!(strategy, Some("none" | "empty")) {
        return None;
    }
    let mut step = StepSpec::checkout().name("get sources");
    if let Action::Checkout(spec) = &mut step.action {
        let submodules = env.get("GIT_SUBMODULE_STRATEGY");
        spec.submodules = matches!(submodules, Some("normal" | "recursive"));
    }
    Some(step)
}

/// `after_script`, once for each way in which the script ends: its outcome changes nothing.
fn after_script(commands: &[String], env: &Env, dotenv: &[String]) -> Vec<StepSpec> {
    if commands.is_empty() {
        return Vec::new();
    }
    // Variables of dotenv reports are there too; the first failing command ends it.
    let text = script(commands, env, dotenv);
    let limit = env.get("RUNNER_AFTER_SCRIPT_TIMEOUT").and_then(natural);
    let ends = [
        (StepWhen::OnSuccess, "success"),
        (StepWhen::OnFail, "failed"),
    ];
    let step = |(when, status): (StepWhen, &str)| {
        let step = StepSpec::run(text.clone()).name("after_script").when(when);
        let step = step.timeout(limit.unwrap_or(AFTER_SCRIPT)).allow_failure();
        step.env("CI_JOB_STATUS", status)
    };
    ends.into_iter().map(step).collect()
}
