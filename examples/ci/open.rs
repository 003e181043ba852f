//! Opens what the commands work on: the workflow, its settings and facts, the secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ci_core::config::fidelity::Fidelity;
use ci_core::id::RunId;
use ci_core::settings::Settings;
use ci_core::store::{RunQuery, RunStore, StoredRun};
use ci_core::vcs::ChangeScope;
use ci_core::workflow::{RunFacts, WorkflowSpec};

use crate::args::WorkflowArgs;
use crate::failure::{Failure, chain};
use crate::library;
use crate::origin::{self, Located, Vendor, locate};

/// A workflow with what a run of it is for.
pub(crate) struct Project {
    pub(crate) workflow: WorkflowSpec,
    pub(crate) facts: RunFacts,
    pub(crate) settings: Settings,
    pub(crate) dir: PathBuf,
    /// The jobs of the file that do not run, and why.
    pub(crate) skipped: Vec<(Arc<str>, String)>,
    /// What is not the same as on the vendor's machines.
    pub(crate) fidelity: Fidelity,
}

/// Reads the workflow, the settings and the facts.
pub(crate) fn project(args: &WorkflowArgs) -> Result<Project, Failure> {
    let Located { file, dir, vendor } = locate(args)?;
    let settings = settings(args.settings.as_deref(), &dir)?;
    let facts = facts(args, &dir)?;
    let (mut skipped, mut fidelity) = (Vec::new(), Fidelity::default());
    let workflow = match vendor {
        None => WorkflowSpec::from_path(&file).map_err(|error| Failure::input(chain(&error)))?,
        Some(Vendor::CircleCi) => {
            let options = origin::circleci_options(args, &facts, &dir);
            let compiled = origin::circleci(&file, &options)?;
            let lowered = compiled
                .lower(args.workflow.as_deref(), &options)
                .map_err(|error| Failure::input(error.to_string()))?;
            let left_out = lowered.skipped.into_iter();
            skipped = left_out.map(|job| (job.name, job.why)).collect();
            fidelity = lowered.fidelity;
            let mut workflow = lowered.workflow;
            // What jobs call `circleci` comes back to this program.
            if let Some(program) = library::program() {
                let program = program.display().to_string();
                workflow.env.insert("CI_CORE_PROGRAM".into(), program);
            }
            workflow
        }
        Some(Vendor::GitLab) => {
            let compiled = origin::gitlab(args, &file, &facts, &dir)?;
            let left_out = compiled.skipped().iter();
            skipped = left_out
                .map(|job| (Arc::clone(&job.name), job.why.clone()))
                .collect();
            fidelity = origin::fidelity_of(&compiled);
            let workflow = compiled.workflow();
            let mut workflow = workflow.map_err(|error| Failure::input(error.to_string()))?;
            origin::in_local_shell(&mut workflow, &file, &mut fidelity);
            workflow
        }
    };
    Ok(Project {
        workflow,
        facts,
        settings,
        dir,
        skipped,
        fidelity,
    })
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
        let read: Contexts = serde_saphyr::from_str(&text).map_err(|error| {
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
    let known: Vec<String> = plan
        .jobs
        .iter()
        .map(|job| format!("`{}`", job.name))
        .collect();
    Err(Failure::input(format!("the run has no job `{job}`"))
        .hint(format!("it has {}", known.join(", "))))
}
