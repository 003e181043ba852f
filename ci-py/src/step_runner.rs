//! The client of a step runner.

use ci_core::steps::step_runner;
use pyo3::prelude::*;

use crate::convert::seconds;
use crate::error::OrRaise;
use crate::workflow::Spec;

/// A step runner, and how patient to be with it.
#[pyclass(frozen, module = "ci_core._native", from_py_object)]
#[derive(Clone)]
pub(crate) struct StepRunner(pub(crate) step_runner::StepRunner);

#[pymethods]
impl StepRunner {
    #[new]
    fn new(
        address: &str,
        reply_timeout: Option<f64>,
        budget: Option<f64>,
        attempts: Option<u32>,
    ) -> PyResult<Self> {
        let mut runner = step_runner::StepRunner::new(address).or_raise()?;
        if let Some(limit) = reply_timeout {
            runner = runner.reply_timeout(seconds(limit)?);
        }
        if let Some(limit) = budget {
            runner = runner.budget(seconds(limit)?);
        }
        if let Some(most) = attempts {
            runner = runner.attempts(most);
        }
        Ok(Self(runner))
    }

    #[getter]
    fn address(&self) -> &str {
        self.0.address()
    }

    fn workflow(&self) -> Spec {
        Spec::from(self.0.workflow())
    }
}
