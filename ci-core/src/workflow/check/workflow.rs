//! Checks a workflow as a whole, then each of its jobs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::{job, name};
use crate::job::{GroupUse, JobOptions};
use crate::similar::{Suggest, did_you_mean};
use crate::workflow::expand;
use crate::workflow::{GoodSteps, Place, Problem, WorkflowSpec};

/// Reports every value of `spec` that cannot be used.
pub(in crate::workflow) fn check(spec: &WorkflowSpec, problems: &mut Vec<Problem>) {
    let place = || Place::Workflow;
    name::check("a workflow", &spec.name, place, problems);
    for variable in spec.env.keys() {
        name::check_variable("a variable", variable, place, problems);
    }
    check_duration(spec.timeout, "its time limit", place, problems);
    let mut groups = Groups::default();
    if let Some(group) = &spec.group {
        groups.check(group, place, problems);
    }
    check_budgets(spec, problems);
    // Jobs often share their options, too.
    let mut good_options: Option<*const JobOptions> = None;
    let mut good_steps = GoodSteps::default();
    let mut total = 0usize;
    for job in spec.jobs.iter() {
        let before = problems.len();
        name::check("a job", &job.name, || Place::job(&job.name), problems);
        if good_options != Some(Arc::as_ptr(&job.options)) {
            job::check_options(job, &mut groups, problems);
            good_options = (problems.len() == before).then_some(Arc::as_ptr(&job.options));
        }
        good_steps.check(job, problems, |problems| job::check_steps(job, problems));
        total = total.saturating_add(expand::count(job).unwrap_or(0));
    }
    if total >= u32::MAX as usize {
        problems.push(Problem::BadValue {
            place: place(),
            why: format!("{total} jobs are more than a run can have"),
        });
    }
}

/// Reports a time limit that leaves no time.
pub(super) fn check_duration(
    duration: Option<Duration>,
    what: &str,
    place: impl FnOnce() -> Place,
    problems: &mut Vec<Problem>,
) {
    if duration.is_some_and(|duration| duration.is_zero()) {
        problems.push(Problem::BadValue {
            place: place(),
            why: format!("{what} is zero"),
        });
    }
}

fn check_budgets(spec: &WorkflowSpec, problems: &mut Vec<Problem>) {
    if spec.budgets.is_empty() {
        return;
    }
    let stages: HashSet<&str> = spec
        .jobs
        .iter()
        .filter_map(|job| job.options.stage.as_deref())
        .collect();
    let mut seen = HashSet::new();
    let mut suggest = Suggest::new();
    for budget in &spec.budgets {
        let place = || Place::Budget {
            stage: Arc::clone(&budget.stage),
        };
        check_duration(Some(budget.limit), "its limit", place, problems);
        let mut report = |why| {
            let place = place();
            problems.push(Problem::BadValue { place, why });
        };
        if !seen.insert(&budget.stage) {
            report("the stage has more than one budget".to_owned());
        } else if !stages.contains(&*budget.stage) {
            let hint = did_you_mean(suggest.closest(&budget.stage, stages.iter().copied()));
            report(format!("no job is in that stage{hint}"));
        }
    }
}

/// The groups seen so far, to notice one that is used with two limits.
#[derive(Default)]
pub(super) struct Groups {
    limits: HashMap<Arc<str>, u32>,
}

impl Groups {
    pub(super) fn check(
        &mut self,
        group: &GroupUse,
        place: impl Fn() -> Place,
        problems: &mut Vec<Problem>,
    ) {
        name::check("a group", &group.name, &place, problems);
        let limit = *self
            .limits
            .entry(Arc::clone(&group.name))
            .or_insert(group.limit);
        let why = if group.limit == 0 {
            format!(
                "nothing could ever run in group `{}` with limit 0",
                group.name
            )
        } else if limit != group.limit {
            format!(
                "group `{}` has limit {} here and {limit} elsewhere",
                group.name, group.limit
            )
        } else {
            return;
        };
        problems.push(Problem::BadValue {
            place: place(),
            why,
        });
    }
}
