//! Executors: those of the engine, and those written in Python.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use ci_core::executor::{
    Executor, ExecutorError, ExecutorErrorKind, LocalExecutor, LocalOptions, PrepareRequest,
};
use ci_core::session::{
    Command, ExecIo, ExitStatus, Session, SessionError, SessionErrorKind, SessionInfo, TreeReader,
    TreeSelection,
};
use ci_core::settings::ExecutorSettings;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio_util::sync::CancellationToken;

use crate::call::{Called, Function, Place};
use crate::error::{chain, internal};
use crate::runtime::wait;
use crate::source::{FileObject, Tree};
use crate::step::stream_of;

/// The type of executors on this machine.
pub(crate) const LOCAL: &str = "local";

/// The type of executors on machines of EC2.
pub(crate) const EC2: &str = "ec2";

/// An executor of the engine.
#[pyclass(frozen, module = "ci_core", name = "NativeExecutor", from_py_object)]
#[derive(Clone)]
pub(crate) struct Native {
    pub(crate) inner: Arc<dyn Executor>,
    /// Its type, as the settings name it.
    pub(crate) kind: &'static str,
}

#[pymethods]
impl Native {
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }

    #[getter]
    fn limit(&self) -> Option<usize> {
        self.inner.limit()
    }

    fn __repr__(&self) -> String {
        format!("<executor {:?}>", self.inner.name())
    }
}

/// An executor for jobs as processes of this machine, with options as the settings file has them.
#[pyfunction]
pub(crate) fn local_executor(name: &str, options: &str) -> PyResult<Native> {
    let options: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(options).map_err(|error| internal(error.to_string()))?;
    let options = LocalOptions::from_settings(&options).map_err(|error| {
        // What the caller wrote is wrong, not the executor.
        PyValueError::new_err(chain(&error))
    })?;
    Ok(Native {
        inner: Arc::new(LocalExecutor::with_options(options).name(name)),
        kind: LOCAL,
    })
}

/// An executor of a type that the settings file knows, with options as it has them.
#[pyfunction]
pub(crate) fn executor_of(name: &str, kind: &str, options: &str) -> PyResult<Native> {
    let kind = match kind {
        EC2 => EC2,
        "swarm" => "swarm",
        other => return Err(internal(format!("`{other}` is no type of executors"))),
    };
    let settings = settings_of(kind, options).map_err(|error| internal(error.to_string()))?;
    let inner = ci_cli::executor_of(name, &settings);
    // What the caller wrote is wrong, not the executor.
    let inner = inner.map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(Native { inner, kind })
}

/// What the settings file would say of an executor.
pub(crate) fn settings_of(kind: &str, options: &str) -> serde_json::Result<ExecutorSettings> {
    let options: serde_json::Value = serde_json::from_str(options)?;
    serde_json::from_value(serde_json::json!({"type": kind, "options": options}))
}

/// Gives back what executors keep between jobs, when the interpreter ends.
#[pyfunction]
pub(crate) fn close_executors(py: Python<'_>) -> PyResult<()> {
    let closed = wait(py, ci_cli::close(), || ())?;
    closed.map_err(|error| internal(error.to_string()))
}

/// What the Python half has made of the options of a Docker executor.
#[cfg(feature = "docker")]
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct DockerOptions {
    name: String,
    host: Option<String>,
    image: Option<String>,
    pull: String,
    user: Option<String>,
    work_dir: Option<String>,
    exclude: Vec<String>,
    limit: Option<usize>,
    grace: Option<f64>,
}

/// An executor for jobs in containers of a Docker Engine.
#[cfg(feature = "docker")]
#[pyfunction]
pub(crate) fn docker_executor(options: DockerOptions) -> PyResult<Native> {
    use ci_docker::{DockerExecutor, PullPolicy};
    let mut executor = DockerExecutor::new().name(options.name);
    if let Some(host) = options.host {
        executor = executor.host(host);
    }
    if let Some(image) = options.image {
        executor = executor.image(image);
    }
    executor = executor.pull(match options.pull.as_str() {
        "if_missing" => PullPolicy::IfMissing,
        "always" => PullPolicy::Always,
        "never" => PullPolicy::Never,
        other => {
            return Err(PyValueError::new_err(format!(
                "`{other}` is no time to pull; there are `if_missing`, `always` and `never`"
            )));
        }
    });
    if let Some(user) = options.user {
        executor = executor.user(user);
    }
    if let Some(dir) = options.work_dir {
        executor = executor.work_dir(dir);
    }
    for glob in options.exclude {
        executor = executor.exclude(glob);
    }
    if let Some(limit) = options.limit {
        executor = executor.limit(limit);
    }
    if let Some(grace) = options.grace {
        executor = executor.grace(crate::convert::seconds(grace)?);
    }
    Ok(Native {
        inner: Arc::new(executor),
        kind: "docker",
    })
}

/// An executor that is an object of Python.
pub(crate) struct PyExecutor {
    name: String,
    limit: Option<usize>,
    prepare: Function,
    place: Arc<Place>,
}

impl PyExecutor {
    /// Wraps the object; what it lacks is told now.
    pub(crate) fn new(object: &Bound<'_, PyAny>, place: &Arc<Place>) -> PyResult<Self> {
        let adapted = object
            .py()
            .import("ci_core._bridge")?
            .call_method1("adapt_executor", (object,))?;
        let (name, limit, prepare): (String, Option<usize>, Bound<'_, PyAny>) =
            adapted.extract()?;
        Ok(Self {
            name,
            limit,
            prepare: Function::new(&prepare, place)?,
            place: Arc::clone(place),
        })
    }
}

/// What a session of Python consists of: what it says of itself, and its functions.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Parts {
    work_dir: String,
    home: String,
    host_work_dir: Option<PathBuf>,
    exec: Py<PyAny>,
    copy_in: Py<PyAny>,
    copy_out: Py<PyAny>,
    teardown: Py<PyAny>,
}

#[async_trait]
impl Executor for PyExecutor {
    fn name(&self) -> &str {
        &self.name
    }

    fn limit(&self) -> Option<usize> {
        self.limit
    }

    async fn prepare(
        &self,
        request: PrepareRequest<'_>,
    ) -> Result<Box<dyn Session>, ExecutorError> {
        let io = Io(ExecIo::new(request.output.clone(), request.cancel.clone()));
        let (run, job) = (request.run.to_string(), request.job.name.to_string());
        let (attempt, env) = (request.attempt, request.env.clone());
        let image = request.job.options.requires.image.clone();
        let dir = request.project_dir.clone();
        let arguments = move |py: Python<'_>| -> PyResult<Py<PyTuple>> {
            let io = Py::new(py, io)?;
            Ok((run, job, attempt, env, image, dir, io)
                .into_pyobject(py)?
                .unbind())
        };
        let failed = |error: PyErr| {
            ExecutorError::new(ExecutorErrorKind::Other, "the executor raised an exception")
                .with_source(error)
        };
        let (place, name) = (Arc::clone(&self.place), self.name.clone());
        let read = move |parts: &Bound<'_, PyAny>| PySession::new(parts, name, &place);
        let prepared = self.prepare.call(arguments, read, &request.cancel, None);
        match prepared.await {
            Called::Done(Ok(session)) => Ok(Box::new(session)),
            Called::Done(Err(_)) if request.cancel.is_cancelled() => {
                let message = "preparing was canceled";
                Err(ExecutorError::new(ExecutorErrorKind::Canceled, message))
            }
            Called::Done(Err(error)) => Err(failed(error)),
            _ => {
                let message = "the interpreter has ended";
                Err(ExecutorError::new(ExecutorErrorKind::Other, message))
            }
        }
    }
}

/// A session that is an object of Python.
struct PySession {
    info: SessionInfo,
    exec: Function,
    copy_in: Function,
    copy_out: Function,
    teardown: Function,
}

impl PySession {
    fn new(parts: &Bound<'_, PyAny>, executor: String, place: &Arc<Place>) -> PyResult<Self> {
        let py = parts.py();
        let parts: Parts = parts.extract()?;
        let mut info = SessionInfo::new(executor, parts.work_dir, parts.home);
        info.host_work_dir = parts.host_work_dir;
        let function = |object: &Py<PyAny>| Function::new(object.bind(py), place);
        Ok(Self {
            info,
            exec: function(&parts.exec)?,
            copy_in: function(&parts.copy_in)?,
            copy_out: function(&parts.copy_out)?,
            teardown: function(&parts.teardown)?,
        })
    }
}

fn session_error(error: PyErr) -> SessionError {
    SessionError::new(SessionErrorKind::Other, "the session raised an exception").with_source(error)
}

/// Calls a function of a session that nothing cancels.
async fn called<A>(function: &Function, arguments: A) -> Result<Py<PyAny>, SessionError>
where
    A: FnOnce(Python<'_>) -> PyResult<Py<PyTuple>> + Send + 'static,
{
    match function
        .call(
            arguments,
            |returned| Ok(returned.clone().unbind()),
            &CancellationToken::new(),
            None,
        )
        .await
    {
        Called::Done(result) => result.map_err(session_error),
        _ => Err(ended()),
    }
}

fn ended() -> SessionError {
    SessionError::new(SessionErrorKind::Lost, "the interpreter has ended")
}

#[async_trait]
impl Session for PySession {
    fn info(&self) -> &SessionInfo {
        &self.info
    }

    async fn exec(&self, command: &Command, io: ExecIo) -> Result<ExitStatus, SessionError> {
        let words: Vec<String> = command.words().into_iter().map(str::to_owned).collect();
        let (env, dir) = (command.env.clone(), command.dir.clone());
        let cancel = io.cancel.clone();
        let arguments = move |py: Python<'_>| -> PyResult<Py<PyTuple>> {
            let io = Py::new(py, Io(io))?;
            Ok((words, env, dir, io).into_pyobject(py)?.unbind())
        };
        let read = |status: &Bound<'_, PyAny>| status.extract::<(String, Option<i32>)>();
        let (what, number) = match self.exec.call(arguments, read, &cancel, None).await {
            Called::Done(_) if cancel.is_cancelled() => return Ok(ExitStatus::Stopped),
            Called::Done(result) => result.map_err(session_error)?,
            _ => return Err(ended()),
        };
        match (what.as_str(), number) {
            ("code", Some(code)) => Ok(ExitStatus::Code(code)),
            ("signal", Some(number)) => Ok(ExitStatus::Signal(number)),
            ("out_of_memory", _) => Ok(ExitStatus::OutOfMemory),
            ("stopped", _) => Ok(ExitStatus::Stopped),
            _ => Err(SessionError::new(
                SessionErrorKind::Other,
                format!("`{what}` is no way for a command to end"),
            )),
        }
    }

    async fn copy_in(&self, tree: TreeReader, dir: &str) -> Result<(), SessionError> {
        let dir = dir.to_owned();
        called(&self.copy_in, move |py| {
            let tree = Py::new(py, Tree::new(tree))?;
            Ok((tree, dir).into_pyobject(py)?.unbind())
        })
        .await
        .map(drop)
    }

    async fn copy_out(&self, selection: &TreeSelection) -> Result<TreeReader, SessionError> {
        let roots: Vec<_> = selection
            .roots
            .iter()
            .map(|root| {
                (
                    root.prefix.clone(),
                    root.dir.clone(),
                    root.include.clone(),
                    root.exclude.clone(),
                )
            })
            .collect();
        let tree = called(&self.copy_out, move |py| {
            Ok((roots,).into_pyobject(py)?.unbind())
        })
        .await?;
        Ok(Box::new(FileObject::new(tree)))
    }

    async fn teardown(&self) -> Result<(), SessionError> {
        called(&self.teardown, |py| Ok(PyTuple::empty(py).unbind()))
            .await
            .map(drop)
    }
}

/// Where the output of a command of a Python executor goes, and what stops it.
#[pyclass(frozen, module = "ci_core._native")]
pub(crate) struct Io(ExecIo);

#[pymethods]
impl Io {
    /// Writes what a stream of the process gave; waits while the log is slower.
    fn write(&self, py: Python<'_>, stream: &str, data: &[u8]) -> PyResult<()> {
        let stream = stream_of(stream)?;
        wait(py, self.0.output.write(stream, data), || ())
    }

    /// Whether the command has to stop.
    #[getter]
    fn canceled(&self) -> bool {
        self.0.cancel.is_cancelled()
    }

    /// Waits until the command has to stop; false after `timeout` seconds.
    fn wait_canceled(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let limit = crate::convert::seconds(timeout)?;
        // Made inside of the runtime, where timers have their clock.
        let canceled = async { tokio::time::timeout(limit, self.0.cancel.cancelled()).await };
        Ok(wait(py, canceled, || ())?.is_ok())
    }
}
