//! Tests shared out over machines.

use std::collections::BTreeMap;

use ci_core::report::split::{Timings, by_filesize, by_name, by_timings};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::serialized;

/// The names of each shard, and why.
#[pyfunction]
#[expect(
    clippy::needless_pass_by_value,
    reason = "a list of Python becomes a vector of ours"
)]
pub(crate) fn split<'py>(
    py: Python<'py>,
    names: Vec<String>,
    shards: usize,
    by: &str,
    timings: BTreeMap<String, f64>,
) -> PyResult<(Vec<Vec<String>>, Bound<'py, PyAny>)> {
    let split = py.detach(|| match by {
        "timings" => Some(by_timings(
            &names,
            &timings.into_iter().collect::<Timings>(),
            shards,
        )),
        "filesize" => {
            let size = |name: &str| Some(std::fs::metadata(name).ok()?.len());
            Some(by_filesize(&names, size, shards))
        }
        "name" => Some(by_name(&names, shards)),
        _ => None,
    });
    let split = split.ok_or_else(|| {
        PyValueError::new_err(format!(
            "`{by}` is no way to split; there are `timings`, `filesize` and `name`"
        ))
    })?;
    Ok((
        split.shards().to_vec(),
        serialized(py, split.explanation())?,
    ))
}
