//! What the plan of a run tells beside its journal: the picture, and where the jobs ran.

use std::collections::{BTreeMap, HashMap};

use super::journal::JobView;
use super::run::{EnvironmentView, FIDELITY, RunView, class_of, state_of};
use crate::event::{mark_of, precise};
use crate::graph::render::{JobMark, run_svg};
use crate::outcome::OutcomeKind;
use crate::store::StoredRun;
use crate::workflow::Plan;

/// The plan of the run, with just the jobs that it was started with.
pub(super) fn plan_of(run: &StoredRun, jobs: &[JobView]) -> Option<Plan> {
    let plan = run.workflow.plan(&run.facts).ok()?;
    if plan.jobs.len() == jobs.len() {
        return Some(plan);
    }
    let names: Vec<&str> = jobs.iter().map(|job| &*job.name).collect();
    plan.restrict(&names, false).ok()
}

pub(super) fn picture(plan: &Plan, view: &RunView) -> String {
    let jobs: HashMap<&str, (usize, &JobView)> = view
        .jobs
        .iter()
        .enumerate()
        .map(|(place, job)| (&*job.name, (place, job)))
        .collect();
    let mark = |name: &str| {
        let Some((place, job)) = jobs.get(name) else {
            return JobMark::default();
        };
        JobMark {
            class: class_of(job.outcome),
            sign: job.outcome.map_or("…", mark_of),
            note: match job.outcome {
                Some(OutcomeKind::Skipped | OutcomeKind::NotRun) | None => {
                    state_of(job.outcome).to_owned()
                }
                Some(_) => precise(job.duration),
            },
            link: format!("#job-{place}"),
            critical: view.is_critical(name),
        }
    };
    let marks: Vec<JobMark> = plan.jobs.iter().map(|job| mark(&job.name)).collect();
    run_svg(plan, "The jobs and what they wait for", &marks)
}

pub(super) fn environment(plan: &Plan, jobs: &[JobView]) -> Vec<EnvironmentView> {
    let ran: HashMap<&str, &JobView> = jobs
        .iter()
        .filter(|job| !job.attempts.is_empty())
        .map(|job| (&*job.name, job))
        .collect();
    let mut places: BTreeMap<(String, Option<String>, Option<String>), usize> = BTreeMap::new();
    for spec in plan.jobs.iter() {
        if let Some(job) = ran.get(&*spec.name) {
            let wanted = &spec.options.requires;
            let executor = job.last_attempt().map_or("", |attempt| &attempt.executor);
            let place = (
                executor.to_owned(),
                wanted.image.clone(),
                wanted.resource_class.clone(),
            );
            *places.entry(place).or_default() += 1;
        }
    }
    let view = |((executor, image, class), jobs)| EnvironmentView {
        executor,
        image,
        class,
        jobs,
    };
    places.into_iter().map(view).collect()
}

pub(super) fn fidelity(run: &StoredRun) -> Vec<String> {
    let jobs = run.workflow.jobs.iter();
    let kept = jobs.filter_map(|job| job.options.extra.get(FIDELITY)?.as_array());
    let words = kept.flatten().filter_map(|words| words.as_str());
    words.map(str::to_owned).collect()
}
