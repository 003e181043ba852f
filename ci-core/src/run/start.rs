//! Begins runs: new ones, ones whose process died, and repeats of ones that failed.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use super::error::{RunError, RunErrorKind};
use super::handle::RunHandle;
use super::history::{Decision, History};
use super::host::{Controls, RunHost};
use super::options::RunOptions;
use super::place::{Placed, place};
use super::recorder::Recorder;
use super::report::{BudgetReport, JobReport, RunReport};
use super::watch::{self, StoreWatch};
use crate::clock::Timestamp;
use crate::event::{EventHub, JobInfo, RunEvent};
use crate::executor::ReapScope;
use crate::id::{JobId, RunId};
use crate::outcome::{CancelReason, Outcome, OutcomeKind};
use crate::scheduler::drive::drive;
use crate::scheduler::{JobEnd, Limits, Machine, Pool};
use crate::secret::SecretSet;
use crate::store::{NewRun, OwnerId, RequestKind, RunStore};
use crate::workflow::{Plan, RunFacts, Workflow, WorkflowSpec};

/// Runs a workflow to its end.
///
/// ```
/// use ci_core::job::JobSpec;
/// use ci_core::run::{RunOptions, run};
/// use ci_core::step::{StepSpec, step_fn};
/// use ci_core::workflow::WorkflowSpec;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hello = step_fn("hello", |_| async { Ok::<_, std::io::Error>(()) });
/// let workflow = WorkflowSpec::builder("greeting")
///     .job(JobSpec::new("hello").step(StepSpec::code(hello)))
///     .build()?;
/// let report = run(&workflow, RunOptions::new()).await?;
/// assert!(report.is_success());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the workflow or the options cannot be used, or the engine could not do its work. Jobs that
/// fail are no error: see [`RunReport::outcome`].
///
/// Dropping the future cancels the run; its jobs are then torn down in the background.
pub async fn run(workflow: impl Workflow, options: RunOptions) -> Result<RunReport, RunError> {
    start(workflow, options).await?.wait().await
}

/// Begins a run and gives the handle to watch and steer it.
pub async fn start(workflow: impl Workflow, options: RunOptions) -> Result<RunHandle, RunError> {
    let spec = workflow.spec()?.into_owned();
    let (spec, notes) = options.settings.apply(spec);
    let notes = notes.iter().map(ToString::to_string).collect();
    let facts = options.facts.clone();
    begin(
        Beginning {
            run: RunId::new(),
            spec: Arc::new(spec),
            facts,
            past: Past::New,
            notes,
        },
        options,
    )
    .await
}

/// Goes on with a run whose process died: ends what the dead process left running, keeps what ended,
/// and runs the rest. The options' facts are not used: those of the run are.
///
/// # Errors
/// Besides those of [`start`]: the store does not have the run, it has ended, or another living
/// process drives it.
pub async fn resume(run: RunId, options: RunOptions) -> Result<RunHandle, RunError> {
    let store = needs_store(&options)?;
    let stored = store.load(run).await?;
    let history = History::of(&stored.journal);
    if let Some(outcome) = history.finished
        && !matches!(outcome, OutcomeKind::OnHold | OutcomeKind::Interrupted)
    {
        let message = format!("the run `{run}` has ended as {outcome}");
        return Err(RunError::new(RunErrorKind::NotResumable, message)
            .with_hint("repeat what failed with `rerun`"));
    }
    let (spec, facts) = (stored.workflow, stored.facts);
    let past = Past::Resumed(history);
    begin(
        Beginning {
            run,
            spec,
            facts,
            past,
            notes: Vec::new(),
        },
        options,
    )
    .await
}

/// Runs again what did not succeed in an ended run, as a new run that reuses the rest: the outcome of
/// every job that succeeded and needs nothing that has to run again, and its workspace.
pub async fn rerun(run: RunId, options: RunOptions) -> Result<RunHandle, RunError> {
    let store = needs_store(&options)?;
    let stored = store.load(run).await?;
    if stored.summary.outcome.is_none() && stored.summary.active {
        let message = format!("the run `{run}` still goes on");
        return Err(RunError::new(RunErrorKind::NotResumable, message));
    }
    let history = History::of(&stored.journal);
    let (spec, facts) = (stored.workflow, stored.facts);
    let past = Past::Repeated { of: run, history };
    begin(
        Beginning {
            run: RunId::new(),
            spec,
            facts,
            past,
            notes: Vec::new(),
        },
        options,
    )
    .await
}

fn needs_store(options: &RunOptions) -> Result<Arc<dyn RunStore>, RunError> {
    options.store.clone().ok_or_else(|| {
        RunError::new(
            RunErrorKind::Invalid,
            "only runs that are in a store can be gone on with",
        )
        .with_hint("give the options the store of the run")
    })
}

/// What a run begins from.
struct Beginning {
    run: RunId,
    spec: Arc<WorkflowSpec>,
    facts: RunFacts,
    past: Past,
    notes: Vec<String>,
}

/// What happened to the run before.
enum Past {
    New,
    Resumed(History),
    Repeated { of: RunId, history: History },
}

async fn begin(beginning: Beginning, mut options: RunOptions) -> Result<RunHandle, RunError> {
    let Beginning {
        run,
        spec,
        facts,
        past,
        notes,
    } = beginning;
    let whole = spec.without_jobs();
    let kept = options.store.is_some().then(|| Arc::clone(&spec));
    // The jobs are copied only if the store keeps them too.
    let mut plan = match Arc::try_unwrap(spec) {
        Ok(spec) => spec.into_plan(&facts)?,
        Err(shared) => shared.plan(&facts)?,
    };
    if !options.only.is_empty() {
        plan = plan.restrict(&options.only, true)?;
    }
    let plan = Arc::new(plan);
    let placed = place(&plan, &mut options)?;
    let owner = OwnerId::for_this_process();
    if let (Some(store), Some(spec)) = (options.store.clone(), kept) {
        let new = new_run(run, &spec, &facts, &past, options.clock.wall());
        let supersede = options.supersede;
        adopt(&*store, &owner, new, &past, supersede).await?;
    }
    let store = options.store.clone();
    let history = history_of(&plan, store.as_deref()).await?;
    let decisions = decisions(run, &plan, &past, store.as_deref()).await?;
    let (secrets, weak) = secrets(&options.contexts);
    let (commands, inbox) = mpsc::unbounded_channel();
    let last_seq = if let Past::Resumed(history) = &past {
        history.last_seq
    } else {
        0
    };
    let sinks = std::mem::take(&mut options.sinks);
    let hub = Arc::new(EventHub::new(run, options.clock.clone(), sinks));
    let recorder = Recorder::new(
        run,
        options.clock.clone(),
        hub,
        options.store.clone(),
        last_seq,
    );
    let limits = limits(&plan, &whole, &options, &placed, history);
    let host = Arc::new(RunHost {
        run,
        decisions,
        plan: Arc::clone(&plan),
        project_dir: options
            .project_dir
            .clone()
            .or_else(|| facts.repository.clone()),
        facts,
        workflow_env: whole.env,
        contexts: options.contexts,
        secrets: Arc::new(secrets),
        budgets: whole.budgets,
        executors: options.executors,
        placement: placed.executors,
        store: options.store,
        owner,
        #[cfg(feature = "storage")]
        storage: options.storage,
        began: options.clock.wall(),
        clock: options.clock,
        hold: options.hold,
        approver: options.approver,
        registry: options.steps,
        grace: options.grace,
        teardown_limit: options.teardown_limit,
        poll_interval: options.poll_interval,
        recorder,
        commands: commands.clone(),
        holds: Mutex::default(),
        controls: Controls::default(),
        warnings: Mutex::default(),
        random: AtomicU64::new(run.seed()),
    });
    let mut machine = Machine::new(Arc::clone(&plan), limits);
    restore(&mut machine, &host, &past)?;
    for note in notes.into_iter().chain(weak).chain(placed.warnings) {
        host.warn(None, note);
    }
    let group = whole.group;
    let task = tokio::spawn(go(Arc::clone(&host), machine, inbox, past, group));
    Ok(RunHandle::new(run, plan, commands, task))
}

fn new_run(
    run: RunId,
    spec: &Arc<WorkflowSpec>,
    facts: &RunFacts,
    past: &Past,
    created: Timestamp,
) -> NewRun {
    let mut new = NewRun::new(run, Arc::clone(spec), facts.clone(), created);
    if let Past::Repeated { of, .. } = past {
        new.rerun_of = Some(*of);
    }
    new
}

/// Makes the run known to the store, as one that this process drives.
async fn adopt(
    store: &dyn RunStore,
    owner: &OwnerId,
    new: NewRun,
    past: &Past,
    supersede: bool,
) -> Result<(), RunError> {
    if let Past::Resumed(_) = past {
        store.own(new.id, owner).await?;
        return Ok(());
    }
    let (run, workflow, facts) = (new.id, Arc::clone(&new.workflow.name), new.facts.clone());
    store.create(new, owner).await?;
    if supersede {
        watch::supersede(store, run, &workflow, &facts).await?;
    }
    Ok(())
}

/// The usual durations of the jobs, in milliseconds.
async fn history_of(
    plan: &Plan,
    store: Option<&dyn RunStore>,
) -> Result<HashMap<JobId, u32>, RunError> {
    let Some(store) = store else {
        return Ok(HashMap::new());
    };
    let durations = store.durations(&plan.workflow).await?;
    if durations.is_empty() {
        return Ok(HashMap::new());
    }
    let known = plan.dag.jobs().filter_map(|job| {
        let usual = durations.get(&plan.job(job).name)?;
        Some((job, u32::try_from(usual.as_millis()).unwrap_or(u32::MAX)))
    });
    Ok(known.collect())
}

fn secrets(contexts: &BTreeMap<String, BTreeMap<String, String>>) -> (SecretSet, Vec<String>) {
    let values = contexts.values().flatten();
    let (set, warnings) =
        SecretSet::new(values.map(|(name, value)| (name.as_str(), value.as_str())));
    (set, warnings.iter().map(ToString::to_string).collect())
}

fn limits(
    plan: &Plan,
    spec: &WorkflowSpec,
    options: &RunOptions,
    placed: &Placed,
    history: HashMap<JobId, u32>,
) -> Limits {
    let mut limits = Limits::slots(placed.slots);
    limits.capacity = placed.capacity;
    limits.demands.clone_from(&placed.demands);
    limits.history = history;
    limits.fail_fast = spec.fail_fast;
    limits.timeout = spec.timeout;
    limits.budgets.clone_from(&spec.budgets);
    let mut groups: BTreeMap<Arc<str>, Pool> = BTreeMap::new();
    for job in plan.dag.jobs() {
        for group in &plan.job(job).options.groups {
            let pool = groups
                .entry(Arc::clone(&group.name))
                .or_insert_with(|| Pool {
                    name: Arc::clone(&group.name),
                    limit: group.limit,
                    jobs: Vec::new(),
                });
            pool.limit = pool.limit.min(group.limit);
            pool.jobs.push(job);
        }
    }
    limits.pools = groups.into_values().collect();
    for (index, executor) in options.executors.iter().enumerate() {
        let Some(limit) = executor.limit() else {
            continue;
        };
        let members = plan.dag.jobs();
        let jobs = members
            .filter(|job| placed.executors.get(job).copied().unwrap_or(0) == index)
            .collect();
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        limits.pools.push(Pool {
            name: executor.name().into(),
            limit,
            jobs,
        });
    }
    limits
}

/// What was decided about held jobs before this process took the run over: by its journal, and by what
/// others left in the store while nobody drove it.
async fn decisions(
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
fn restore(machine: &mut Machine, host: &RunHost, past: &Past) -> Result<(), RunError> {
    let plan = &host.plan;
    match past {
        Past::New => {}
        Past::Resumed(history) => {
            for job in plan.dag.jobs() {
                let name = &plan.job(job).name;
                if let Some(end) = history.ended.get(name) {
                    machine.restore(job, end.clone())?;
                } else if let Some(attempts) = history.failed_attempts.get(name) {
                    machine.restore_attempts(job, *attempts);
                }
            }
        }
        Past::Repeated { history, .. } => {
            for (job, end) in reusable(plan, history) {
                machine.restore(job, end)?;
            }
        }
    }
    Ok(())
}

/// The jobs of an ended run that need not run again: those that succeeded and wait for none that has
/// to run again. Teardown jobs always run again.
fn reusable(plan: &Plan, history: &History) -> Vec<(JobId, JobEnd)> {
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

/// The run itself, from its first event to its last.
async fn go(
    host: Arc<RunHost>,
    machine: Machine,
    inbox: mpsc::UnboundedReceiver<crate::scheduler::drive::Command>,
    past: Past,
    group: Option<crate::job::GroupUse>,
) -> Result<RunReport, RunError> {
    let begun = host.clock.elapsed();
    let watch = StoreWatch::start(&host);
    let result = go_on(&host, machine, inbox, past, group, begun).await;
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
    inbox: mpsc::UnboundedReceiver<crate::scheduler::drive::Command>,
    past: Past,
    group: Option<crate::job::GroupUse>,
    begun: std::time::Duration,
) -> Result<RunReport, RunError> {
    clean_up(host, &past).await?;
    watch::take_run_group(host, group).await?;
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
    let report = report(host, &machine, begun);
    if host.recorder.is_on() {
        let last = RunEvent::RunFinished {
            run: host.run,
            outcome: report.outcome,
            jobs: report.jobs.iter().map(JobReport::result).collect(),
            duration: report.duration,
        };
        if let Some(receipt) = host.recorder.queue(vec![last]) {
            host.recorder.publish(receipt).await?;
        }
    }
    Ok(report)
}

/// Ends what a dead process left of the run before anything runs again, and brings along what a
/// repeated run reuses.
async fn clean_up(host: &RunHost, past: &Past) -> Result<(), RunError> {
    match past {
        Past::New => {}
        Past::Resumed(_) => {
            for executor in &host.executors {
                let report = executor.reap(&ReapScope::Run(host.run)).await?;
                for left in report.left {
                    host.warn(
                        None,
                        format!("`{}` could not remove {left}", executor.name()),
                    );
                }
            }
        }
        Past::Repeated { of, history } => bring_along(host, *of, history).await?,
    }
    Ok(())
}

#[cfg(feature = "storage")]
async fn bring_along(host: &RunHost, of: RunId, history: &History) -> Result<(), RunError> {
    let Some(storage) = host.storage.clone() else {
        return Ok(());
    };
    let reused = reusable(&host.plan, history).into_iter();
    let names: Vec<_> = reused
        .map(|(job, _)| Arc::clone(&host.plan.job(job).name))
        .collect();
    let to = host.run;
    let copied = tokio::task::spawn_blocking(move || {
        names.iter().try_for_each(|job| {
            storage.copy_workspace(of, to, job)?;
            storage.copy_artifacts(of, to, job)
        })
    });
    match copied.await {
        Ok(Ok(())) => Ok(()),
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

#[cfg(not(feature = "storage"))]
#[expect(clippy::unused_async, reason = "the same signature as with storage")]
async fn bring_along(_host: &RunHost, _of: RunId, _history: &History) -> Result<(), RunError> {
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
            }
        }));
    }
    events
}

fn report(host: &RunHost, machine: &Machine, begun: std::time::Duration) -> RunReport {
    let plan = &host.plan;
    let jobs = plan.dag.jobs().map(|job| {
        let spec = plan.job(job);
        let end = machine.record(job);
        let outcome = match machine.state(job) {
            crate::scheduler::JobState::Done => end.outcome.clone(),
            crate::scheduler::JobState::Held => Outcome::OnHold,
            _ => Outcome::NotRun("the run ended on hold before it".into()),
        };
        JobReport {
            name: Arc::clone(&spec.name),
            allowed: !outcome.is_success() && spec.tolerates(&outcome),
            outcome,
            attempts: end.attempts,
            duration: end.spent,
        }
    });
    let budgets = host
        .budgets
        .iter()
        .zip(machine.spent())
        .filter_map(|(budget, spent)| {
            Some(BudgetReport::new(
                Arc::clone(&budget.stage),
                budget.limit,
                spent?,
            ))
        });
    RunReport {
        run: host.run,
        workflow: Arc::clone(&plan.workflow),
        outcome: machine.outcome(),
        jobs: jobs.collect(),
        budgets: budgets.collect(),
        duration: host.clock.elapsed().saturating_sub(begun),
        warnings: host.take_warnings(),
    }
}

/// The reason with which an engine that is told to end stops its runs: they can be resumed.
pub(super) const SHUTDOWN: CancelReason = CancelReason::Shutdown;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_can_be_spawned() {
        fn sendable<T: Send>(_: T) {}
        sendable(run(WorkflowSpec::default(), RunOptions::new()));
        sendable(resume(RunId::new(), RunOptions::new()));
        sendable(rerun(RunId::new(), RunOptions::new()));
    }
}
