//! The course of a run: its first event, the jobs, its last event, the report.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::error::{RunError, RunErrorKind};
use super::host::RunHost;
use super::past::{Past, bring_along, reusable};
use super::report::{JobReport, RunReport};
use super::watch::{self, StoreWatch};
use crate::event::{BudgetReport, JobInfo, RunEvent};
use crate::executor::ReapScope;
use crate::id::JobId;
use crate::job::GroupUse;
use crate::outcome::Outcome;
use crate::scheduler::drive::drive;
use crate::scheduler::{JobState, Machine};
use crate::store::Lease;

/// The run itself, from its first event to its last. `places` are the group that it needs a place in, and
/// the places of its dead process, which are free once nothing of that is left.
pub(super) async fn go(
    host: Arc<RunHost>,
    machine: Machine,
    inbox: mpsc::UnboundedReceiver<crate::scheduler::drive::Command>,
    past: Past,
    places: (Option<GroupUse>, Vec<Lease>),
) -> Result<RunReport, RunError> {
    let begun = host.clock.elapsed();
    let watch = StoreWatch::start(&host);
    let result = go_on(&host, machine, inbox, past, places, begun).await;
    drop(watch);
    if let Some(store) = &host.store
        && let Err(error) = store.disown(&host.owner).await
    {
        host.warn(None, format!("the run was not released: {error}"));
    }
    let hub = Arc::clone(host.recorder.hub());
    if !hub.wants_lifecycle() {
        return result;
    }
    // Sinks may block while they take the last events.
    let closed = tokio::task::spawn_blocking(move || {
        hub.close();
        hub.failures()
    });
    let failures = closed.await.unwrap_or_default();
    result.map(|mut report| {
        report.warnings.extend(failures);
        report
    })
}

async fn go_on(
    host: &Arc<RunHost>,
    machine: Machine,
    mut inbox: mpsc::UnboundedReceiver<crate::scheduler::drive::Command>,
    past: Past,
    (group, inherited): (Option<GroupUse>, Vec<Lease>),
    begun: std::time::Duration,
) -> Result<RunReport, RunError> {
    clean_up(host, &past).await?;
    host.give_leases(inherited).await;
    let tears_down = has_begun(&past) && has_teardown(host);
    watch::take_run_group(host, group, &mut inbox, tears_down).await?;
    if let Some(receipt) = host.recorder.queue(first_events(host, &machine, &past)) {
        host.recorder.publish(receipt).await?;
    }
    let driven = drive(Arc::clone(host), machine, host.clock.clone(), inbox).await;
    let Some((machine, failure)) = driven else {
        return Err(RunError::new(
            RunErrorKind::Internal,
            "the driver lost its machine",
        ));
    };
    if let Some(failure) = failure {
        return Err(failure);
    }
    for executor in &host.executors {
        match executor.settle(host.run).await {
            Ok(report) => host.warn_of_left(&**executor, report),
            Err(error) => host.warn(None, crate::error::chain(&error)),
        }
    }
    let report = report(host, machine, begun);
    if host.recorder.is_on() {
        let last = RunEvent::RunFinished {
            run: host.run,
            outcome: report.outcome,
            jobs: report.jobs.iter().map(JobReport::result).collect(),
            budgets: report.budgets.clone(),
            duration: report.duration,
        };
        if let Some(receipt) = host.recorder.queue(vec![last]) {
            host.recorder.publish(receipt).await?;
        }
    }
    Ok(report)
}

/// Whether a job of the run began in an earlier life of it.
fn has_begun(past: &Past) -> bool {
    matches!(past, Past::Resumed(history) if !history.executors.is_empty())
}

fn has_teardown(host: &RunHost) -> bool {
    let mut jobs = host.plan.dag.jobs();
    jobs.any(|job| host.plan.job(job).options.always)
}

/// Ends what a dead process left of the run before anything runs again, and brings along what a
/// repeated run reuses.
async fn clean_up(host: &RunHost, past: &Past) -> Result<(), RunError> {
    match past {
        Past::New => {}
        Past::Resumed(history) => {
            let mut used = history.executors.clone();
            // The journal may have lost its last events; the plan has not.
            used.extend(host.plan.dag.jobs().map(|job| host.executor_name(job)));
            for executor in &host.executors {
                match executor.reap(&ReapScope::Run(host.run)).await {
                    Ok(report) => host.warn_of_left(&**executor, report),
                    // One that no job needs may be absent, such as an engine that is not installed.
                    Err(_) if !used.contains(executor.name()) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Past::Repeated { of, history } => bring_along(host, *of, history).await?,
    }
    Ok(())
}

/// That the run began, and the jobs that a repeated run reuses.
fn first_events(host: &RunHost, machine: &Machine, past: &Past) -> Vec<RunEvent> {
    if !host.recorder.is_on() {
        return Vec::new();
    }
    let plan = &host.plan;
    // By the graph, not by the specs: those name a job with a matrix by its declared name.
    let mut needs: Vec<Vec<Arc<str>>> = vec![Vec::new(); plan.jobs.len()];
    for from in plan.dag.jobs() {
        for edge in plan.dag.edges(from) {
            needs[edge.to.index()].push(Arc::clone(&plan.job(from).name));
        }
    }
    let jobs = plan.dag.jobs().zip(needs).map(|(id, needs)| {
        let job = plan.job(id);
        JobInfo {
            name: Arc::clone(&job.name),
            needs,
            stage: job.options.stage.clone(),
            executor: host.executor_name(id),
            steps: u32::try_from(job.steps.len()).unwrap_or(u32::MAX),
        }
    });
    let resumed = matches!(past, Past::Resumed(_));
    let workflow = Arc::clone(&plan.workflow);
    let mut events = vec![RunEvent::RunStarted {
        workflow,
        jobs: jobs.collect(),
        resumed,
    }];
    if let Past::Repeated { history, .. } = past {
        events.extend(reusable(plan, history).into_iter().map(|(job, _)| {
            let end = machine.record(job);
            RunEvent::JobFinished {
                job: Arc::clone(&plan.job(job).name),
                result: end.outcome.clone(),
                attempts: end.attempts,
                duration: end.spent,
                allowed: !end.outcome.is_success(),
                reused: true,
                reports: host.book.reports(job),
            }
        }));
    }
    events
}

fn report(host: &RunHost, machine: Machine, begun: std::time::Duration) -> RunReport {
    let plan = &host.plan;
    let spent = host.budgets.iter().zip(machine.spent());
    let budgets = spent.filter_map(|(budget, spent)| {
        let stage = Arc::clone(&budget.stage);
        Some(BudgetReport::new(stage, budget.limit, spent?))
    });
    let (budgets, outcome) = (budgets.collect(), machine.outcome());
    let undone = plan.dag.jobs().filter_map(|job| match machine.state(job) {
        JobState::Done => None,
        JobState::Held => Some((job, Outcome::OnHold)),
        _ => {
            let why = "the run ended on hold before it".into();
            Some((job, Outcome::NotRun(why)))
        }
    });
    let undone: Vec<_> = undone.collect();
    let mut ends = machine.into_records();
    for (job, outcome) in undone {
        ends[job.index()].outcome = outcome;
    }
    let jobs = plan.jobs.iter().zip(&mut ends).enumerate();
    let jobs = jobs.map(|(index, (spec, end))| {
        let reports = host.book.reports(JobId::from_index(index));
        let allowed = !end.outcome.is_success() && spec.tolerates(&end.outcome);
        JobReport {
            name: Arc::clone(&spec.name),
            outcome: std::mem::take(&mut end.outcome),
            attempts: end.attempts,
            duration: end.spent,
            allowed,
            reports,
        }
    });
    RunReport {
        run: host.run,
        workflow: Arc::clone(&plan.workflow),
        outcome,
        jobs: jobs.collect(),
        budgets,
        duration: host.clock.elapsed().saturating_sub(begun),
        warnings: host.take_warnings(),
    }
}
