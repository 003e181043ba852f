//! The run store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ci_core::outcome::{CancelReason, OutcomeKind};
use ci_core::session::Stream;
use ci_core::store::{
    LogQuery, MemoryStore, Request, RequestKind, Retention, RunQuery, RunStore, SqliteStore,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::{seconds, serialized};
use crate::error::OrRaise;
use crate::run::run_id;
use crate::runtime::wait;
use crate::workflow::Spec;

/// Keeps runs.
#[pyclass(frozen, module = "ci_core._native", from_py_object)]
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) inner: Arc<dyn RunStore>,
    path: Option<PathBuf>,
}

/// A summary, a workflow, facts and events.
type Loaded<'py> = (
    Bound<'py, PyAny>,
    Spec,
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
);

/// A line of a log: job, attempt, step, stream, milliseconds since 1970, bytes.
type Line<'py> = (String, u32, u32, &'static str, u64, Bound<'py, PyBytes>);

#[pymethods]
impl Store {
    /// The store in a file; the user's own without a path.
    #[staticmethod]
    fn open(py: Python<'_>, path: Option<PathBuf>) -> PyResult<Self> {
        let opened = py.detach(|| match path {
            Some(path) => SqliteStore::open(path),
            None => SqliteStore::open_default(),
        });
        let store = opened.or_raise()?;
        let path = Some(store.path().to_path_buf());
        Ok(Self {
            inner: Arc::new(store),
            path,
        })
    }

    /// A store that is gone with the process.
    #[staticmethod]
    fn memory() -> Self {
        Self {
            inner: Arc::new(MemoryStore::new()),
            path: None,
        }
    }

    #[getter]
    fn path(&self) -> Option<PathBuf> {
        self.path.clone()
    }

    /// How many runs match, and those of this part as dictionaries.
    fn runs<'py>(
        &self,
        py: Python<'py>,
        workflow: Option<String>,
        branch: Option<String>,
        revision: Option<String>,
        outcome: Option<&str>,
        offset: u64,
        limit: Option<u64>,
    ) -> PyResult<(u64, Bound<'py, PyAny>)> {
        let outcome = match outcome {
            None => None,
            Some(name) => Some(
                OutcomeKind::ALL
                    .into_iter()
                    .find(|kind| kind.as_str() == name)
                    .ok_or_else(|| PyValueError::new_err(format!("`{name}` is no outcome")))?,
            ),
        };
        let query = RunQuery {
            workflow,
            branch,
            revision,
            outcome,
            offset,
            limit,
        };
        let page = wait(py, self.inner.runs(&query), || ())?.or_raise()?;
        Ok((page.total, serialized(py, &page.runs)?))
    }

    /// A run: its summary, its workflow, its facts and its events.
    fn load<'py>(&self, py: Python<'py>, run: &str) -> PyResult<Loaded<'py>> {
        let stored = wait(py, self.inner.load(run_id(run)?), || ())?.or_raise()?;
        Ok((
            serialized(py, &stored.summary)?,
            Spec {
                inner: Arc::clone(&stored.workflow),
            },
            serialized(py, &stored.facts)?,
            serialized(py, &stored.journal)?,
        ))
    }

    fn log<'py>(
        &self,
        py: Python<'py>,
        run: &str,
        job: Option<String>,
        attempt: Option<u32>,
        step: Option<u32>,
    ) -> PyResult<Vec<Line<'py>>> {
        let query = LogQuery {
            run: run_id(run)?,
            job,
            attempt,
            step,
        };
        let lines = wait(py, self.inner.read_log(&query), || ())?.or_raise()?;
        let lines = lines.into_iter().map(|line| {
            let stream = match line.stream {
                Stream::Stdout => "stdout",
                Stream::Stderr => "stderr",
                Stream::Engine => "engine",
            };
            (
                line.job.to_string(),
                line.attempt,
                line.step,
                stream,
                line.time.as_millis(),
                PyBytes::new(py, &line.bytes),
            )
        });
        Ok(lines.collect())
    }

    /// Asks whoever drives the run to stop it, or a job of it.
    fn cancel(&self, py: Python<'_>, run: &str, job: Option<String>, by: String) -> PyResult<()> {
        let reason = CancelReason::Requested;
        self.ask(py, run, RequestKind::Cancel { job, reason }, by)
    }

    /// Decides about a held job of a run that some process drives.
    fn decide(
        &self,
        py: Python<'_>,
        run: &str,
        job: String,
        approved: bool,
        by: String,
    ) -> PyResult<()> {
        self.ask(py, run, RequestKind::Approve { job, approved }, by)
    }

    /// Removes ended runs that need not be kept, and gives their ids.
    fn prune(
        &self,
        py: Python<'_>,
        max_age: Option<f64>,
        max_runs: Option<u64>,
    ) -> PyResult<Vec<String>> {
        let max_age: Option<Duration> = max_age.map(seconds).transpose()?;
        let retention = Retention { max_age, max_runs };
        let gone = wait(py, self.inner.prune(&retention), || ())?.or_raise()?;
        Ok(gone.iter().map(ToString::to_string).collect())
    }
}

impl Store {
    fn ask(&self, py: Python<'_>, run: &str, kind: RequestKind, by: String) -> PyResult<()> {
        let run = run_id(run)?;
        let request = Request { run, kind, by };
        wait(py, self.inner.request(request), || ())?.or_raise()
    }
}
