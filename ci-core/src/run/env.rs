//! The variables of a job.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::RunId;
use crate::job::JobSpec;
use crate::step::StepEnv;
use crate::workflow::RunFacts;

/// The variables of `job`, the later of these winning: what the engine tells every job, the variables
/// of the run, of the workflow, of the job's contexts, and of the job.
pub(super) fn job_env(
    run: RunId,
    job: &JobSpec,
    workflow: &BTreeMap<String, String>,
    facts: &RunFacts,
    contexts: &BTreeMap<String, BTreeMap<String, String>>,
) -> StepEnv {
    let mut env = BTreeMap::new();
    let mut set = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
    set("CI", "true");
    set("CI_RUN_ID", &run.to_string());
    set("CI_JOB_NAME", &job.name);
    set("CI_NODE_INDEX", "0");
    set("CI_NODE_TOTAL", "1");
    let known = [
        ("CI_BRANCH", &facts.branch),
        ("CI_TAG", &facts.tag),
        ("CI_REVISION", &facts.revision),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            set(name, value);
        }
    }
    let layers = [&facts.variables, workflow]
        .into_iter()
        .chain(
            job.options
                .contexts
                .iter()
                .filter_map(|name| contexts.get(name)),
        )
        .chain([&job.options.env]);
    for layer in layers {
        env.extend(
            layer
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
    }
    Arc::new(env)
}
