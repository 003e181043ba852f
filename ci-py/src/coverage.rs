//! Coverage reports: read, merged, judged, written.

use std::io::Write;
use std::sync::Arc;

use ci_core::report::coverage::{
    self, Gates, Ratio, SummaryOptions, parse_diff, write_cobertura, write_json, write_lcov,
    write_markdown, write_text,
};
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::error::{OrRaise, internal};
use crate::source::Source;

/// Coverage of any number of files, immutable.
#[pyclass(frozen, module = "ci_core._native")]
#[derive(Default)]
pub(crate) struct Coverage(Arc<coverage::Coverage>);

/// What was read, its format, and what was wrong with it.
type Read<'py> = (Coverage, &'static str, Bound<'py, PyAny>);

/// Reads a report of any format.
#[pyfunction]
pub(crate) fn read_coverage(py: Python<'_>, source: Source) -> PyResult<Read<'_>> {
    let report = py.detach(|| match source.open() {
        Ok(reader) => coverage::read(reader).or_raise(),
        Err(error) => Err(error).or_raise(),
    })?;
    let diagnostics = crate::convert::serialized(py, &report.diagnostics)?;
    Ok((
        Coverage(Arc::new(report.coverage)),
        report.format.name(),
        diagnostics,
    ))
}

/// Covered and all.
type Pair = (u64, u64);

fn pair(ratio: Ratio) -> Pair {
    (ratio.covered, ratio.total)
}

/// What must be covered, in percent.
#[derive(Clone, Copy, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Limits {
    lines: Option<f64>,
    branches: Option<f64>,
    functions: Option<f64>,
    file_lines: Option<f64>,
    file_branches: Option<f64>,
    changed_lines: Option<f64>,
}

/// Sets a limit.
type Set = fn(Gates, f64) -> Gates;

impl Limits {
    fn gates(self) -> Gates {
        let mut gates = Gates::new();
        let all: [(Option<f64>, Set); 6] = [
            (self.lines, Gates::lines),
            (self.branches, Gates::branches),
            (self.functions, Gates::functions),
            (self.file_lines, Gates::file_lines),
            (self.file_branches, Gates::file_branches),
            (self.changed_lines, Gates::changed_lines),
        ];
        for (limit, set) in all {
            if let Some(percent) = limit {
                gates = set(gates, percent);
            }
        }
        gates
    }
}

#[pymethods]
impl Coverage {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Sums of all files: lines, branches, functions.
    fn totals(&self) -> (Pair, Pair, Pair) {
        let totals = self.0.totals();
        (
            pair(totals.lines),
            pair(totals.branches),
            pair(totals.functions),
        )
    }

    #[getter]
    fn files(&self) -> Vec<String> {
        self.0.files().map(|(path, _)| path.to_owned()).collect()
    }

    /// The lines of a file with how often each was run, and those that were missed.
    fn file<'py>(&self, py: Python<'py>, path: &str) -> PyResult<Bound<'py, PyDict>> {
        let file = self
            .0
            .file(path)
            .ok_or_else(|| PyKeyError::new_err(path.to_owned()))?;
        let totals = file.totals();
        let told = PyDict::new(py);
        told.set_item("lines", pair(totals.lines))?;
        told.set_item("branches", pair(totals.branches))?;
        told.set_item("functions", pair(totals.functions))?;
        let lines = file.lines().map(|line| (line.number(), line.hits()));
        told.set_item("hits", lines.collect::<Vec<_>>())?;
        told.set_item("missed", file.missed_lines().collect::<Vec<_>>())?;
        Ok(told)
    }

    /// The coverage of both: shards of one run, in any order.
    fn merge(&self, py: Python<'_>, other: &Self) -> Self {
        py.detach(|| {
            let mut all = (*self.0).clone();
            all.merge((*other.0).clone());
            Self(Arc::new(all))
        })
    }

    /// Whether the limits hold, and why not.
    fn check(&self, py: Python<'_>, limits: Limits, diff: Option<&str>) -> (bool, String) {
        py.detach(|| {
            let changed = diff.map(parse_diff);
            let verdict = limits.gates().check(&self.0, changed.as_ref());
            (verdict.passed(), verdict.to_string())
        })
    }

    fn write<'py>(&self, py: Python<'py>, format: &str) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        let options = SummaryOptions::default();
        let sink: &mut (dyn Write + Send) = &mut out;
        py.detach(|| {
            let written = match format {
                "lcov" => write_lcov(&self.0, sink),
                "cobertura" => write_cobertura(&self.0, sink),
                "json" => write_json(&self.0, sink),
                "text" => write_text(&self.0, options, sink),
                "markdown" => write_markdown(&self.0, options, sink),
                _ => {
                    return Err(PyValueError::new_err(format!(
                        "`{format}` is no format that coverage is written in; there are `lcov`, \
                         `cobertura`, `json`, `text` and `markdown`"
                    )));
                }
            };
            written.map_err(|error| internal(error.to_string()))
        })?;
        Ok(PyBytes::new(py, &out))
    }

    fn __len__(&self) -> usize {
        self.0.files().len()
    }

    fn __repr__(&self) -> String {
        let lines = self.0.totals().lines;
        let files = self.0.files().len();
        format!("<Coverage: {files} files, lines {}>", lines.percent_text())
    }
}
