//! Errors of the engine as exceptions. The classes are those of `ci_core._exceptions`: classes made in
//! Python can have attributes, two bases and be pickled.

use std::error::Error;

use ci_cli::UsageError;
use ci_core::executor::ExecutorError;
use ci_core::report::coverage::CoverageError;
use ci_core::run::RunError;
use ci_core::session::SessionError;
use ci_core::settings::SettingsError;
use ci_core::steps::step_runner::StepRunnerError;
use ci_core::storage::StorageError;
use ci_core::store::{StoreError, StoreErrorKind};
use ci_core::trigger::{TriggerError, TriggerErrorKind};
use ci_core::workflow::{InvalidWorkflow, SpecError};
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// An exception of the class `name`, with a message and attributes.
pub(crate) fn raise(
    name: &str,
    message: &str,
    fill: impl FnOnce(&Bound<'_, PyDict>) -> PyResult<()>,
) -> PyErr {
    Python::attach(|py| {
        let made = py.import("ci_core._exceptions").and_then(|module| {
            let attributes = PyDict::new(py);
            fill(&attributes)?;
            module.getattr(name)?.call((message,), Some(&attributes))
        });
        made.map_or_else(|error| error, PyErr::from_value)
    })
}

/// An error with its causes, each once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words = format!("{words}: {cause_words}");
        }
        source = cause.source();
    }
    words
}

/// The engine contradicted itself or the machine had no more.
pub(crate) fn internal(message: impl Into<String>) -> PyErr {
    PyRuntimeError::new_err(message.into())
}

pub(crate) fn fork_error(owner: u32, here: u32) -> PyErr {
    let message = format!(
        "ci_core ran in the process {owner} before it forked, and this is {here}: its threads did not \
         come along"
    );
    raise("ForkError", &message, |attributes| {
        attributes.set_item(
            "hints",
            vec!["use the start method `spawn` or `forkserver` of multiprocessing"],
        )
    })
}

/// Turns an error of the engine into an exception.
pub(crate) trait Raise {
    /// The exception that stands for the error.
    fn raise(&self) -> PyErr;
}

/// The result with an exception for its error.
pub(crate) trait OrRaise<T> {
    /// The value, or the exception that stands for the error.
    fn or_raise(self) -> PyResult<T>;
}

impl<T, E: Raise> OrRaise<T> for Result<T, E> {
    fn or_raise(self) -> PyResult<T> {
        self.map_err(|error| error.raise())
    }
}

impl Raise for InvalidWorkflow {
    fn raise(&self) -> PyErr {
        raise("InvalidWorkflow", &self.to_string(), |attributes| {
            let problems: Vec<String> = self.problems().iter().map(ToString::to_string).collect();
            attributes.set_item("problems", problems)?;
            attributes.set_item("hints", self.hints())
        })
    }
}

impl Raise for SpecError {
    fn raise(&self) -> PyErr {
        raise("SpecError", &chain(self), |attributes| {
            attributes.set_item("path", self.path())?;
            attributes.set_item("line", self.line())?;
            attributes.set_item("column", self.column())?;
            attributes.set_item("hints", self.hints().to_vec())
        })
    }
}

impl Raise for UsageError {
    fn raise(&self) -> PyErr {
        raise("SpecError", &self.to_string(), |attributes| {
            attributes.set_item("hints", self.hints().to_vec())
        })
    }
}

impl Raise for SettingsError {
    fn raise(&self) -> PyErr {
        raise("SpecError", &chain(self), |attributes| {
            attributes.set_item("path", self.path())?;
            attributes.set_item("line", self.place().map(|(line, _)| line))?;
            attributes.set_item("column", self.place().map(|(_, column)| column))
        })
    }
}

impl Raise for RunError {
    fn raise(&self) -> PyErr {
        use ci_core::run::RunErrorKind;
        if let Some(invalid) = self.invalid_workflow() {
            return invalid.raise();
        }
        let class = match self.kind() {
            RunErrorKind::NotFound => "NotFound",
            RunErrorKind::Store => "StoreError",
            RunErrorKind::Executor => "ExecutorError",
            _ => "RunError",
        };
        let kind = match self.kind() {
            RunErrorKind::Invalid => "invalid",
            RunErrorKind::NotFound => "not_found",
            RunErrorKind::NotResumable => "not_resumable",
            RunErrorKind::Store => "store",
            RunErrorKind::Executor => "executor",
            _ => "internal",
        };
        raise(class, &chain(self), |attributes| {
            attributes.set_item("kind", kind)?;
            attributes.set_item("hints", self.hints().to_vec())
        })
    }
}

impl Raise for StoreError {
    fn raise(&self) -> PyErr {
        let class = match self.kind() {
            StoreErrorKind::NotFound => "NotFound",
            _ => "StoreError",
        };
        raise(class, &chain(self), |attributes| {
            attributes.set_item("hints", self.hints().to_vec())
        })
    }
}

impl Raise for TriggerError {
    fn raise(&self) -> PyErr {
        let class = match self.kind() {
            TriggerErrorKind::Store => "StoreError",
            TriggerErrorKind::Repository => "RunError",
            _ => "SpecError",
        };
        raise(class, &chain(self), |attributes| {
            attributes.set_item("hints", self.hints().to_vec())
        })
    }
}

impl Raise for StepRunnerError {
    fn raise(&self) -> PyErr {
        raise("SpecError", &chain(self), |_| Ok(()))
    }
}

impl Raise for StorageError {
    fn raise(&self) -> PyErr {
        raise("StoreError", &chain(self), |_| Ok(()))
    }
}

impl Raise for ExecutorError {
    fn raise(&self) -> PyErr {
        raise("ExecutorError", &chain(self), |attributes| {
            attributes.set_item("hints", self.hints().to_vec())
        })
    }
}

impl Raise for SessionError {
    fn raise(&self) -> PyErr {
        raise("ExecutorError", &chain(self), |_| Ok(()))
    }
}

impl Raise for CoverageError {
    fn raise(&self) -> PyErr {
        // What the source raised is what its owner wants to see.
        let inner = self
            .source()
            .and_then(|cause| cause.downcast_ref::<std::io::Error>());
        match inner {
            Some(error) if error.raw_os_error().is_some() || holds_exception(error) => {
                error.raise()
            }
            _ => raise("ReportError", &chain(self), |_| Ok(())),
        }
    }
}

impl Raise for std::io::Error {
    fn raise(&self) -> PyErr {
        let held = self
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<PyErr>());
        match held {
            Some(error) => Python::attach(|py| error.clone_ref(py)),
            None => match self.raw_os_error() {
                Some(code) => PyOSError::new_err((code, self.to_string())),
                None => PyOSError::new_err(self.to_string()),
            },
        }
    }
}

fn holds_exception(error: &std::io::Error) -> bool {
    let inner = error.get_ref();
    inner
        .and_then(|inner| inner.downcast_ref::<PyErr>())
        .is_some()
}
