//! The run store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ci_core::clock::Timestamp;
use ci_core::outcome::{CancelReason, OutcomeKind};
use ci_core::session::Stream;
use ci_core::store::{
    LogKey, LogLine, LogQuery, LogReader as Reader, MemoryStore, Request, RequestKind, Retention,
    RunQuery, RunStore, SqliteStore, TestEntry, TestQuery,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::convert::{seconds, serialized};
use crate::error::{OrRaise, internal};
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
    #[expect(
        clippy::too_many_arguments,
        reason = "the Python half gives them names"
    )]
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
        Ok(lines.iter().map(|line| told(py, line)).collect())
    }

    /// Reads logs piece by piece, also while they grow.
    fn follow_log(
        &self,
        run: &str,
        job: Option<String>,
        attempt: Option<u32>,
        step: Option<u32>,
    ) -> PyResult<LogReader> {
        let query = LogQuery {
            run: run_id(run)?,
            job,
            attempt,
            step,
        };
        Ok(LogReader {
            store: Arc::clone(&self.inner),
            reader: Mutex::new(Reader::new(query)),
        })
    }

    /// A number that changes with what the store keeps.
    fn version(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        wait(py, self.inner.version(), || ())?.or_raise()
    }

    /// The tests that runs kept, as dictionaries: runs newest first.
    fn tests<'py>(
        &self,
        py: Python<'py>,
        run: Option<&str>,
        workflow: Option<String>,
        branch: Option<String>,
        job: Option<String>,
        runs: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let query = test_query(run, workflow, branch, job, runs)?;
        let entries = wait(py, self.inner.tests(&query), || ())?.or_raise()?;
        serialized(py, &test_entries(&entries)?)
    }

    /// The coverage that the steps of runs reported, as dictionaries: runs newest first.
    fn coverage<'py>(
        &self,
        py: Python<'py>,
        run: Option<&str>,
        workflow: Option<String>,
        branch: Option<String>,
        job: Option<String>,
        runs: Option<u64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let query = test_query(run, workflow, branch, job, runs)?;
        let entries = wait(py, self.inner.coverage(&query), || ())?.or_raise()?;
        let told = entries.iter().map(|entry| {
            let totals = serde_json::to_value(entry.totals);
            placed(&entry.key, entry.revision.as_deref(), entry.created, totals)
        });
        serialized(py, &told.collect::<PyResult<Vec<_>>>()?)
    }

    /// What was last marked under `key`.
    fn mark(&self, py: Python<'_>, key: &str) -> PyResult<Option<String>> {
        wait(py, self.inner.mark(key), || ())?.or_raise()
    }

    /// Marks `new` under `key` if what is there is still `old`. False if it is not.
    fn set_mark(&self, py: Python<'_>, key: &str, old: Option<&str>, new: &str) -> PyResult<bool> {
        wait(py, self.inner.set_mark(key, old, new), || ())?.or_raise()
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

fn told<'py>(py: Python<'py>, line: &LogLine) -> Line<'py> {
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
}

fn test_query(
    run: Option<&str>,
    workflow: Option<String>,
    branch: Option<String>,
    job: Option<String>,
    runs: Option<u64>,
) -> PyResult<TestQuery> {
    Ok(TestQuery {
        run: run.map(run_id).transpose()?,
        workflow,
        branch,
        job,
        before: None,
        runs,
    })
}

/// Tests with the place where each ran, flat.
pub(crate) fn test_entries<'a>(
    entries: impl IntoIterator<Item = &'a TestEntry>,
) -> PyResult<Vec<Value>> {
    let told = entries.into_iter().map(|entry| {
        let test = serde_json::to_value(&entry.test);
        let mut told = placed(&entry.key, entry.revision.as_deref(), entry.created, test)?;
        told["id"] = entry.test.id().into();
        Ok(told)
    });
    told.collect()
}

/// The fields of what a step reported, beside those of where it ran.
fn placed(
    key: &LogKey,
    revision: Option<&str>,
    created: Timestamp,
    value: Result<Value, serde_json::Error>,
) -> PyResult<Value> {
    let mut told = value.map_err(|error| internal(error.to_string()))?;
    told["run"] = key.run.to_string().into();
    told["job"] = (*key.job).into();
    told["attempt"] = key.attempt.into();
    told["step"] = key.step.into();
    told["revision"] = revision.into();
    told["created"] = created.as_millis().into();
    Ok(told)
}

/// Reads logs piece by piece.
#[pyclass(frozen, module = "ci_core._native")]
pub(crate) struct LogReader {
    store: Arc<dyn RunStore>,
    reader: Mutex<Reader>,
}

#[pymethods]
impl LogReader {
    /// The next lines that have ended, about a mebibyte of them; none when there are none for now.
    fn read<'py>(&self, py: Python<'py>) -> PyResult<Vec<Line<'py>>> {
        let read = async { self.reader.lock().await.read(&*self.store).await };
        let lines = wait(py, read, || ())?.or_raise()?;
        Ok(lines.iter().map(|line| told(py, line)).collect())
    }

    /// The lines that have begun and not ended.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Vec<Line<'py>>> {
        let lines = wait(py, async { self.reader.lock().await.finish() }, || ())?;
        Ok(lines.iter().map(|line| told(py, line)).collect())
    }
}
