//! Makes the executors that the settings name, and chooses among them.

use std::sync::Arc;
use std::time::Duration;

use ci_core::executor::{Executor, ExecutorError, LocalExecutor, LocalOptions, ReapScope};
use ci_core::job::JobSpec;
use ci_core::settings::{
    Chosen, ExecutorChoice, ExecutorSettings, ImageSubstitute, LOCAL, Settings,
};
use ci_core::workflow::WorkflowSpec;
use ci_docker::{DockerExecutor, DockerOptions, SwarmExecutor, SwarmOptions};
use serde::{Deserialize, Serialize};

use crate::args::{ReapArgs, WorkflowArgs};
use crate::aws::{self, EC2};
use crate::failure::{Failure, chain};
use crate::output;

/// The kinds of executors of this program.
const KINDS: &str = "`local`, `docker`, `swarm` and `ec2`";

/// How the settings say that there is an executor of the type `ec2`.
pub(crate) const AN_EC2: &str =
    "name one in `.ci/settings.yml`: `executors: {ec2: {type: ec2, options: {template: NAME}}}`";

/// The executor of containers that is always there, and its type.
const DOCKER: &str = "docker";

/// The executor on a swarm, which is there if it is asked for by name, and its type.
const SWARM: &str = "swarm";

/// How long a Docker Engine may take to answer: on a busy machine it takes its time. Where there is none
/// on this machine, that is known at once.
const ANSWER: Duration = Duration::from_secs(15);

/// The executors of a project; the one that jobs use by default comes first. `local` and `docker` are
/// always there; nothing is connected to before a job needs it.
pub(crate) fn executors(settings: &Settings) -> Result<Vec<Arc<dyn Executor>>, Failure> {
    let mut executors: Vec<Arc<dyn Executor>> = vec![Arc::new(LocalExecutor::new())];
    for (name, executor) in &settings.executors {
        if name == "local" {
            executors[0] = make(name, executor)?;
        } else {
            executors.push(make(name, executor)?);
        }
    }
    if !settings.executors.contains_key(DOCKER) {
        executors.push(Arc::new(DockerExecutor::new()));
    }
    if !settings.executors.contains_key(SWARM) {
        executors.push(Arc::new(SwarmExecutor::with_options(
            SwarmOptions::default(),
        )));
    }
    // The first is the default.
    let default = executors
        .iter()
        .position(|executor| executor.name() == settings.default_executor);
    if let Some(default) = default {
        executors.swap(0, default);
    }
    Ok(executors)
}

/// Whether a job of a workflow runs on an executor.
fn uses(settings: &Settings, workflow: &WorkflowSpec, name: &str) -> bool {
    let (workflow, _) = settings.apply(workflow.clone());
    workflow.jobs.iter().any(|job| {
        let place = job.asks_for_a_place().then(|| settings.place(job).ok());
        place.flatten().is_some_and(|place| place.executor == name)
    })
}

/// The executor of the settings with this name.
pub(crate) fn make(name: &str, settings: &ExecutorSettings) -> Result<Arc<dyn Executor>, Failure> {
    let failed = |error| bad_options(name, settings, &error);
    match settings.kind.as_str() {
        "local" => {
            let options = LocalOptions::from_settings(&settings.options).map_err(failed)?;
            Ok(Arc::new(LocalExecutor::with_options(options).name(name)))
        }
        DOCKER => Ok(Arc::new(docker(name, settings)?)),
        EC2 => aws::executor(name, settings),
        SWARM => {
            let options = SwarmOptions::from_settings(&settings.options).map_err(failed)?;
            Ok(Arc::new(SwarmExecutor::with_options(options).name(name)))
        }
        other => Err(Failure::input(format!(
            "executor `{name}` of the settings is of the type `{other}`, which this program does not have"
        ))
        .hint(format!("it has {KINDS}"))),
    }
}

fn docker(name: &str, settings: &ExecutorSettings) -> Result<DockerExecutor, Failure> {
    let options = DockerOptions::from_settings(&settings.options)
        .map_err(|error| bad_options(name, settings, &error))?;
    Ok(DockerExecutor::with_options(options).name(name))
}

/// The options of an executor of the settings cannot be used.
pub(crate) fn bad_options(
    name: &str,
    settings: &ExecutorSettings,
    error: &ExecutorError,
) -> Failure {
    let place = settings.place_of(error);
    let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
    let words = format!("{place}executor `{name}`: {}", chain(error));
    Failure::input(words).hint(format!(
        "`ci schema settings` has all options of executors; these are at `executors.{name}.options`"
    ))
}

/// Whether an executor of the settings is one of containers, on a Docker Engine or on a swarm.
fn is_docker(settings: &Settings, name: &str) -> bool {
    match settings.executors.get(name) {
        Some(executor) => is_ours(&executor.kind),
        None => is_ours(name),
    }
}

/// Whether a name or a type is that of containers.
fn is_ours(name: &str) -> bool {
    name == DOCKER || name == SWARM
}

/// Where jobs are to run, as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    /// `auto` or an executor's name; nothing is `auto`.
    pub(crate) executor: Option<String>,
    /// Images that stand for others.
    pub(crate) images: Vec<(String, String)>,
}

impl Wanted {
    pub(crate) fn of(args: &WorkflowArgs) -> Self {
        Self {
            executor: args.executor.clone(),
            images: args.images.clone(),
        }
    }

    /// Gives the jobs of a workflow their images and places, and tells which and why.
    pub(crate) fn choose(
        &self,
        settings: &Settings,
        workflow: WorkflowSpec,
    ) -> Result<(WorkflowSpec, Vec<Chosen>), Failure> {
        let image = |job: &JobSpec| job.options.requires.image.clone();
        let before: Vec<Option<String>> = workflow.jobs.iter().map(image).collect();
        let workflow = self.with_images(workflow);
        let typed = workflow.jobs.iter().map(image).zip(before);
        let typed: Vec<_> = typed
            .map(|(now, was)| now.filter(|now| was.as_ref() != Some(now)))
            .collect();
        let wanted = self.executor.as_deref().unwrap_or("auto");
        let Ok(choice) = named(settings, wanted).parse();
        let mut answers = None;
        match &choice {
            ExecutorChoice::Named(name) if !is_known(settings, name) => {
                let known: Vec<&str> = settings.executors.keys().map(String::as_str).collect();
                let known = ["local", DOCKER, SWARM].into_iter().chain(known);
                let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
                let failure = Failure::input(format!("there is no executor `{name}`"))
                    .hint(format!("there are {}", known.join(", ")));
                return Err(if name == EC2 {
                    failure.hint(AN_EC2)
                } else {
                    failure
                });
            }
            ExecutorChoice::Auto if workflow.jobs.iter().any(JobSpec::asks_for_a_place) => {
                let name = settings.container_executor().unwrap_or(DOCKER);
                let found = match settings.executors.get(name) {
                    Some(executor) if executor.kind == DOCKER => docker(name, executor)?,
                    _ => DockerExecutor::new(),
                };
                answers = answering(&found).then(|| name.to_owned());
            }
            _ => {}
        }
        let (workflow, mut chosen) = settings.choose(workflow, &choice, answers.as_deref());
        for (it, typed) in chosen.iter_mut().zip(typed) {
            if it.dropped_image.is_none() {
                it.other_image = it.other_image.take().or(typed);
            }
        }
        Ok((workflow, chosen))
    }

    /// The workflow with other images.
    pub(crate) fn with_images(&self, workflow: WorkflowSpec) -> WorkflowSpec {
        if self.images.is_empty() {
            return workflow;
        }
        let images = self.images.iter().map(|(from, to)| {
            let to = match to.as_str() {
                LOCAL => ImageSubstitute::Local,
                image => ImageSubstitute::Image(image.to_owned()),
            };
            (from.clone(), to)
        });
        let mut settings = Settings::default();
        settings.images = images.collect();
        settings.apply(workflow).0
    }
}

/// The executor that was meant: its type will do for the first of EC2.
fn named<'a>(settings: &'a Settings, wanted: &'a str) -> &'a str {
    if wanted != EC2 || settings.executors.contains_key(EC2) {
        return wanted;
    }
    let mut executors = settings.executors.iter();
    let found = executors.find(|(_, executor)| executor.kind == EC2);
    found.map_or(wanted, |(name, _)| name)
}

fn is_known(settings: &Settings, name: &str) -> bool {
    name == "local" || is_ours(name) || settings.executors.contains_key(name)
}

/// Whether the engine of an executor answers.
fn answering(docker: &DockerExecutor) -> bool {
    matches!(answer_of(docker.engine_version()), Some(Ok(_)))
}

/// Whether the engine of this machine is a manager of a swarm.
fn is_swarm() -> bool {
    let swarm = SwarmExecutor::with_options(SwarmOptions::default());
    answer_of(swarm.is_there()).unwrap_or_default()
}

/// Waits for an engine, but not for long. Other programs call this outside of a runtime.
fn answer_of<T>(asking: impl Future<Output = T>) -> Option<T> {
    let asking = async { tokio::time::timeout(ANSWER, asking).await.ok() };
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        return tokio::task::block_in_place(|| runtime.block_on(asking));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.ok()?.block_on(asking)
}

/// Says where jobs run, those of one place in one line.
pub(crate) fn say_choice(chosen: &[Chosen]) {
    let mut places: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for it in chosen {
        match places
            .iter_mut()
            .find(|(executor, why, _)| *executor == it.executor && *why == it.why)
        {
            Some((_, _, jobs)) => jobs.push(&it.job),
            None => places.push((&it.executor, &it.why, vec![&it.job])),
        }
    }
    for (executor, why, jobs) in places {
        let more = jobs.len().saturating_sub(5);
        let mut names = jobs[..jobs.len() - more].join(", ");
        if more > 0 {
            names = format!("{names} and {more} more");
        }
        output::say(format!("on {executor}: {names} ({why})"));
    }
}

/// Removes what dead runs left on the engines that a workflow uses, before it runs.
pub(crate) async fn sweep(settings: &Settings, workflow: &WorkflowSpec) -> Result<(), Failure> {
    for executor in executors(settings)? {
        let name = executor.name();
        if !is_docker(settings, name) || !uses(settings, workflow, name) {
            continue;
        }
        // An engine that does not answer says so again when a job needs it.
        if let Ok(report) = executor.reap(&ReapScope::Abandoned).await {
            for removed in &report.removed {
                output::say(format!("removed what a dead run left: {removed}"));
            }
        }
    }
    Ok(())
}

/// The executors that have something to reap.
pub(crate) fn reaping(
    settings: &Settings,
    args: &ReapArgs,
) -> Result<Vec<Arc<dyn Executor>>, Failure> {
    let is_ec2 = |name: &str| {
        settings
            .executors
            .get(name)
            .is_some_and(|it| it.kind == EC2)
    };
    let mut executors = executors(settings)?;
    executors.retain(|executor| {
        let name = executor.name();
        // A swarm that nobody named may not be there at all.
        let is_meant = name != SWARM || settings.executors.contains_key(name) || is_swarm();
        let is_all = !args.docker && !args.aws;
        let is_wanted =
            is_all || (args.docker && is_docker(settings, name)) || (args.aws && is_ec2(name));
        is_meant && is_wanted
    });
    if args.aws && !settings.executors.keys().any(|name| is_ec2(name)) {
        executors.push(aws::reaper_of_nothing()?);
    }
    Ok(executors)
}
