//! What a change comes to: the workflow of the repository at that commit, or why nothing runs.

use std::path::{Path, PathBuf};

use ci_core::job::JobSpec;
use ci_core::outcome::Outcome;
use ci_core::settings::Settings;
use ci_core::step::{StepError, StepSpec, step_fn};
use ci_core::steps::step_runner::StepRunner;
use ci_core::trigger::{Decision, Event, EventKind, Supersede, TriggerSpec};
use ci_core::vcs;
use ci_core::workflow::{RunFacts, WorkflowSpec};
use ci_core::yaml;

use crate::args::{EventChoice, WorkflowArgs};
use crate::failure::{Failure, chain};
use crate::open;
use crate::origin::{Vendor, locate};

/// Where a repository says what starts its runs.
pub(super) const TRIGGERS: &str = ".ci/triggers.yml";

/// What names a change in the facts of its run.
pub(super) const CHANGE: &str = "CI_CHANGE";

/// Something that happened in a repository.
#[derive(Debug, Clone)]
pub(super) struct Occasion {
    pub(super) repository: PathBuf,
    pub(super) event: Event,
    /// Names it for good, so that a restart knows whether there is a run for it.
    pub(super) id: String,
    /// Only this workflow of the file.
    pub(super) workflow: Option<String>,
    /// Whether somebody waits for an answer: what is wrong is told there, and not by a run.
    pub(super) is_asked_for: bool,
}

impl Occasion {
    pub(super) fn new(repository: PathBuf, event: Event, id: String) -> Self {
        Self {
            repository,
            event,
            id,
            workflow: None,
            is_asked_for: false,
        }
    }
}

/// What it comes to.
pub(super) enum Plan {
    Run(Box<Planned>),
    Skip(String),
}

/// A run.
pub(super) struct Planned {
    pub(super) workflow: WorkflowSpec,
    pub(super) facts: RunFacts,
    pub(super) settings: Settings,
    /// The files of the commit, if the run needs some.
    pub(super) dir: Option<PathBuf>,
    pub(super) supersede: bool,
}

/// Says what an occasion comes to. `dir` is where the files of the commit may go. Blocks.
pub(super) fn plan(
    occasion: &Occasion,
    runner: Option<&StepRunner>,
    dir: &Path,
) -> Result<Plan, Failure> {
    let mut event = occasion.event.clone();
    let repository = &occasion.repository;
    let failed = |error: vcs::VcsError| Failure::engine(chain(&error));
    let revision = event.revision.clone().unwrap_or_else(|| "HEAD".into());
    let info = vcs::commit_info(repository, &revision).map_err(failed)?;
    event.message = Some(info.message);
    // A schedule compares with nothing: everything counts as changed.
    if !matches!(event.kind, EventKind::Schedule { .. }) {
        event.changed_paths = Some(vcs::changed_in(repository, &revision).map_err(failed)?);
    }
    let spec = triggers(repository, &revision);
    let spec = match (spec, runner) {
        (Err(failure), _) => return broken(occasion, failure),
        (Ok(Some(spec)), _) => spec,
        // The step runner does every commit, whatever its message says.
        (Ok(None), Some(runner)) => return Ok(remote(occasion, &event, runner)),
        (Ok(None), None) => TriggerSpec::everything(),
    };
    let supersede = spec.supersede == Supersede::Branch;
    let own_schedule = occasion.workflow.is_some();
    let facts = match spec.decide(&event) {
        Ok(Decision::Run(facts)) => *facts,
        Ok(Decision::Skip(why)) if !own_schedule => return Ok(Plan::Skip(why)),
        Ok(_) => event.facts(),
        Err(error) => return broken(occasion, Failure::input(chain(&error))),
    };
    let planned = match runner {
        Some(runner) => Ok(Planned {
            workflow: runner.workflow(),
            facts,
            settings: Settings::default(),
            dir: None,
            supersede,
        }),
        None => of_repository(occasion, &event, facts, dir, supersede),
    };
    match planned {
        Ok(mut planned) => {
            planned.facts = of_change(planned.facts, occasion);
            Ok(Plan::Run(Box::new(planned)))
        }
        Err(failure) => broken(occasion, failure),
    }
}

/// The trigger file at a commit, if there is one.
pub(super) fn triggers(repository: &Path, revision: &str) -> Result<Option<TriggerSpec>, Failure> {
    let bytes = vcs::read_file(repository, revision, TRIGGERS)
        .map_err(|error| Failure::engine(chain(&error)))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let wrong = |why: String| Failure::input(format!("`{TRIGGERS}`: {why}"));
    let text = String::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
    yaml::from_str(&text)
        .map(Some)
        .map_err(|error| wrong(error.to_string()))
}

/// The three steps of a step runner. Tags bring nothing that their commits did not bring.
fn remote(occasion: &Occasion, event: &Event, runner: &StepRunner) -> Plan {
    if matches!(event.kind, EventKind::Tag { .. }) {
        return Plan::Skip("the step runner does commits, not tags".into());
    }
    Plan::Run(Box::new(Planned {
        workflow: runner.workflow(),
        facts: of_change(event.facts(), occasion),
        settings: Settings::default(),
        dir: None,
        supersede: false,
    }))
}

/// The workflow that the repository has at the commit, read from its files in `dir`.
fn of_repository(
    occasion: &Occasion,
    event: &Event,
    mut facts: RunFacts,
    dir: &Path,
    supersede: bool,
) -> Result<Planned, Failure> {
    write_files(occasion, dir)?;
    let mut args = arguments(dir, event, occasion.workflow.as_deref());
    let located = locate(&args)?;
    if located.vendor.is_some() {
        // A vendor's file declares and checks the parameters itself.
        args.parameters = event.arguments.clone().into_iter().collect();
        if located.vendor == Some(Vendor::GitLab) {
            args.parameters.clear();
        }
    }
    facts.repository = Some(dir.to_path_buf());
    let project = open::for_facts(&args, &[], located, facts)?;
    Ok(Planned {
        workflow: project.workflow,
        facts: project.facts,
        settings: project.settings,
        dir: Some(dir.to_path_buf()),
        supersede,
    })
}

/// Writes the files of the commit of an occasion into `dir`.
pub(super) fn write_files(occasion: &Occasion, dir: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(dir)?;
    let revision = occasion.event.revision.as_deref().unwrap_or("HEAD");
    vcs::export(&occasion.repository, revision, dir).map_err(|error| Failure::engine(chain(&error)))
}

/// What `ci run` would be given for the event.
fn arguments(dir: &Path, event: &Event, workflow: Option<&str>) -> WorkflowArgs {
    let tag = match &event.kind {
        EventKind::Tag { name, .. } => Some(name.clone()),
        _ => None,
    };
    WorkflowArgs {
        path: dir.to_path_buf(),
        config: None,
        workflow: workflow.map(str::to_owned),
        parameters: Vec::new(),
        orbs: Vec::new(),
        include_map: Vec::new(),
        stub_missing: true,
        event: match event.kind {
            EventKind::Schedule { .. } => EventChoice::Schedule,
            EventKind::Api { .. } => EventChoice::Api,
            _ => EventChoice::Push,
        },
        branch: event.kind.branch().map(str::to_owned),
        tag,
        target: None,
        revision: event.revision.clone(),
        base: None,
        variables: Vec::new(),
        variable_files: Vec::new(),
        settings: None,
        executor: None,
        images: Vec::new(),
    }
}

/// What the run is for, with the repository itself instead of a copy of its files.
fn of_change(mut facts: RunFacts, occasion: &Occasion) -> RunFacts {
    facts.repository = Some(occasion.repository.clone());
    facts.variable(CHANGE, &occasion.id)
}

/// A commit whose configuration cannot be used has a run that says so, unless somebody waits to be told:
/// it must not look as if it had none.
fn broken(occasion: &Occasion, failure: Failure) -> Result<Plan, Failure> {
    if occasion.is_asked_for {
        return Err(failure);
    }
    let why = failure.message;
    let step = step_fn("configuration", move |_| {
        let why = why.clone();
        async move { Ok::<_, StepError>(Outcome::failed(why)) }
    });
    let job = JobSpec::new("configuration").step(StepSpec::code(step));
    let workflow = WorkflowSpec::builder("configuration").job(job).build();
    Ok(Plan::Run(Box::new(Planned {
        workflow: workflow.unwrap_or_default(),
        facts: of_change(occasion.event.facts(), occasion),
        settings: Settings::default(),
        dir: None,
        supersede: false,
    })))
}
