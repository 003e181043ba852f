//! Tests that now pass and now fail, and lists of failed tests for runners.

use std::sync::{Mutex, PoisonError};

use ci_core::report::flaky::{self, FailedTest, Runner, Seen};
use ci_core::report::tests::Case;
use ci_core::store::TestQuery;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::{object, serialized};
use crate::error::{OrRaise, internal};
use crate::run::run_id;
use crate::runtime::wait;
use crate::store::{Store, test_entries};
use crate::test_report::TestReport;

/// What many runs said of tests.
#[pyclass(frozen, module = "ci_core._native")]
#[derive(Default)]
pub(crate) struct History(Mutex<flaky::History>);

#[pymethods]
impl History {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Adds the report of a run.
    fn add(&self, report: &TestReport, run: &str, revision: Option<&str>, time: u64, job: &str) {
        let mut history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for case in report.all() {
            let mut seen = seen(case).run(run).time(time);
            seen.origin = job;
            seen.revision = revision;
            history.add(&seen);
        }
    }

    /// All tests, those with the highest score first.
    fn tests<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told(py, &history)
    }

    /// The names for a list of tests in quarantine.
    fn quarantine(&self, min_score: f64) -> Vec<String> {
        let history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        history.quarantine(min_score)
    }
}

fn seen(case: &Case) -> Seen<'_> {
    let mut seen = Seen::new(&case.class, &case.name, case.outcome);
    seen.suite = &case.suite;
    seen.file = case.file.as_deref();
    seen.flaky = case.flaky;
    seen
}

fn told<'py>(py: Python<'py>, history: &flaky::History) -> PyResult<Bound<'py, PyAny>> {
    let tests = history.tests().into_iter().map(|test| {
        let id = test.id();
        let mut told = serde_json::to_value(test).map_err(|error| internal(error.to_string()))?;
        told["id"] = id.into();
        Ok(told)
    });
    object(py, &tests.collect::<PyResult<serde_json::Value>>()?)
}

/// What the newest runs in a store that have tests say of them.
#[pyfunction]
pub(crate) fn flaky_in_store<'py>(
    py: Python<'py>,
    store: &Store,
    workflow: Option<String>,
    branch: Option<String>,
    runs: u64,
) -> PyResult<Bound<'py, PyAny>> {
    let query = TestQuery {
        workflow,
        branch,
        runs: Some(runs),
        ..TestQuery::default()
    };
    let entries = wait(py, store.inner.tests(&query), || ())?.or_raise()?;
    let history = py.detach(|| ci_cli::history(&entries));
    told(py, &history)
}

/// The tests of a run that were bad in the end, in whatever job and attempt.
#[pyfunction]
pub(crate) fn failed_in_store<'py>(
    py: Python<'py>,
    store: &Store,
    run: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let query = TestQuery {
        run: Some(run_id(run)?),
        ..TestQuery::default()
    };
    let entries = wait(py, store.inner.tests(&query), || ())?.or_raise()?;
    let bad = ci_cli::bad_in_the_end(&entries);
    serialized(py, &test_entries(bad)?)
}

/// What a runner of tests is given to run these again: class, name, file.
#[pyfunction]
pub(crate) fn rerun_arguments(
    runner: &str,
    tests: Vec<(String, String, Option<String>)>,
) -> PyResult<Vec<String>> {
    let runner = match runner {
        "lines" => Runner::Lines,
        "files" => Runner::Files,
        "pytest" => Runner::Pytest,
        "go" => Runner::Go,
        "jest" => Runner::Jest,
        "cargo" => Runner::Cargo,
        "nextest" => Runner::Nextest,
        "maven" => Runner::Maven,
        "gradle" => Runner::Gradle,
        other => {
            let message = format!("`{other}` is no runner of tests that is known");
            return Err(PyValueError::new_err(message));
        }
    };
    let tests = tests.into_iter();
    let tests: Vec<FailedTest> = tests
        .map(|(class, name, file)| FailedTest::new(class, name).file(file))
        .collect();
    Ok(flaky::arguments(runner, &tests))
}
