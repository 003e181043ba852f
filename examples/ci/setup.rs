//! Setup workflows: what their runs need to go on with the configuration that they make.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ci_core::config::circleci::{CompileOptions, Continuation, OrbDirectory};
use ci_core::config::fidelity::Fidelity;
use ci_core::config::place;
use ci_core::id::RunId;
use ci_core::settings::{Chosen, Settings};
use ci_core::storage::{Artifact, Storage};
use ci_core::vcs::remote_info;
use ci_core::workflow::{RunFacts, WorkflowSpec};
use serde::{Deserialize, Serialize};

use crate::executors::Wanted;
use crate::failure::{Failure, chain};

/// The variable under which a run keeps what it needs to go on.
const VARIABLE: &str = "CI_CORE_SETUP";

/// What the run of a setup workflow needs to go on. It is kept with the run, so that the run can also
/// be resumed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// The file of the setup.
    pub(crate) file: String,
    /// The id of the pipeline.
    pub(crate) pipeline: String,
    pub(crate) orbs: Vec<PathBuf>,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) schedule: Option<String>,
    /// The workflow and the jobs that were asked for and are none of the setup's.
    pub(crate) workflow: Option<String>,
    pub(crate) jobs: Vec<String>,
    /// Where its jobs are to run.
    #[serde(default)]
    pub(crate) wanted: Wanted,
}

/// What a pipeline goes on with.
pub(crate) struct Continued {
    pub(crate) workflow: WorkflowSpec,
    pub(crate) fidelity: Fidelity,
    /// Where its jobs run, and why.
    pub(crate) chosen: Vec<Chosen>,
    /// The jobs of the configuration that do not run, and why.
    pub(crate) skipped: Vec<(Arc<str>, String)>,
}

impl Setup {
    /// Keeps it in the workflow.
    pub(crate) fn keep_in(&self, workflow: &mut WorkflowSpec) -> Result<(), Failure> {
        let text = serde_json::to_string(self)?;
        workflow.env.insert(VARIABLE.to_owned(), text);
        Ok(())
    }

    /// What a workflow keeps; `None` if it is no setup.
    pub(crate) fn of(workflow: &WorkflowSpec) -> Result<Option<Self>, Failure> {
        let text = workflow.env.get(VARIABLE);
        Ok(text.map(|text| serde_json::from_str(text)).transpose()?)
    }

    /// How the setup's file and the continuation are compiled.
    pub(crate) fn options(&self, facts: &RunFacts) -> CompileOptions {
        let mut options = CompileOptions::default();
        options.orbs = Arc::new(OrbDirectory::new(self.orbs.iter().cloned()));
        let pipeline = &mut options.pipeline;
        pipeline.facts = facts.clone();
        pipeline.parameters.clone_from(&self.parameters);
        pipeline.number = 1;
        pipeline.id.clone_from(&self.pipeline);
        pipeline.schedule.clone_from(&self.schedule);
        let remote = facts.repository.as_deref().map(remote_info);
        if let Some(Ok(remote)) = remote {
            pipeline.repository_url = remote.url;
            pipeline.default_branch = remote.default_branch;
        }
        options
    }

    /// What the pipeline goes on with after `run`; `None` if no job of it asked for that.
    pub(crate) fn continued(
        &self,
        run: RunId,
        facts: &RunFacts,
        storage: &Storage,
        settings: &Settings,
    ) -> Result<Option<Continued>, Failure> {
        let Some(continuation) = request(run, storage)? else {
            return Ok(None);
        };
        let file = format!("{} (continued)", self.file);
        let wrong = |error: ci_core::config::problem::ConfigError| Failure::config(&error);
        let options = self.options(facts);
        let compiled = continuation.compile(&file, &options).map_err(wrong)?;
        let lowered = compiled
            .lower(self.workflow.as_deref(), &options)
            .map_err(wrong)?;
        let (workflow, chosen) = self.wanted.choose(settings, lowered.workflow)?;
        let mut workflow = crate::aws::interruptible(settings, workflow);
        let mut fidelity = lowered.fidelity;
        place::compare(&chosen, &lowered.asked, &mut fidelity);
        with_program(&mut workflow);
        let skipped = lowered.skipped.into_iter();
        Ok(Some(Continued {
            workflow,
            fidelity,
            chosen,
            skipped: skipped.map(|job| (job.name, job.why)).collect(),
        }))
    }
}

/// What jobs call `circleci` comes back to this program.
pub(crate) fn with_program(workflow: &mut WorkflowSpec) {
    if let Some(program) = crate::library::program() {
        let program = program.display().to_string();
        workflow.env.insert("CI_CORE_PROGRAM".into(), program);
    }
}

/// The directories of orbs: those that were named, as they are from anywhere, and the project's own.
pub(crate) fn orb_directories(named: &[PathBuf], dir: &Path) -> Vec<PathBuf> {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let own = dir.join(".circleci/orbs");
    named.iter().map(absolute).chain([own]).collect()
}

/// The request of the run's jobs. A pipeline goes on once: a second request is an error.
fn request(run: RunId, storage: &Storage) -> Result<Option<Continuation>, Failure> {
    let failed = |error| Failure::engine(chain(&error));
    let artifacts = storage.artifacts(run, None).map_err(failed)?;
    let is_request = |artifact: &&Artifact| artifact.path == Continuation::ARTIFACT;
    let mut requests = artifacts.iter().filter(is_request);
    let Some(first) = requests.next() else {
        return Ok(None);
    };
    if let Some(second) = requests.next() {
        let message = format!(
            "the jobs `{}` and `{}` both continue the pipeline, which goes on once",
            first.job, second.job
        );
        return Err(Failure::input(message));
    }
    let mut body = Vec::new();
    let mut reader = storage.open_artifact(&first.digest).map_err(failed)?;
    reader.read_to_end(&mut body)?;
    let continuation = Continuation::parse(&body);
    continuation
        .map(Some)
        .map_err(|error| Failure::input(format!("job `{}`: {error}", first.job)))
}
