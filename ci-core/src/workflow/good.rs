//! Jobs often share their steps: what was found good once is not looked at again.

use std::sync::Arc;

use crate::job::JobSpec;
use crate::step::StepSpec;

/// The steps that were found good last.
#[derive(Debug, Default)]
pub(crate) struct GoodSteps(Option<*const [StepSpec]>);

impl GoodSteps {
    /// Has `look` report what is wrong with the steps of `job`, unless they are those that were good last.
    pub(crate) fn check<P>(
        &mut self,
        job: &JobSpec,
        problems: &mut Vec<P>,
        look: impl FnOnce(&mut Vec<P>),
    ) {
        let steps = Arc::as_ptr(&job.steps);
        if job.steps.is_empty() || self.0.is_some_and(|good| std::ptr::eq(good, steps)) {
            return;
        }
        let before = problems.len();
        look(problems);
        self.0 = (problems.len() == before).then_some(steps);
    }
}
