//! Workflows as data.

use std::path::PathBuf;
use std::sync::Arc;

use ci_core::graph::render;
use ci_core::workflow::{Plan, RunFacts, WorkflowSpec};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::OrRaise;

/// A workflow as data, immutable. `WorkflowSpec.from_dict`, `from_json`, `from_yaml` and `from_file`
/// make one; `Workflow.build` does too.
#[pyclass(frozen, eq, module = "ci_core._native", from_py_object)]
#[derive(Clone, PartialEq)]
pub(crate) struct Spec {
    pub(crate) inner: Arc<WorkflowSpec>,
}

impl From<WorkflowSpec> for Spec {
    fn from(spec: WorkflowSpec) -> Self {
        Self {
            inner: Arc::new(spec),
        }
    }
}

/// Facts as Python gives them: JSON.
pub(crate) fn facts(json: &str) -> PyResult<RunFacts> {
    serde_json::from_str(json).map_err(|error| PyValueError::new_err(format!("the facts: {error}")))
}

#[pymethods]
impl Spec {
    #[staticmethod]
    fn from_json(text: &str) -> PyResult<Self> {
        WorkflowSpec::from_json(text).or_raise().map(Self::from)
    }

    #[staticmethod]
    fn from_yaml(text: &str) -> PyResult<Self> {
        WorkflowSpec::from_yaml(text).or_raise().map(Self::from)
    }

    #[staticmethod]
    fn from_file(path: PathBuf) -> PyResult<Self> {
        WorkflowSpec::from_path(path).or_raise().map(Self::from)
    }

    fn to_json(&self) -> PyResult<String> {
        self.inner.to_json().or_raise()
    }

    fn to_yaml(&self) -> PyResult<String> {
        self.inner.to_yaml().or_raise()
    }

    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }

    #[getter]
    fn jobs(&self) -> Vec<String> {
        let jobs = self.inner.jobs.iter();
        jobs.map(|job| job.name.to_string()).collect()
    }

    fn validate(&self) -> PyResult<()> {
        self.inner.validate().or_raise()
    }

    /// The jobs of a run for `facts`, with what each needs.
    fn plan(&self, facts: &str) -> PyResult<Vec<(String, Vec<String>)>> {
        let plan = self.planned(facts)?;
        let jobs = plan.jobs.iter().map(|job| {
            let needs = job.needs.iter().map(|need| need.job.to_string());
            (job.name.to_string(), needs.collect())
        });
        Ok(jobs.collect())
    }

    fn draw(&self, language: &str, facts: &str) -> PyResult<String> {
        let plan = self.planned(facts)?;
        match language {
            "dot" => Ok(render::dot(&plan)),
            "mermaid" => Ok(render::mermaid(&plan)),
            "svg" => Ok(render::svg(&plan)),
            _ => Err(PyValueError::new_err(format!(
                "`{language}` is no language of drawings; there are `dot`, `mermaid` and `svg`"
            ))),
        }
    }
}

impl Spec {
    fn planned(&self, json: &str) -> PyResult<Plan> {
        self.inner.plan(&facts(json)?).or_raise()
    }
}
