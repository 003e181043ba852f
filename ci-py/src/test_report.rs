//! Test reports: read as a whole, or case by case in bounded memory; and written.

use std::collections::VecDeque;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ci_core::report::Diagnostic;
use ci_core::report::tests::{self, Case, Counts, Format, Options, Parser, Visitor};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::convert::serialized;
use crate::error::OrRaise;
use crate::source::Source;
use crate::test_case::TestCase;

/// How much of a report is read before its cases are given out.
const PIECE: usize = 64 * 1024;
/// Diagnostics that are kept while iterating.
const DIAGNOSTICS: usize = 1000;

/// A test report, immutable.
#[pyclass(frozen, eq, module = "ci_core.reports")]
#[derive(Clone, PartialEq)]
pub(crate) struct TestReport(Arc<tests::TestReport>);

impl TestReport {
    /// All cases, as the engine has them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Case> {
        self.0.cases()
    }
}

/// Reads a report as a whole.
#[pyfunction]
pub(crate) fn read_tests(py: Python<'_>, source: Source) -> PyResult<TestReport> {
    let read = py.detach(|| match source {
        Source::Bytes(bytes) => Ok(tests::read_slice(&bytes)),
        source => source.open().and_then(tests::read),
    });
    Ok(TestReport(Arc::new(read.or_raise()?)))
}

#[pymethods]
impl TestReport {
    #[getter]
    fn format(&self) -> Option<&'static str> {
        self.0.format.map(Format::name)
    }

    #[getter]
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        serialized(py, &self.0.counts)
    }

    #[getter]
    fn truncated(&self) -> bool {
        self.0.truncated
    }

    #[getter]
    fn success(&self) -> bool {
        self.0.is_success()
    }

    #[getter]
    fn diagnostics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        serialized(py, &self.0.diagnostics)
    }

    fn cases(&self) -> Vec<TestCase> {
        let cases = self.0.cases();
        cases.map(TestCase::new).collect()
    }

    /// The cases that failed or broke.
    fn failed(&self) -> Vec<TestCase> {
        let bad = self.0.cases().filter(|case| case.outcome.is_bad());
        bad.map(TestCase::new).collect()
    }

    fn to_junit<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut junit = Vec::new();
        py.detach(|| tests::write_junit(&self.0, &mut junit))?;
        Ok(PyBytes::new(py, &junit))
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        serialized(py, &*self.0)
    }

    fn __len__(&self) -> usize {
        usize::try_from(self.0.counts.tests).unwrap_or(usize::MAX)
    }

    fn __repr__(&self) -> String {
        let Counts {
            tests,
            failed,
            errors,
            skipped,
            ..
        } = self.0.counts;
        format!("<TestReport: {tests} tests, {failed} failed, {errors} errors, {skipped} skipped>")
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let read = py.import("ci_core._native")?.getattr("read_tests")?;
        Ok((read, (self.to_junit(py)?,)))
    }
}

/// The tests of a report, one after the other, as they are read: memory is bounded whatever the size
/// of the report.
#[pyclass(frozen, module = "ci_core.reports")]
pub(crate) struct TestCases(Mutex<Reading>);

struct Reading {
    /// None when the report is at its end.
    open: Option<(Parser, Box<dyn Read + Send>)>,
    piece: Vec<u8>,
    found: Found,
    format: Option<Format>,
}

#[derive(Default)]
struct Found {
    cases: VecDeque<TestCase>,
    counts: Counts,
    diagnostics: Vec<Diagnostic>,
}

impl Visitor for Found {
    fn case(&mut self, case: &Case) {
        self.counts.add(case.outcome, case.flaky, case.time);
        self.cases.push_back(TestCase::new(case));
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
        }
    }
}

impl Reading {
    /// The next case; reads on when all that were found are given out.
    fn next(&mut self) -> std::io::Result<Option<TestCase>> {
        while self.found.cases.is_empty() {
            let Some((parser, reader)) = &mut self.open else {
                return Ok(None);
            };
            let count = match reader.read(&mut self.piece) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if count > 0 {
                parser.feed(&self.piece[..count], &mut self.found);
            } else if let Some((parser, _)) = self.open.take() {
                self.format = parser.finish(&mut self.found);
            }
        }
        Ok(self.found.cases.pop_front())
    }
}

/// Begins to read the tests of a report.
#[pyfunction]
pub(crate) fn iter_tests(py: Python<'_>, source: Source) -> PyResult<TestCases> {
    let reader = py.detach(|| source.open()).or_raise()?;
    Ok(TestCases(Mutex::new(Reading {
        open: Some((Parser::new(Options::default()), reader)),
        piece: vec![0; PIECE],
        found: Found::default(),
        format: None,
    })))
}

impl TestCases {
    fn read<T: Send>(&self, py: Python<'_>, read: impl FnOnce(&mut Reading) -> T + Send) -> T {
        // Detached before the lock: whoever holds it may wait for the interpreter.
        py.detach(|| read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[pymethods]
impl TestCases {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<TestCase>> {
        // Mostly there is one, and nobody to wait for.
        if let Ok(mut reading) = self.0.try_lock()
            && let Some(case) = reading.found.cases.pop_front()
        {
            return Ok(Some(case));
        }
        self.read(py, Reading::next).or_raise()
    }

    /// What was counted so far.
    #[getter]
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let counts = self.read(py, |reading| reading.found.counts);
        serialized(py, &counts)
    }

    /// What is wrong with the report, as far as it was read.
    #[getter]
    fn diagnostics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let diagnostics = self.read(py, |reading| reading.found.diagnostics.clone());
        serialized(py, &diagnostics)
    }

    /// The format, known at the end.
    #[getter]
    fn format(&self, py: Python<'_>) -> Option<&'static str> {
        self.read(py, |reading| reading.format).map(Format::name)
    }
}

/// The known times of the tests in reports, by names that `split` finds them under.
#[pyfunction]
pub(crate) fn test_times(py: Python<'_>, files: Vec<PathBuf>) -> PyResult<Bound<'_, PyDict>> {
    let mut times = Times::default();
    for file in files {
        let reader = Source::Path(file).open().or_raise()?;
        py.detach(|| tests::parse(reader, &mut times)).or_raise()?;
    }
    let known = PyDict::new(py);
    for (name, seconds) in times.0 {
        known.set_item(name, seconds)?;
    }
    Ok(known)
}

#[derive(Default)]
struct Times(std::collections::BTreeMap<String, f64>);

impl Visitor for Times {
    fn case(&mut self, case: &Case) {
        let Some(seconds) = case.time else { return };
        let name = format!("{}.{}", case.class, case.name);
        *self.0.entry(name).or_default() += seconds;
        if let Some(file) = &case.file {
            *self.0.entry(file.clone()).or_default() += seconds;
        }
    }
}
