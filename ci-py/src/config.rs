//! Files of vendors, and the command line that opens them the same way.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::serialized;
use crate::error::OrRaise;
use crate::workflow::Spec;

/// Opens the project that the words name, as `ci explain` does.
#[pyfunction]
pub(crate) fn load(py: Python<'_>, words: Vec<String>) -> PyResult<Bound<'_, PyDict>> {
    let project = py.detach(|| ci_cli::load(words)).or_raise()?;
    let opened = PyDict::new(py);
    opened.set_item("facts", serialized(py, &project.facts)?)?;
    opened.set_item("dir", project.dir)?;
    opened.set_item("fidelity", serialized(py, &project.fidelity)?)?;
    let skipped: Vec<_> = project
        .skipped
        .iter()
        .map(|(job, why)| (&**job, why))
        .collect();
    opened.set_item("skipped", skipped)?;
    opened.set_item("workflow", Spec::from(project.workflow))?;
    Ok(opened)
}

/// Does what was typed at the command line, and gives the exit code.
#[pyfunction]
pub(crate) fn cli(py: Python<'_>, words: Vec<String>) -> u8 {
    py.detach(|| ci_cli::main(words))
}

/// Says what jobs call as the command line.
#[pyfunction]
pub(crate) fn set_program(program: PathBuf) {
    ci_cli::set_program(program);
}
