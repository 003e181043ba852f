//! What jobs ask of the options of their run: contexts and registered steps. Told before anything runs.

use std::collections::HashSet;

use super::options::RunOptions;
use super::past::{Past, settled};
use crate::id::JobId;
use crate::similar::Suggest;
use crate::step::Action;
use crate::workflow::{GoodSteps, InvalidWorkflow, Place, Plan, Problem};

/// Reports the contexts and steps that jobs name and the options do not give. A job that is not run, as
/// its condition leaves it out or as it ended in an earlier life of the run, asks for nothing.
pub(super) fn check(plan: &Plan, options: &RunOptions, past: &Past) -> Result<(), InvalidWorkflow> {
    let mut missing: Vec<(JobId, Problem)> = Vec::new();
    let mut suggest = Suggest::new();
    let mut good = GoodSteps::default();
    for id in plan.dag.jobs() {
        let job = plan.job(id);
        for context in &job.options.contexts {
            if options.contexts.contains_key(context) {
                continue;
            }
            let known = options.contexts.keys();
            let meant = suggest.closest(context, known.clone().map(String::as_str));
            let problem = Problem::UnknownContext {
                job: job.name.to_string(),
                context: context.clone(),
                did_you_mean: meant.map(str::to_owned),
                known: known.cloned().collect(),
            };
            missing.push((id, problem));
        }
        good.check(job, &mut missing, |missing| {
            for (index, step) in job.steps.iter().enumerate() {
                let Action::Custom(custom) = &step.action else {
                    continue;
                };
                let registry = &options.steps;
                if registry.has(&custom.step) {
                    continue;
                }
                let meant = suggest.closest(&custom.step, registry.names());
                let problem = Problem::UnknownStep {
                    place: Place::step(job, index),
                    step: custom.step.clone(),
                    did_you_mean: meant.map(str::to_owned),
                    known: registry.names().map(str::to_owned).collect(),
                };
                missing.push((id, problem));
            }
        });
    }
    if missing.is_empty() {
        return Ok(());
    }
    let settled: HashSet<JobId> = settled(plan, past);
    missing.retain(|(job, _)| !plan.skipped.contains_key(job) && !settled.contains(job));
    InvalidWorkflow::check(missing.into_iter().map(|(_, problem)| problem).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Condition, JobSpec, Pattern};
    use crate::step::{CustomSpec, StepError, StepSpec, step_fn};
    use crate::workflow::{RunFacts, WorkflowSpec};

    fn custom(step: &str) -> StepSpec {
        let (step, with) = (step.into(), serde_json::Value::Null);
        StepSpec::new(Action::Custom(CustomSpec { step, with }))
    }

    fn told(jobs: impl IntoIterator<Item = JobSpec>, options: &RunOptions) -> Vec<String> {
        let spec = WorkflowSpec::builder("w").jobs(jobs).build().unwrap();
        let plan = spec.plan(&RunFacts::default()).unwrap();
        match check(&plan, options, &Past::New) {
            Ok(()) => Vec::new(),
            Err(error) => error.problems().iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn all_that_was_not_given_is_told_at_once() {
        let greet = step_fn("greet", |_| async { Ok::<_, StepError>(()) });
        let options = RunOptions::new().context("deploy", []).step("greet", greet);
        let jobs = [
            JobSpec::new("a").context("deploy").step(custom("greet")),
            JobSpec::new("b").context("deplyo").context("nope"),
            JobSpec::new("c").step(custom("greet")).step(custom("gret")),
        ];
        assert_eq!(
            told(jobs, &options),
            [
                "job `b` takes the context `deplyo`, which this run was not given (did you mean \
                 `deploy`?); given: `deploy`",
                "job `b` takes the context `nope`, which this run was not given; given: `deploy`",
                "job `c`, step 2 (`gret`): no step is registered as `gret` (did you mean `greet`?); \
                 registered: `greet`",
            ]
        );
    }

    #[test]
    fn a_job_that_is_left_out_asks_for_nothing() {
        let job = JobSpec::new("a").context("nope").step(custom("nope"));
        let left_out = job
            .clone()
            .when(Condition::Branch(Pattern::Is("main".into())));
        assert!(told([left_out], &RunOptions::new()).is_empty());
        assert_eq!(told([job], &RunOptions::new()).len(), 2);
    }
}
