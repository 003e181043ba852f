//! Begins runs: new ones, ones whose process died, and repeats of ones that failed.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use super::adopt::{Adopted, Inherited, check_open};
use super::book::Book;
use super::course::go;
use super::error::{RunError, RunErrorKind};
use super::given;
use super::handle::RunHandle;
use super::history::History;
use super::host::{Controls, RunHost};
use super::options::RunOptions;
use super::past::{Past, decisions, restore};
use super::place::{Placed, place};
use super::recorder::Recorder;
use super::report::RunReport;
use super::watch::Requests;
use crate::clock::Timestamp;
use crate::event::EventHub;
use crate::id::{JobId, RunId};
use crate::outcome::CancelReason;
use crate::scheduler::{Limits, Machine, Pool};
use crate::secret::SecretSet;
use crate::store::{NewRun, OwnerId, RunStore};
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
            run: None,
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
    check_open(run, &history)?;
    let (spec, facts) = (stored.workflow, stored.facts);
    let past = Past::Resumed(history);
    begin(
        Beginning {
            run: Some(run),
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
            run: None,
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
    /// A new one if there is none yet.
    run: Option<RunId>,
    spec: Arc<WorkflowSpec>,
    facts: RunFacts,
    past: Past,
    notes: Vec<String>,
}

/// Begins a run. Behind a pointer, so that the engine is compiled with this crate and not once more with
/// everything that runs a workflow.
fn begin(beginning: Beginning, options: RunOptions) -> Beginner {
    Box::pin(begin_here(beginning, options))
}

type Beginner = Pin<Box<dyn Future<Output = Result<RunHandle, RunError>> + Send>>;

async fn begin_here(
    mut beginning: Beginning,
    mut options: RunOptions,
) -> Result<RunHandle, RunError> {
    let mut plan = beginning.spec.plan(&beginning.facts)?;
    if !options.only.is_empty() {
        plan = plan.restrict(&options.only, true)?;
    }
    let plan = Arc::new(plan);
    given::check(&plan, &options, &beginning.past)?;
    let placed = place(&plan, &mut options)?;
    let owner = OwnerId::for_this_process();
    // The later of two runs, by their ids, is also the one that is made known later, or nearly so.
    let run = beginning.run.unwrap_or_else(RunId::new);
    let new = new_run(run, &beginning, options.clock.wall());
    let (store, supersede) = (options.store.clone(), options.supersede);
    let past = &mut beginning.past;
    let (adopted, inherited) = Adopted::take(store, &owner, new, past, supersede).await?;
    let ready = Ready {
        run,
        beginning,
        plan,
        placed,
        owner,
        inherited,
    };
    match ready.begin(options).await {
        Ok(handle) => {
            adopted.begins();
            Ok(handle)
        }
        Err(error) => {
            adopted.give_back().await;
            Err(error)
        }
    }
}

/// A run that this process may begin.
struct Ready {
    run: RunId,
    beginning: Beginning,
    plan: Arc<Plan>,
    placed: Placed,
    owner: OwnerId,
    inherited: Inherited,
}

impl Ready {
    async fn begin(self, mut options: RunOptions) -> Result<RunHandle, RunError> {
        let Self {
            run,
            beginning,
            plan,
            placed,
            owner,
            inherited,
        } = self;
        let Beginning {
            spec,
            facts,
            past,
            notes,
            ..
        } = beginning;
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
        let recorder = Arc::new(Recorder::new(
            run,
            options.clock.clone(),
            hub,
            options.store.clone(),
            last_seq,
        ));
        let mut limits = limits(&plan, &spec, &options, &placed, history);
        limits.heard = recorder.is_on();
        let host = Arc::new(RunHost {
            run,
            decisions,
            plan: Arc::clone(&plan),
            project_dir: options
                .project_dir
                .clone()
                .or_else(|| facts.repository.clone()),
            facts,
            workflow_env: spec.env.clone(),
            contexts: options.contexts,
            secrets: Arc::new(secrets),
            budgets: spec.budgets.clone(),
            executors: options.executors,
            placement: placed.executors,
            demands: placed.demands,
            store: options.store,
            owner,
            requests: tokio::sync::Mutex::new(Requests::new(inherited.asked)),
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
            book: Book::default(),
            warnings: Mutex::default(),
            random: AtomicU64::new(run.seed()),
        });
        let mut machine = Machine::new(Arc::clone(&plan), limits);
        restore(&mut machine, &host, &past)?;
        for note in notes.into_iter().chain(weak).chain(placed.warnings) {
            host.warn(None, note);
        }
        let places = (spec.group.clone(), inherited.places);
        let task = tokio::spawn(go(Arc::clone(&host), machine, inbox, past, places));
        Ok(RunHandle::new(run, plan, commands, task))
    }
}

fn new_run(run: RunId, beginning: &Beginning, created: Timestamp) -> NewRun {
    let (spec, facts) = (Arc::clone(&beginning.spec), beginning.facts.clone());
    let mut new = NewRun::new(run, spec, facts, created);
    if let Past::Repeated { of, .. } = &beginning.past {
        new.rerun_of = Some(*of);
    }
    new
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
