//! Jobs that name images, services or machines, in the shell of this machine instead.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fidelity::Fidelity;
use super::yaml::Mark;
use crate::job::JobSpec;
use crate::workflow::WorkflowSpec;

/// Where a file says what a job runs in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// The image.
    pub image: Option<Mark>,
    /// The services, in their order; the last stands for those beyond.
    pub services: Vec<Mark>,
    /// The machine or the tags.
    pub labels: Option<Mark>,
}

/// The jobs that ask for something to run in.
pub type AskedByJobs = BTreeMap<Arc<str>, Asked>;

/// Lets the jobs that `goes` holds for run in the shell of this machine, whatever image, services or
/// labels they name, and says so in `fidelity`.
pub fn in_local_shell(
    workflow: &mut WorkflowSpec,
    asked: &AskedByJobs,
    goes: impl Fn(&JobSpec) -> bool,
    fidelity: &mut Fidelity,
) {
    let nowhere = Mark::new("", 1, 1);
    let none = Asked::default();
    for job in Arc::make_mut(&mut workflow.jobs) {
        if !job.asks_for_a_place() || !goes(job) {
            continue;
        }
        let asked = asked.get(&job.name).unwrap_or(&none);
        let requires = &mut Arc::make_mut(&mut job.options).requires;
        if let Some(image) = requires.image.take() {
            let mark = asked.image.as_ref().unwrap_or(&nowhere);
            let why = "the job runs in the shell of this machine";
            fidelity.approximated(mark, &format!("image: {image}"), why);
        }
        requires.platform = None;
        for (index, service) in requires.services.drain(..).enumerate() {
            let mark = asked.services.get(index).or(asked.services.last());
            let key = format!("services: {}", service.image);
            let why = "services are not started: have one that answers on localhost";
            fidelity.ignored(mark.unwrap_or(&nowhere), &key, why);
        }
        for label in requires.labels.drain(..) {
            let mark = asked.labels.as_ref().unwrap_or(&nowhere);
            // Of tags the file has been told about already.
            if !fidelity.rows().iter().any(|row| row.mark == *mark) {
                let why = "the job runs in the shell of this machine";
                fidelity.approximated(mark, &label, why);
            }
        }
    }
}
