//! Decides which jobs are part of a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::RunFacts;
use crate::id::JobId;
use crate::job::{JobSpec, Matchers};

/// The jobs that are not part of the run that `facts` describes, and why. A condition with a bad
/// pattern, which the checks report, does not hold.
pub(super) fn filter(jobs: &[JobSpec], facts: &RunFacts) -> BTreeMap<JobId, Arc<str>> {
    let mut matchers = Matchers::default();
    let mut skipped = BTreeMap::new();
    for (index, job) in jobs.iter().enumerate() {
        let Some(condition) = &job.options.condition else {
            continue;
        };
        if !matchers.holds(condition, facts).unwrap_or(false) {
            let why = format!("its condition does not hold: {condition}");
            skipped.insert(JobId::from_index(index), why.into());
        }
    }
    skipped
}
