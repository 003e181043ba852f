//! Artifacts: files that jobs kept.

use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ci_core::storage::{self, ArtifactReader};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::serialized;
use crate::error::OrRaise;
use crate::run::run_id;

/// The directory of caches, workspaces and artifacts.
#[pyclass(frozen, module = "ci_core._native")]
pub(crate) struct Storage(pub(crate) Arc<storage::Storage>);

#[pymethods]
impl Storage {
    /// The storage in a directory; the user's own without one.
    #[staticmethod]
    fn open(dir: Option<PathBuf>) -> PyResult<Self> {
        let opened = match dir {
            Some(dir) => storage::Storage::open(dir),
            None => storage::Storage::open_default(),
        };
        Ok(Self(Arc::new(opened.or_raise()?)))
    }

    #[getter]
    fn path(&self) -> PathBuf {
        self.0.root().to_path_buf()
    }

    /// The files that the jobs of a run kept in their last attempts.
    fn artifacts<'py>(
        &self,
        py: Python<'py>,
        run: &str,
        job: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let run = run_id(run)?;
        let artifacts = py.detach(|| self.0.artifacts(run, job)).or_raise()?;
        serialized(py, &artifacts)
    }

    /// The content at an address.
    fn open_artifact(&self, digest: &str) -> PyResult<ArtifactFile> {
        let reader = self.0.open_artifact(digest).or_raise()?;
        Ok(ArtifactFile(Mutex::new(reader)))
    }

    /// Copies the artifacts of a job into a directory.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a path of Python becomes one of ours"
    )]
    fn export(
        &self,
        py: Python<'_>,
        run: &str,
        job: &str,
        dest: PathBuf,
    ) -> PyResult<Vec<PathBuf>> {
        let run = run_id(run)?;
        py.detach(|| self.0.export(run, job, &dest)).or_raise()
    }
}

/// An artifact as an open file.
#[pyclass(frozen, module = "ci_core._native")]
pub(crate) struct ArtifactFile(Mutex<ArtifactReader>);

#[pymethods]
impl ArtifactFile {
    /// At most `size` bytes; all of them by default. Nothing at the end.
    #[pyo3(signature = (size=-1), text_signature = "($self, size=-1)")]
    fn read<'py>(&self, py: Python<'py>, size: isize) -> PyResult<Bound<'py, PyBytes>> {
        let limit = u64::try_from(size).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        py.detach(|| {
            let mut reader = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (&mut *reader).take(limit).read_to_end(&mut bytes)
        })?;
        Ok(PyBytes::new(py, &bytes))
    }
}
