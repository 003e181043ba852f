//! What happened to a run before this process took it up, and what of it still counts.

use std::collections::{HashMap, HashSet};
#[cfg(feature = "storage")]
use std::sync::Arc;

use super::book::Page;
use super::error::RunError;
#[cfg(feature = "storage")]
use super::error::RunErrorKind;
use super::history::{Decision, History};
use super::host::RunHost;
use crate::id::{JobId, RunId};
use crate::scheduler::{JobEnd, Machine};
#[cfg(feature = "storage")]
use crate::store::StoreErrorKind;
use crate::store::{RequestKind, RunStore};
use crate::workflow::Plan;

/// What happened to the run before.
pub(super) enum Past {
    New,
    Resumed(History),
    Repeated { of: RunId, history: History },
}

/// What was decided about held jobs before this process took the run over: by its journal, and by what
/// others left in the store while nobody drove it.
pub(super) async fn decisions(
    run: RunId,
    plan: &Plan,
    past: &Past,
    store: Option<&dyn RunStore>,
) -> Result<HashMap<JobId, Decision>, RunError> {
    let (Past::Resumed(history), Some(store)) = (past, store) else {
        return Ok(HashMap::new());
    };
    let mut known = history.decisions.clone();
    for record in store.requests(run, 0).await? {
        if let RequestKind::Approve { job, approved } = record.request.kind {
            let by = record.request.by;
            known.insert(job.into(), Decision { approved, by });
        }
    }
    let jobs = known.into_iter();
    Ok(jobs
        .filter_map(|(name, decision)| Some((plan.find(&name)?, decision)))
        .collect())
}

/// Tells the machine what ended in an earlier life of the run.
pub(super) fn restore(machine: &mut Machine, host: &RunHost, past: &Past) -> Result<(), RunError> {
    let plan = &host.plan;
    match past {
        Past::New => {}
        Past::Resumed(history) => {
            for job in plan.dag.jobs() {
                let name = &plan.job(job).name;
                if let Some(end) = history.ended.get(name) {
                    let fine = plan.job(job).tolerates(&end.outcome);
                    host.book.restore(job, earlier(history, name), fine);
                    machine.restore(job, end.clone())?;
                } else if let Some(attempts) = history.failed_attempts.get(name) {
                    machine.restore_attempts(job, *attempts);
                }
            }
        }
        Past::Repeated { history, .. } => {
            for (job, end) in reusable(plan, history) {
                let name = &plan.job(job).name;
                host.book.restore(job, earlier(history, name), true);
                machine.restore(job, end)?;
            }
        }
    }
    Ok(())
}

/// The jobs that are not run again, as they ended in an earlier life of the run.
pub(super) fn settled(plan: &Plan, past: &Past) -> HashSet<JobId> {
    match past {
        Past::New => HashSet::new(),
        Past::Resumed(history) => {
            let ended = |job: &JobId| history.ended.contains_key(&plan.job(*job).name);
            plan.dag.jobs().filter(ended).collect()
        }
        Past::Repeated { history, .. } => {
            let reused = reusable(plan, history).into_iter();
            reused.map(|(job, _)| job).collect()
        }
    }
}

/// What the reports of a job said in an earlier life of the run.
fn earlier(history: &History, job: &str) -> Option<Page> {
    let reports = history.reports.get(job)?;
    Some(Page {
        tests: reports.tests,
        coverage: reports.coverage,
        metrics: reports.metrics.clone(),
        findings: reports.findings,
        roots: history.work_dirs.get(job).cloned().unwrap_or_default(),
        ..Page::default()
    })
}

/// The jobs of an ended run that need not run again: those that succeeded and wait for none that has
/// to run again. Teardown jobs always run again.
pub(super) fn reusable(plan: &Plan, history: &History) -> Vec<(JobId, JobEnd)> {
    let mut reused: Vec<Option<JobEnd>> = plan
        .dag
        .jobs()
        .map(|job| {
            let spec = plan.job(job);
            let end = history.ended.get(&spec.name)?;
            (!spec.options.always && spec.tolerates(&end.outcome)).then(|| end.clone())
        })
        .collect();
    for job in &plan.order {
        if reused[job.index()].is_none() {
            for edge in plan.dag.edges(*job) {
                reused[edge.to.index()] = None;
            }
        }
    }
    reused
        .into_iter()
        .enumerate()
        .filter_map(|(index, end)| Some((JobId::from_index(index), end?)))
        .collect()
}

/// Lets the new run have what the jobs that it reuses kept in the old one.
#[cfg(feature = "storage")]
pub(super) async fn bring_along(
    host: &RunHost,
    of: RunId,
    history: &History,
) -> Result<(), RunError> {
    let Some(storage) = host.storage.clone() else {
        return Ok(());
    };
    let reused = reusable(&host.plan, history).into_iter();
    let names: Vec<_> = reused
        .map(|(job, _)| Arc::clone(&host.plan.job(job).name))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let to = host.run;
    let copied = tokio::task::spawn_blocking(move || {
        names.iter().try_for_each(|job| {
            storage.copy_workspace(of, to, job)?;
            storage.copy_artifacts(of, to, job)
        })
    });
    match copied.await {
        Ok(Ok(())) => still_there(host, of).await,
        Ok(Err(error)) => Err(RunError::new(
            RunErrorKind::Store,
            format!(
                "the workspace could not be reused: {}",
                crate::error::chain(&error)
            ),
        )),
        Err(panic) => Err(RunError::new(RunErrorKind::Internal, panic.to_string())),
    }
}

/// Makes sure that everything the run kept was there to be copied. A run that is removed goes from the
/// store first and its files go then, and a job that kept none looks like one whose files are gone.
#[cfg(feature = "storage")]
async fn still_there(host: &RunHost, of: RunId) -> Result<(), RunError> {
    let Some(store) = &host.store else {
        return Ok(());
    };
    match store.load(of).await {
        Err(error) if error.kind() == StoreErrorKind::NotFound => {
            let message = format!("the run `{of}` was removed while its files were taken over");
            Err(RunError::new(RunErrorKind::NotFound, message)
                .with_hint("begin a new run of the workflow, which does every job again"))
        }
        other => Ok(other.map(drop)?),
    }
}

#[cfg(not(feature = "storage"))]
#[expect(clippy::unused_async, reason = "the same signature as with storage")]
pub(super) async fn bring_along(
    _host: &RunHost,
    _of: RunId,
    _history: &History,
) -> Result<(), RunError> {
    Ok(())
}
