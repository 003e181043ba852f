//! A run as people look at it: what its report shows, as a value and as a page.

use std::sync::Arc;

use ci_core::view::{RunViewOptions, run_html, run_markdown, run_text, run_view};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::serialized;
use crate::error::OrRaise;
use crate::run::run_id;
use crate::runtime::wait;
use crate::storage::Storage;
use crate::store::Store;

/// What the report of a run shows, as a dictionary.
#[pyfunction]
pub(crate) fn view_of<'py>(
    py: Python<'py>,
    store: &Store,
    run: &str,
    storage: Option<&Storage>,
    log_bytes: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let run = run_id(run)?;
    let options = options(storage, log_bytes);
    let view = wait(py, run_view(&*store.inner, run, &options), || ())?.or_raise()?;
    serialized(py, &view)
}

/// The report of a run in a language.
#[pyfunction]
pub(crate) fn page_of(
    py: Python<'_>,
    store: &Store,
    run: &str,
    language: &str,
    storage: Option<&Storage>,
    log_bytes: usize,
) -> PyResult<String> {
    let write = match language {
        "html" => run_html,
        "markdown" => run_markdown,
        "text" => run_text,
        _ => {
            let message = format!("a report cannot be in `{language}`");
            return Err(PyValueError::new_err(message));
        }
    };
    let run = run_id(run)?;
    let options = options(storage, log_bytes);
    let view = wait(py, run_view(&*store.inner, run, &options), || ())?.or_raise()?;
    Ok(py.detach(|| write(&view)))
}

fn options(storage: Option<&Storage>, log_bytes: usize) -> RunViewOptions {
    let options = RunViewOptions::default().log_bytes(log_bytes);
    match storage {
        Some(storage) => options.storage(Arc::clone(&storage.0)),
        None => options,
    }
}
