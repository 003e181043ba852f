//! One test of a report, as Python holds it.

use std::borrow::Cow;
use std::sync::Arc;

use ci_core::report::tests::{self, Case, JunitWriter, Outcome, Visitor as _};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::serialized;

/// One test of a report, immutable.
#[pyclass(frozen, eq, module = "ci_core.reports")]
#[derive(Clone)]
pub(crate) struct TestCase(Kept);

#[derive(Clone)]
enum Kept {
    Plain(Plain),
    Whole(Arc<Case>),
}

/// A test that passed and of which nothing more is said, as nearly all are: in one piece of memory, because
/// a report may have hundreds of thousands.
#[derive(Clone, PartialEq)]
struct Plain {
    /// Suite, class, name and file, one behind the other.
    names: Box<str>,
    /// Where the first three end.
    ends: [usize; 3],
    has_file: bool,
    line: Option<u64>,
    time: Option<f64>,
    outcome: Outcome,
    flaky: bool,
    attempt: u32,
}

impl Plain {
    /// The same test, if it is one.
    fn new(case: &Case) -> Option<Self> {
        let Case {
            suite,
            class,
            name,
            file,
            ..
        } = case;
        let more = case.status.is_some()
            || !(case.results.is_empty() && case.attempts.is_empty())
            || !(case.stdout.is_empty() && case.stderr.is_empty())
            || !(case.properties.is_empty() && case.attachments.is_empty());
        if more {
            return None;
        }
        let parts = [suite, class, name, file.as_deref().unwrap_or_default()];
        let ends = [
            suite.len(),
            suite.len() + class.len(),
            suite.len() + class.len() + name.len(),
        ];
        Some(Self {
            names: parts.concat().into_boxed_str(),
            ends,
            has_file: file.is_some(),
            line: case.line,
            time: case.time,
            outcome: case.outcome,
            flaky: case.flaky,
            attempt: case.attempt,
        })
    }

    fn part(&self, from: usize, to: usize) -> &str {
        self.names.get(from..to).unwrap_or_default()
    }

    fn suite(&self) -> &str {
        self.part(0, self.ends[0])
    }

    fn class(&self) -> &str {
        self.part(self.ends[0], self.ends[1])
    }

    fn name(&self) -> &str {
        self.part(self.ends[1], self.ends[2])
    }

    fn file(&self) -> Option<&str> {
        (self.has_file).then(|| self.part(self.ends[2], self.names.len()))
    }

    fn whole(&self) -> Case {
        let mut case = Case::new(self.class(), self.name());
        self.suite().clone_into(&mut case.suite);
        case.file = self.file().map(str::to_owned);
        case.line = self.line;
        case.time = self.time;
        case.outcome = self.outcome;
        case.flaky = self.flaky;
        case.attempt = self.attempt;
        case
    }
}

impl PartialEq for TestCase {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kept::Plain(a), Kept::Plain(b)) => a == b,
            // What one has more, the other has not.
            (Kept::Whole(a), Kept::Whole(b)) => a == b,
            _ => false,
        }
    }
}

impl TestCase {
    pub(crate) fn new(case: &Case) -> Self {
        Self(match Plain::new(case) {
            Some(plain) => Kept::Plain(plain),
            None => Kept::Whole(Arc::new(case.clone())),
        })
    }

    fn whole(&self) -> Cow<'_, Case> {
        match &self.0 {
            Kept::Plain(plain) => Cow::Owned(plain.whole()),
            Kept::Whole(case) => Cow::Borrowed(case),
        }
    }

    /// The case, if more is said of it than where it stands and how it ended.
    fn more(&self) -> Option<&Case> {
        match &self.0 {
            Kept::Plain(_) => None,
            Kept::Whole(case) => Some(case),
        }
    }
}

#[pymethods]
impl TestCase {
    #[getter]
    fn suite(&self) -> &str {
        match &self.0 {
            Kept::Plain(it) => it.suite(),
            Kept::Whole(it) => &it.suite,
        }
    }

    #[getter]
    fn class_name(&self) -> &str {
        match &self.0 {
            Kept::Plain(it) => it.class(),
            Kept::Whole(it) => &it.class,
        }
    }

    #[getter]
    fn name(&self) -> &str {
        match &self.0 {
            Kept::Plain(it) => it.name(),
            Kept::Whole(it) => &it.name,
        }
    }

    #[getter]
    fn file(&self) -> Option<&str> {
        match &self.0 {
            Kept::Plain(it) => it.file(),
            Kept::Whole(it) => it.file.as_deref(),
        }
    }

    #[getter]
    fn line(&self) -> Option<u64> {
        match &self.0 {
            Kept::Plain(it) => it.line,
            Kept::Whole(it) => it.line,
        }
    }

    #[getter]
    fn time(&self) -> Option<f64> {
        match &self.0 {
            Kept::Plain(it) => it.time,
            Kept::Whole(it) => it.time,
        }
    }

    #[getter]
    fn outcome(&self) -> &'static str {
        match &self.0 {
            Kept::Plain(it) => it.outcome.as_str(),
            Kept::Whole(it) => it.outcome.as_str(),
        }
    }

    #[getter]
    fn flaky(&self) -> bool {
        match &self.0 {
            Kept::Plain(it) => it.flaky,
            Kept::Whole(it) => it.flaky,
        }
    }

    #[getter]
    fn attempt(&self) -> u32 {
        match &self.0 {
            Kept::Plain(it) => it.attempt,
            Kept::Whole(it) => it.attempt,
        }
    }

    /// The message of the result that made the outcome.
    #[getter]
    fn message(&self) -> Option<&str> {
        Some(self.more()?.worst()?.message.as_str())
    }

    /// The type of that result.
    #[getter]
    fn kind(&self) -> Option<&str> {
        Some(&self.more()?.worst()?.kind)
    }

    /// The text of that result, usually a stack trace.
    #[getter]
    fn body(&self) -> Option<&str> {
        Some(self.more()?.worst()?.body.as_str())
    }

    #[getter]
    fn stdout(&self) -> &str {
        self.more().map_or("", |it| it.stdout.as_str())
    }

    #[getter]
    fn stderr(&self) -> &str {
        self.more().map_or("", |it| it.stderr.as_str())
    }

    #[getter]
    fn properties(&self) -> Vec<(String, String)> {
        let properties = self.more().map_or(&[][..], |it| &it.properties);
        properties
            .iter()
            .map(|property| (property.name.clone(), property.value.clone()))
            .collect()
    }

    #[getter]
    fn attachments(&self) -> Vec<String> {
        self.more().map_or(Vec::new(), |it| it.attachments.clone())
    }

    /// Everything that the report says, as the engine's JSON has it.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        serialized(py, &*self.whole())
    }

    fn __repr__(&self) -> String {
        let Case {
            class,
            name,
            outcome,
            ..
        } = &*self.whole();
        format!("<TestCase {class:?} {name:?}: {outcome}>")
    }

    /// Pickled as a report of one case, which says nearly everything and is read with the same care.
    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let mut junit = Vec::new();
        let mut writer = JunitWriter::new(&mut junit);
        writer.case(&self.whole());
        writer.finish()?;
        let read = py.import("ci_core._native")?.getattr("one_test")?;
        Ok((read, (PyBytes::new(py, &junit),)))
    }
}

/// The only case of a report in bytes.
#[pyfunction]
pub(crate) fn one_test(junit: &[u8]) -> PyResult<TestCase> {
    let report = tests::read_slice(junit);
    let case = report.cases().next();
    case.map(TestCase::new)
        .ok_or_else(|| pyo3::exceptions::PyValueError::new_err("there is no test in there"))
}
