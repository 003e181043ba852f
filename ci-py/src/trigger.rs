//! Triggers: which events start a run.

use ci_core::trigger::{Decision, Event, EventKind, TriggerSpec};
use ci_core::yaml;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Deserialize;

use crate::convert::serialized;
use crate::error::{OrRaise, raise};

/// Which events start a run, and with what.
#[pyclass(frozen, eq, module = "ci_core._native")]
#[derive(PartialEq)]
pub(crate) struct Triggers(TriggerSpec);

/// An event as Python gives it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    kind: String,
    #[serde(default)]
    branch: Option<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    target: Option<String>,
    #[serde(default)]
    number: Option<u64>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    annotated: bool,
    #[serde(default)]
    revision: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    changed_paths: Option<Vec<String>>,
    #[serde(default)]
    arguments: std::collections::BTreeMap<String, String>,
}

impl Given {
    fn event(self) -> PyResult<Event> {
        let kind = self.kind.clone();
        let missing = |field: &str| {
            PyValueError::new_err(format!("an event of the kind `{kind}` needs `{field}`"))
        };
        let branch = self.branch;
        let kind = match self.kind.as_str() {
            "push" => EventKind::Push {
                branch: branch.ok_or_else(|| missing("branch"))?,
            },
            "merge_request" => EventKind::MergeRequest {
                source: self.source.ok_or_else(|| missing("source"))?,
                target: self.target.ok_or_else(|| missing("target"))?,
                number: self.number.ok_or_else(|| missing("number"))?,
            },
            "tag" => EventKind::Tag {
                name: self.name.ok_or_else(|| missing("name"))?,
                annotated: self.annotated,
            },
            "schedule" => EventKind::Schedule {
                name: self.name.ok_or_else(|| missing("name"))?,
                branch,
            },
            "manual" => EventKind::Manual { branch },
            "api" => EventKind::Api { branch },
            other => {
                let message = format!("`{other}` is no kind of event");
                return Err(PyValueError::new_err(message));
            }
        };
        let mut event = Event::new(kind);
        event.revision = self.revision;
        event.message = self.message;
        event.changed_paths = self.changed_paths;
        event.arguments = self.arguments;
        Ok(event)
    }
}

#[pymethods]
impl Triggers {
    /// Every event except schedules starts a run.
    #[staticmethod]
    fn everything() -> Self {
        Self(TriggerSpec::everything())
    }

    /// From YAML, of which JSON is a part.
    #[staticmethod]
    fn from_yaml(text: &str) -> PyResult<Self> {
        yaml::from_str(text)
            .map(Self)
            .map_err(|error| raise("SpecError", &format!("the triggers: {error}"), |_| Ok(())))
    }

    /// The facts of the run that an event, given as JSON, starts; or why it starts none.
    fn decide<'py>(
        &self,
        py: Python<'py>,
        event: &str,
    ) -> PyResult<(Option<Bound<'py, PyAny>>, Option<String>)> {
        let given: Given = serde_json::from_str(event)
            .map_err(|error| PyValueError::new_err(format!("the event: {error}")))?;
        match self.0.decide(&given.event()?).or_raise()? {
            Decision::Run(facts) => Ok((Some(serialized(py, &*facts)?), None)),
            Decision::Skip(why) => Ok((None, Some(why))),
            _ => Ok((None, Some(String::new()))),
        }
    }
}
