//! Numbers for jobs that workflows run in several ways without naming them: `test-1`, `test-2`.
//!
//! What is run with the same arguments is one job, in one workflow and in several; it keeps its name
//! where there is nothing to tell it apart from.

use std::collections::HashMap;
use std::sync::Arc;

use super::workflows::Prepared;
use crate::yaml::Node;

/// Gives names to the entries of all workflows of a file that it does not name.
pub(super) fn number(workflows: &mut [Prepared<'_>]) {
    let kinds = kinds(workflows);
    let several = |reference: &str| kinds.get(reference).is_some_and(|kinds| kinds.len() > 1);
    for workflow in workflows {
        let mut here: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut numbers = Vec::new();
        for (index, (entry, job)) in workflow.entries.iter().zip(&workflow.jobs).enumerate() {
            if let Some(job) = job
                && !entry.is_named
                && several(entry.reference)
                && let Some(number) = kinds[entry.reference].iter().position(|it| it.same(job))
            {
                numbers.push((index, number + 1));
                here.entry(entry.reference).or_default().push(number);
            }
        }
        for (index, number) in numbers {
            let entry = &mut workflow.entries[index];
            let name: Arc<str> = format!("{}-{number}", entry.reference).into();
            // Where a workflow has one of them, `requires` may say its plain name.
            let all = &here[entry.reference];
            if all.iter().any(|other| *other != all[0]) {
                entry.base = Arc::clone(&name);
            }
            entry.name = name;
        }
    }
}

/// The different ways in which each job is run without a name, in their order.
fn kinds(workflows: &[Prepared<'_>]) -> HashMap<String, Vec<Node>> {
    let mut kinds: HashMap<String, Vec<Node>> = HashMap::new();
    for workflow in workflows {
        for (entry, job) in workflow.entries.iter().zip(&workflow.jobs) {
            let Some(job) = job.as_ref().filter(|_| !entry.is_named) else {
                continue;
            };
            let known = kinds.entry(entry.reference.to_owned()).or_default();
            if !known.iter().any(|it| it.same(job)) {
                known.push(job.clone());
            }
        }
    }
    kinds
}
