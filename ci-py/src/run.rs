//! Runs: how they are begun, watched and steered.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ci_core::event::{Choice, Console, ConsoleOptions, Environment};
use ci_core::executor::Executor;
use ci_core::id::RunId;
use ci_core::outcome::{CancelReason, Outcome};
use ci_core::run::{Hold, RunControl, RunError, RunHandle, RunOptions, RunReport};
use ci_core::settings::Settings;
use ci_core::step::StepRegistry;
use ci_core::storage::Storage;
use ci_core::workflow::WorkflowSpec;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use tokio_util::sync::CancellationToken;

use crate::approver::PyApprover;
use crate::call::{Function, Place};
use crate::convert::{seconds, serialized};
use crate::error::{OrRaise, Raise, internal};
use crate::event::PySink;
use crate::executor::{self, EC2, LOCAL, PyExecutor, settings_of};
use crate::runtime::{runtime, wait};
use crate::step::{PyStep, Raised};
use crate::step_runner::StepRunner;
use crate::store::Store;
use crate::threads::in_python;
use crate::workflow::{Spec, facts};

/// An executor, and its type if it is one of the engine.
type Given = (Arc<dyn Executor>, Option<&'static str>);

/// What the Python half has made of the options of a run.
#[derive(FromPyObject)]
pub(crate) struct Options {
    executors: Vec<Py<PyAny>>,
    /// Name, function, whether it wants output.
    sinks: Vec<(String, Py<PyAny>, bool)>,
    steps: BTreeMap<String, Py<PyAny>>,
    step_runner: Option<StepRunner>,
    approver: Option<Py<PyAny>>,
    store: Option<Store>,
    storage: Option<PathBuf>,
    settings: Option<PathBuf>,
    facts: String,
    contexts: BTreeMap<String, BTreeMap<String, String>>,
    project_dir: Option<PathBuf>,
    slots: Option<usize>,
    finish_on_hold: bool,
    only: Vec<String>,
    supersede: bool,
    console: bool,
    grace: Option<f64>,
    teardown_limit: Option<f64>,
    poll_interval: Option<f64>,
    event_loop: Option<Py<PyAny>>,
}

impl Options {
    /// The executors.
    fn executors(&self, py: Python<'_>, place: &Arc<Place>) -> PyResult<Vec<Given>> {
        let executors = self.executors.iter().map(|executor| {
            let executor = executor.bind(py);
            if let Ok(native) = executor.extract::<executor::Native>() {
                return Ok((native.inner, Some(native.kind)));
            }
            let executor: Arc<dyn Executor> = Arc::new(PyExecutor::new(executor, place)?);
            Ok((executor, None))
        });
        executors.collect()
    }

    /// The workflow, where jobs on machines that may be taken away run once more.
    fn interruptible(
        &self,
        py: Python<'_>,
        workflow: Arc<WorkflowSpec>,
    ) -> PyResult<Arc<WorkflowSpec>> {
        let mut settings = match &self.settings {
            Some(path) => Settings::load(path).or_raise()?,
            None => Settings::default(),
        };
        for (at, executor) in self.executors.iter().enumerate() {
            let Ok(native) = executor.bind(py).extract::<executor::Native>() else {
                continue;
            };
            let name = native.inner.name().to_owned();
            if at == 0 && self.settings.is_none() {
                settings.default_executor.clone_from(&name);
            }
            if native.kind != EC2 {
                continue;
            }
            let known = settings_of(EC2, "{}").map_err(|error| internal(error.to_string()))?;
            settings.executors.insert(name, known);
        }
        if !settings.executors.values().any(|it| it.kind == EC2) {
            return Ok(workflow);
        }
        let workflow = WorkflowSpec::clone(&workflow);
        Ok(Arc::new(ci_cli::interruptible(&settings, workflow)))
    }

    /// Without executors the run has those of the settings, and those that are always there.
    fn build(self, py: Python<'_>, raised: &Arc<Raised>) -> PyResult<RunOptions> {
        let place = Arc::new(Place::here(
            py,
            self.event_loop.as_ref().map(|it| it.clone_ref(py)),
        )?);
        let mut options = RunOptions::new()
            .facts(facts(&self.facts)?)
            .only(self.only.clone());
        let settings = match &self.settings {
            Some(path) => Some(Settings::load(path).or_raise()?),
            None => None,
        };
        let executors = self.executors(py, &place)?;
        if executors.is_empty() {
            let ours = settings.clone().unwrap_or_default();
            for executor in ci_cli::executors_of(&ours).or_raise()? {
                options = options.executor(executor);
            }
        }
        options = match settings {
            None => {
                // Who gives an executor beside the local one wants the images that jobs name.
                let mut settings = Settings::default();
                let beside = executors.iter().find(|(_, kind)| *kind != Some(LOCAL));
                settings.image_executor = beside.map(|(it, _)| it.name().to_owned());
                options.settings(settings)
            }
            Some(settings) => options.settings(settings),
        };
        for (executor, _) in executors {
            options = options.executor(executor);
        }
        for (name, function, output) in self.sinks {
            options = options.sink(PySink::new(name, function, output));
        }
        if self.console {
            let mut how = ConsoleOptions::from_env(Environment::of_stderr());
            how.color = Choice::Auto;
            options = options.sink(Console::new(std::io::stderr(), how));
        }
        let mut registry = StepRegistry::new();
        for (name, function) in self.steps {
            let function = Function::new(function.bind(py), &place)?;
            let (raised, step) = (Arc::clone(raised), name.clone());
            registry = registry.register(name, move |given: &serde_json::Value| {
                let step = PyStep::new(&step, function.clone(), given.clone(), Arc::clone(&raised));
                Ok::<_, String>(step)
            });
        }
        options = options.steps(registry);
        if let Some(runner) = &self.step_runner {
            options = runner.0.register(options);
        }
        if let Some(approver) = self.approver {
            options = options.approver(PyApprover(Function::new(approver.bind(py), &place)?));
        }
        if let Some(store) = self.store {
            options = options.store(store.inner);
        }
        if let Some(dir) = self.storage {
            options = options.storage(Arc::new(Storage::open(dir).or_raise()?));
        }
        for (name, variables) in self.contexts {
            options = options.context(name, variables);
        }
        if let Some(dir) = self.project_dir {
            options = options.project_dir(dir);
        }
        if let Some(slots) = self.slots {
            options = options.slots(slots);
        }
        if self.finish_on_hold {
            options = options.hold(Hold::Finish);
        }
        if self.supersede {
            options = options.supersede();
        }
        if let Some(grace) = self.grace {
            options = options.grace(seconds(grace)?);
        }
        if let Some(limit) = self.teardown_limit {
            options = options.teardown_limit(seconds(limit)?);
        }
        if let Some(interval) = self.poll_interval {
            options = options.poll_interval(seconds(interval)?);
        }
        Ok(options)
    }
}

/// Begins a run of `spec`, and waits for its end if `to_end`: in one call, so that there is no moment
/// between the two in which a signal would leave the run alone.
#[pyfunction]
pub(crate) fn start(py: Python<'_>, spec: Spec, options: Options, to_end: bool) -> PyResult<Run> {
    let workflow = options.interruptible(py, spec.inner)?;
    begin(py, options, to_end, |options| async move {
        ci_core::run::start(workflow, options).await
    })
}

/// Goes on with a run whose process died, or that ended on hold.
#[pyfunction]
pub(crate) fn resume(py: Python<'_>, run: &str, options: Options) -> PyResult<Run> {
    let id = run_id(run)?;
    begin(py, options, false, move |options| async move {
        ci_core::run::resume(id, options).await
    })
}

/// Runs again what did not succeed in a run.
#[pyfunction]
pub(crate) fn rerun(py: Python<'_>, run: &str, options: Options) -> PyResult<Run> {
    let id = run_id(run)?;
    begin(py, options, false, move |options| async move {
        ci_core::run::rerun(id, options).await
    })
}

/// The id of a run.
pub(crate) fn run_id(text: &str) -> PyResult<RunId> {
    text.parse()
        .map_err(|_| PyValueError::new_err(format!("`{text}` is no id of a run")))
}

fn begin<F>(
    py: Python<'_>,
    options: Options,
    to_end: bool,
    start: impl FnOnce(RunOptions) -> F + Send,
) -> PyResult<Run>
where
    F: Future<Output = Result<RunHandle, RunError>> + Send,
{
    let raised = Arc::new(Raised::default());
    let options = options.build(py, &raised)?;
    let runtime = runtime()?;
    let interrupted = Interrupted::default();
    let begun = async {
        let handle = start(options).await?;
        let state = Arc::new(State::default());
        let run = Run {
            id: handle.id(),
            jobs: names(&handle),
            control: handle.control(),
            state: Arc::clone(&state),
            raised,
        };
        runtime.spawn({
            let state = Arc::clone(&state);
            async move { state.end(handle.wait().await).await }
        });
        tokio::select! {
            biased;
            // Nobody gets the handle: the run is stopped, and its end waited for.
            () = interrupted.stop(&run.control, &state.over) => {}
            () = state.over.cancelled(), if to_end => {}
            () = std::future::ready(()), if !to_end => {}
        }
        Ok(run)
    };
    let begun: Result<Run, RunError> = wait(py, begun, || interrupted.again())?;
    begun.or_raise()
}

/// How often whoever waits was interrupted: the first time stops the run, the second its teardown too.
#[derive(Default)]
struct Interrupted {
    once: CancellationToken,
    twice: CancellationToken,
}

impl Interrupted {
    fn again(&self) {
        if self.once.is_cancelled() {
            self.twice.cancel();
        }
        self.once.cancel();
    }

    /// Stops the run when that is asked for, and waits for its end.
    async fn stop(&self, control: &RunControl, over: &CancellationToken) {
        self.once.cancelled().await;
        control.cancel(CancelReason::Requested);
        tokio::select! {
            () = over.cancelled() => return,
            () = self.twice.cancelled() => {}
        }
        control.cancel_with_teardown(CancelReason::Requested);
        over.cancelled().await;
    }
}

fn names(handle: &RunHandle) -> Vec<String> {
    let jobs = handle.plan().jobs.iter();
    jobs.map(|job| job.name.to_string()).collect()
}

/// What becomes of a run.
#[derive(Default)]
struct State {
    ended: OnceLock<Result<RunReport, RunError>>,
    over: CancellationToken,
    /// Who wants to be called when it is over; None once they were.
    callbacks: Mutex<Callbacks>,
}

#[derive(Default)]
struct Callbacks {
    waiting: Vec<Py<PyAny>>,
    called: bool,
}

impl State {
    async fn end(&self, ended: Result<RunReport, RunError>) {
        let _ = self.ended.set(ended);
        self.over.cancel();
        let waiting = {
            let mut callbacks = self
                .callbacks
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            callbacks.called = true;
            std::mem::take(&mut callbacks.waiting)
        };
        if waiting.is_empty() {
            return;
        }
        in_python(move |py| {
            for callback in waiting {
                if let Err(error) = callback.call0(py) {
                    error.write_unraisable(py, Some(callback.bind(py)));
                }
            }
        })
        .await;
    }
}

/// A run that goes on.
#[pyclass(frozen, module = "ci_core._native")]
pub(crate) struct Run {
    id: RunId,
    jobs: Vec<String>,
    control: RunControl,
    state: Arc<State>,
    raised: Arc<Raised>,
}

#[pymethods]
impl Run {
    #[getter]
    fn id(&self) -> String {
        self.id.to_string()
    }

    #[getter]
    fn jobs(&self) -> Vec<String> {
        self.jobs.clone()
    }

    #[getter]
    fn done(&self) -> bool {
        self.state.ended.get().is_some()
    }

    fn cancel(&self, job: Option<&str>, teardown: bool) -> bool {
        let reason = CancelReason::Requested;
        match (job, teardown) {
            (Some(job), _) => return self.control.cancel_job(job, reason),
            (None, true) => self.control.cancel_with_teardown(reason),
            (None, false) => self.control.cancel(reason),
        }
        true
    }

    fn decide(&self, job: &str, approved: bool, by: String) -> bool {
        self.control.decide(job, approved, by)
    }

    /// Calls `callback` when the run is over, on some thread; at once if it is.
    fn when_done(&self, py: Python<'_>, callback: Py<PyAny>) -> PyResult<()> {
        {
            let mut callbacks = self
                .state
                .callbacks
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if !callbacks.called {
                callbacks.waiting.push(callback);
                return Ok(());
            }
        }
        callback.call0(py).map(drop)
    }

    /// Waits for the end. False if that took longer than `timeout` seconds. A signal whose handler
    /// raises stops the run, and is raised when the run has ended.
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let limit = timeout.map(seconds).transpose()?;
        let over = self.state.over.clone();
        let interrupted = Interrupted::default();
        let ended = async {
            let late = async {
                match limit {
                    None => std::future::pending().await,
                    Some(limit) => tokio::time::sleep(limit).await,
                }
            };
            tokio::select! {
                biased;
                () = over.cancelled() => true,
                () = interrupted.stop(&self.control, &over) => true,
                () = late, if !interrupted.once.is_cancelled() => over.is_cancelled(),
            }
        };
        wait(py, ended, || interrupted.again())
    }

    /// How the run ended, as a dictionary; without its jobs.
    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        match self.state.ended.get() {
            None => Err(internal("the run has not ended")),
            Some(Err(error)) => Err(error.raise()),
            Some(Ok(report)) => told(py, report),
        }
    }

    /// How its jobs ended, in the order of the plan. Apart from the rest: there may be thousands, and few
    /// look at them all.
    fn job_reports<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let jobs = PyList::empty(py);
        let Some(Ok(report)) = self.state.ended.get() else {
            return Ok(jobs);
        };
        for job in &report.jobs {
            let raised = self.raised.of(&job.name, job.attempts, |raised| {
                (raised.value.clone_ref(py), raised.traceback.clone())
            });
            // Nearly all jobs end so, and there is nothing more to say of it.
            let outcome = match &job.outcome {
                Outcome::Success => None,
                outcome => Some((serialized(py, outcome)?, outcome.reason())),
            };
            let duration = job.duration.as_secs_f64();
            let name = &*job.name;
            jobs.append((name, outcome, job.attempts, duration, job.allowed, raised))?;
        }
        Ok(jobs)
    }
}

/// How a run ended, without its jobs.
fn told<'py>(py: Python<'py>, report: &RunReport) -> PyResult<Bound<'py, PyDict>> {
    let told = PyDict::new(py);
    told.set_item("run", report.run.to_string())?;
    told.set_item("workflow", &*report.workflow)?;
    told.set_item("outcome", report.outcome.as_str())?;
    told.set_item("duration", report.duration.as_secs_f64())?;
    told.set_item("warnings", &report.warnings)?;
    let budgets: Vec<_> = report
        .budgets
        .iter()
        .map(|budget| {
            (
                &*budget.stage,
                budget.limit.as_secs_f64(),
                budget.spent.as_secs_f64(),
            )
        })
        .collect();
    told.set_item("budgets", budgets)?;
    Ok(told)
}
