//! Opens what the commands work on: the workflow, its settings and facts, the secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ci_core::config::fidelity::Fidelity;
use ci_core::config::place::{self, AskedByJobs};
use ci_core::config::problem::Problem;
use ci_core::id::RunId;
use ci_core::run::RunError;
use ci_core::settings::{Chosen, Settings};
use ci_core::store::{RunQuery, RunStore, StoredRun};
use ci_core::vcs::ChangeScope;
use ci_core::workflow::{InvalidWorkflow, RunFacts, SpecError, SpecSource, WorkflowSpec};
use ci_core::yaml;

use crate::args::WorkflowArgs;
use crate::aws;
use crate::executors::Wanted;
use crate::failure::{Failure, chain};
use crate::origin::{self, Located, Vendor, locate};
use crate::setup::{self, Setup};

/// A workflow with what a run of it is for.
pub(crate) struct Project {
    pub(crate) workflow: WorkflowSpec,
    pub(crate) facts: RunFacts,
    pub(crate) settings: Settings,
    pub(crate) dir: PathBuf,
    pub(crate) origin: Origin,
    /// Where jobs run for which nothing else decided it, and why.
    pub(crate) chosen: Vec<Chosen>,
}

/// What the file tells beside the jobs that run.
#[derive(Default)]
pub(crate) struct Origin {
    /// The jobs of the file that do not run: their workflow, where it has several, and why.
    pub(crate) skipped: Vec<Left>,
    /// The workflows of the file, each with its jobs that run; none where it has only one.
    pub(crate) workflows: Vec<(Arc<str>, Vec<Arc<str>>)>,
    /// The workflows of the file that do not run, and why.
    pub(crate) dropped: Vec<(Arc<str>, String)>,
    /// What is not the same as on the vendor's machines.
    pub(crate) fidelity: Fidelity,
    /// What is odd about the file.
    pub(crate) warnings: Vec<Problem>,
    /// The file, if it is in the engine's own form.
    pub(crate) source: Option<SpecSource>,
}

impl Origin {
    /// Why the workflow cannot run: each problem at its place in the file, where that is known.
    pub(crate) fn invalid(&self, error: &InvalidWorkflow) -> Failure {
        let located = self.source.as_ref().map(|source| source.locate(error));
        match located {
            Some(located) if located.problems().iter().any(|it| it.mark.is_some()) => {
                Failure::config(&located)
            }
            _ => {
                let failure = Failure::input(error.to_string());
                error.hints().into_iter().fold(failure, Failure::hint)
            }
        }
    }

    /// Why a run of the workflow did not begin.
    pub(crate) fn refused(&self, error: RunError) -> Failure {
        match error.invalid_workflow() {
            Some(invalid) => self.invalid(invalid),
            None => error.into(),
        }
    }
}

/// Why a file in the engine's own form is no workflow.
fn misread(error: &SpecError) -> Failure {
    let mut failure = Failure::input(chain(error));
    failure.has_places = error.line().is_some();
    error.hints().iter().fold(failure, Failure::hint)
}

/// A job that does not run.
pub(crate) struct Left {
    pub(crate) workflow: Option<Arc<str>>,
    pub(crate) name: Arc<str>,
    pub(crate) why: String,
}

/// Reads the workflow, the settings and the facts. `jobs` are those that were asked for.
pub(crate) fn project(args: &WorkflowArgs, jobs: &[String]) -> Result<Project, Failure> {
    let located = locate(args)?;
    let facts = facts(args, &located.dir)?;
    for_facts(args, jobs, located, facts)
}

/// Reads the workflow and the settings for a run whose facts are known.
pub(crate) fn for_facts(
    args: &WorkflowArgs,
    jobs: &[String],
    located: Located,
    facts: RunFacts,
) -> Result<Project, Failure> {
    let Located { file, dir, vendor } = located;
    let settings = settings(args.settings.as_deref(), &dir)?;
    let (workflow, mut origin, asked) = match vendor {
        None => {
            let source = SpecSource::read(origin::shown(&file)).map_err(|error| misread(&error))?;
            let workflow = source.spec().map_err(|error| misread(&error))?;
            let origin = Origin {
                source: Some(source),
                ..Origin::default()
            };
            (workflow, origin, AskedByJobs::new())
        }
        Some(Vendor::CircleCi) => {
            let setup = origin::setup(args, &file, &dir);
            circleci(setup, args, (&file, jobs), &facts)?
        }
        Some(Vendor::GitLab) => gitlab(args, &file, &facts, (&dir, &settings))?,
    };
    let wanted = Wanted::of(args);
    let (workflow, chosen) = if vendor.is_some() || wanted.executor.is_some() {
        wanted.choose(&settings, workflow)?
    } else {
        (wanted.with_images(workflow), Vec::new())
    };
    let workflow = aws::interruptible(&settings, workflow);
    place::compare(&chosen, &asked, &mut origin.fidelity);
    Ok(Project {
        workflow,
        facts,
        settings,
        dir,
        origin,
        chosen,
    })
}

/// The workflow of a CircleCI file. One of a setup keeps what its run needs to go on.
fn circleci(
    mut setup: Setup,
    args: &WorkflowArgs,
    (file, jobs): (&Path, &[String]),
    facts: &RunFacts,
) -> Result<(WorkflowSpec, Origin, AskedByJobs), Failure> {
    let options = setup.options(&origin::of_push(args, facts));
    let compiled = origin::circleci(file, &options)?;
    let mut only = args.workflow.as_deref();
    if compiled.is_setup() && only.is_some_and(|only| !compiled.has_workflow(only)) {
        setup.workflow = only.take().map(str::to_owned);
    }
    let lowered = compiled.lower(only, &options);
    let lowered = lowered.map_err(|error| Failure::config(&error))?;
    let mut workflow = lowered.workflow;
    setup::with_program(&mut workflow);
    if compiled.is_setup() {
        let is_own = |name: &&String| workflow.jobs.iter().any(|job| *job.name == ***name);
        setup.jobs = jobs.iter().filter(|name| !is_own(name)).cloned().collect();
        setup.keep_in(&mut workflow)?;
    }
    let skipped = lowered.skipped.into_iter().map(|job| Left {
        workflow: Some(job.workflow),
        name: job.name,
        why: job.why,
    });
    let dropped = compiled.dropped.into_iter();
    let origin = Origin {
        skipped: skipped.collect(),
        workflows: lowered.workflows,
        dropped: dropped.map(|it| (it.name, it.why)).collect(),
        fidelity: lowered.fidelity,
        warnings: compiled.warnings,
        source: None,
    };
    Ok((workflow, origin, lowered.asked))
}

/// The workflow of a GitLab file.
fn gitlab(
    args: &WorkflowArgs,
    file: &Path,
    facts: &RunFacts,
    (dir, settings): (&Path, &Settings),
) -> Result<(WorkflowSpec, Origin, AskedByJobs), Failure> {
    let compiled = origin::gitlab(args, file, facts, (dir, settings))?;
    let skipped = compiled.skipped().iter().map(|job| Left {
        workflow: None,
        name: Arc::clone(&job.name),
        why: job.why.clone(),
    });
    let mut origin = Origin {
        skipped: skipped.collect(),
        fidelity: compiled.fidelity().clone(),
        warnings: compiled.warnings().to_vec(),
        ..Origin::default()
    };
    let workflow = compiled.workflow();
    let workflow = workflow.map_err(|error| Failure::config(&error))?;
    if let Some(why) = compiled.why() {
        origin
            .dropped
            .push((Arc::clone(&workflow.name), why.to_owned()));
    }
    Ok((workflow, origin, compiled.asked().clone()))
}

/// The settings in `file`, or those of the project.
pub(crate) fn settings(file: Option<&Path>, project: &Path) -> Result<Settings, Failure> {
    let settings = match file {
        Some(file) => Settings::load(file),
        None => Settings::discover(project),
    };
    settings.map_err(|error| Failure::input(chain(&error)))
}

/// What the run is for: what was typed, else what is checked out.
pub(crate) fn facts(args: &WorkflowArgs, dir: &Path) -> Result<RunFacts, Failure> {
    // A directory that is no repository is fine: then nothing is known about branches.
    let mut facts = RunFacts::discover(dir).unwrap_or_default();
    if let Some(base) = &args.base {
        facts = facts
            .changed_since(base, ChangeScope::WorkingTree)
            .map_err(|error| Failure::input(chain(&error)))?;
    }
    if args.branch.is_some() || args.tag.is_some() {
        facts.branch.clone_from(&args.branch);
        facts.tag.clone_from(&args.tag);
    }
    if args.revision.is_some() {
        facts.revision.clone_from(&args.revision);
    }
    facts.repository = Some(dir.to_path_buf());
    facts.variables.extend(args.variables.iter().cloned());
    Ok(facts)
}

/// Context names with their variables.
pub(crate) type Contexts = BTreeMap<String, BTreeMap<String, String>>;

/// Reads files that map context names to their variables.
pub(crate) fn contexts(files: &[PathBuf]) -> Result<Contexts, Failure> {
    let mut contexts = Contexts::new();
    for file in files {
        let name = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::input(format!("the context file `{name}`: {error}")))?;
        // YAML is a superset of JSON.
        let read: Contexts = yaml::from_str(&text).map_err(|error| {
            Failure::input(format!("the context file `{name}`: {error}"))
                .hint("it maps names to variables: `deploy: {TOKEN: secret}`")
        })?;
        for (context, variables) in read {
            contexts.entry(context).or_default().extend(variables);
        }
    }
    Ok(contexts)
}

/// The run behind what was typed: an id, the beginning of one, or `last`.
pub(crate) async fn run_id(store: &dyn RunStore, text: &str) -> Result<RunId, Failure> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let limit = (text == "last").then_some(1);
    let page = store
        .runs(&RunQuery {
            limit,
            ..RunQuery::default()
        })
        .await?;
    let mut found = page
        .runs
        .iter()
        .map(|run| run.id)
        .filter(|id| text == "last" || id.to_string().starts_with(text));
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => Err(Failure::input(format!(
            "several runs begin with `{text}`; write more of the id"
        ))),
        (None, _) if text == "last" => {
            Err(Failure::input("there is no run yet").hint("start one with `ci run`"))
        }
        (None, _) => {
            Err(Failure::input(format!("no run is `{text}`")).hint("`ci runs` lists them"))
        }
    }
}

/// Refuses the name of a job that the run does not have.
pub(crate) fn known_job(run: &StoredRun, job: &str) -> Result<(), Failure> {
    let plan = run
        .workflow
        .plan(&run.facts)
        .map_err(|error| Failure::input(error.to_string()))?;
    if plan.find(job).is_some() {
        return Ok(());
    }
    if plan.jobs.is_empty() {
        return Err(Failure::input(format!(
            "the run has no job `{job}`; it has no jobs at all"
        )));
    }
    let known: Vec<String> = plan
        .jobs
        .iter()
        .map(|job| format!("`{}`", job.name))
        .collect();
    Err(Failure::input(format!("the run has no job `{job}`"))
        .hint(format!("it has {}", known.join(", "))))
}
