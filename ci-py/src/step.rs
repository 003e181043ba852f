//! Steps written in Python, and what they may see and do.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ci_core::outcome::{CancelReason, Failure, Outcome};
use ci_core::session::{Command, ExitStatus, Stream};
use ci_core::step::{SessionUse, Step, StepContext, StepError, StepRecord};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use serde_json::Value;

use crate::call::{Called, Function};
use crate::convert::{object, serialized};
use crate::error::{chain, raise};
use crate::runtime::wait;

/// How long a step that was told to stop may go on before the run goes on without it. Python code
/// cannot be stopped from outside, and whoever pressed Ctrl-C does not want to wait for it.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the steps of a run raised, by job: the latest attempt of each.
#[derive(Debug, Default)]
pub(crate) struct Raised(Mutex<BTreeMap<Arc<str>, Exception>>);

/// What a step raised.
#[derive(Debug)]
pub(crate) struct Exception {
    pub(crate) attempt: u32,
    pub(crate) value: Py<PyAny>,
    pub(crate) traceback: String,
}

impl Raised {
    fn put(&self, job: Arc<str>, exception: Exception) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(job, exception);
    }

    /// What the job raised in its last attempt.
    pub(crate) fn of<T>(
        &self,
        job: &str,
        attempts: u32,
        read: impl FnOnce(&Exception) -> T,
    ) -> Option<T> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(job)
            .filter(|raised| raised.attempt == attempts)
            .map(read)
    }
}

/// A step that is a function of Python.
pub(crate) struct PyStep {
    name: String,
    function: Function,
    given: Value,
    raised: Arc<Raised>,
}

impl PyStep {
    pub(crate) fn new(name: &str, function: Function, given: Value, raised: Arc<Raised>) -> Self {
        Self {
            name: name.to_owned(),
            function,
            given,
            raised,
        }
    }

    /// What an exception makes of the step, with its traceback in the log.
    async fn failed(&self, cx: &StepContext, error: PyErr) -> Outcome {
        let explained = crate::threads::in_python(move |py| {
            let value = error.into_value(py).into_any();
            let (summary, traceback): (String, String) = py
                .import("ci_core._bridge")
                .and_then(|bridge| bridge.call_method1("explain", (&value,))?.extract())
                .unwrap_or_else(|error| (error.to_string(), String::new()));
            (value, summary, traceback)
        });
        let Some((value, summary, traceback)) = explained.await else {
            return Outcome::InfrastructureFailure("the interpreter has ended".into());
        };
        cx.output()
            .write(Stream::Stderr, traceback.as_bytes())
            .await;
        let exception = Exception {
            attempt: cx.attempt(),
            value,
            traceback,
        };
        self.raised.put(Arc::clone(&cx.job().name), exception);
        Outcome::Failed(Box::new(Failure::message(summary)))
    }
}

#[async_trait]
impl Step for PyStep {
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let context = Context {
            cx: cx.clone(),
            given: self.given.clone(),
        };
        let arguments =
            move |py: Python<'_>| Ok(PyTuple::new(py, [Py::new(py, context)?])?.unbind());
        let cancel = cx.cancellation();
        let called = (self.function)
            .call(arguments, outcome, cancel, Some(PATIENCE))
            .await;
        if cancel.is_cancelled() {
            if matches!(called, Called::Abandoned) {
                let warning = format!("`{}` does not stop; the run goes on without it", self.name);
                cx.record(StepRecord::Warning(warning));
            }
            return Ok(Outcome::Canceled(CancelReason::Requested));
        }
        match called {
            Called::Done(Err(error)) => Ok(self.failed(cx, error).await),
            Called::Done(Ok(outcome)) => Ok(outcome),
            _ => Err(StepError::new("the interpreter has ended")),
        }
    }

    fn session_use(&self) -> SessionUse {
        SessionUse::OnDemand
    }
}

/// What a step returned: nothing, or an outcome as JSON.
fn outcome(returned: &Bound<'_, PyAny>) -> PyResult<Outcome> {
    if returned.is_none() {
        return Ok(Outcome::Success);
    }
    let text: String = returned.extract()?;
    serde_json::from_str(&text).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// What a step may see and do while it runs. Its methods may be called from any thread until the step
/// has ended.
#[pyclass(frozen, module = "ci_core._native")]
pub(crate) struct Context {
    cx: StepContext,
    given: Value,
}

#[pymethods]
impl Context {
    #[getter]
    fn run_id(&self) -> String {
        self.cx.run_id().to_string()
    }

    #[getter]
    fn job(&self) -> &str {
        &self.cx.job().name
    }

    #[getter]
    fn attempt(&self) -> u32 {
        self.cx.attempt()
    }

    #[getter]
    fn index(&self) -> u32 {
        self.cx.index()
    }

    #[getter]
    fn given<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        object(py, &self.given)
    }

    #[getter]
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        serialized(py, self.cx.facts())
    }

    #[getter]
    fn env(&self) -> BTreeMap<String, String> {
        (*self.cx.env()).clone()
    }

    #[getter]
    fn canceled(&self) -> bool {
        self.cx.cancellation().is_cancelled()
    }

    fn set_env(&self, name: &str, value: &str) {
        self.cx.set_env(name, value);
    }

    fn warn(&self, message: String) {
        self.cx.record(StepRecord::Warning(message));
    }

    fn write(&self, py: Python<'_>, stream: &str, data: &[u8]) -> PyResult<()> {
        let stream = stream_of(stream)?;
        wait(py, self.cx.output().write(stream, data), || ())
    }

    /// How a command ended: `(what, number)`.
    fn exec(
        &self,
        py: Python<'_>,
        words: Words,
        env: BTreeMap<String, String>,
        dir: Option<String>,
    ) -> PyResult<(&'static str, Option<i32>)> {
        let mut command = match words {
            Words::Script(script) => Command::sh(script),
            Words::Argv(words) => Command::argv(words),
        };
        command.env = env;
        command.dir = dir;
        let cancel = self.cx.cancellation().clone();
        let ended = wait(py, self.cx.exec(command), move || cancel.cancel())?;
        ended.map(told).map_err(|error| step_error(&error))
    }

    /// The directories of the session, as commands see them and on this machine.
    fn dirs(&self, py: Python<'_>) -> PyResult<(String, String, Option<PathBuf>)> {
        let session = wait(py, self.cx.session(), || ())?;
        let session = session.map_err(|error| step_error(&error))?;
        let info = session.info();
        Ok((
            info.work_dir.clone(),
            info.home.clone(),
            info.host_work_dir.clone(),
        ))
    }

    fn approval(
        &self,
        py: Python<'_>,
        prompt: Option<&str>,
        deadline: Option<f64>,
    ) -> PyResult<Option<bool>> {
        let deadline = deadline.map(crate::convert::seconds).transpose()?;
        let decided = wait(py, self.cx.approval(prompt, deadline), || ())?;
        decided.map_err(|error| step_error(&error))
    }
}

/// A script, or a program with its arguments.
#[derive(FromPyObject)]
enum Words {
    Script(String),
    Argv(Vec<String>),
}

fn step_error(error: &StepError) -> PyErr {
    raise("ExecutorError", &chain(error), |_| Ok(()))
}

/// A stream by its name.
pub(crate) fn stream_of(name: &str) -> PyResult<Stream> {
    match name {
        "stdout" => Ok(Stream::Stdout),
        "stderr" => Ok(Stream::Stderr),
        "engine" => Ok(Stream::Engine),
        _ => Err(PyValueError::new_err(format!(
            "`{name}` is no stream; there are `stdout`, `stderr` and `engine`"
        ))),
    }
}

/// How a command ended, as a word and a number.
pub(crate) fn told(status: ExitStatus) -> (&'static str, Option<i32>) {
    match status {
        ExitStatus::Code(code) => ("code", Some(code)),
        ExitStatus::Signal(number) => ("signal", Some(number)),
        ExitStatus::OutOfMemory => ("out_of_memory", None),
        _ => ("stopped", None),
    }
}
