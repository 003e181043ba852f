//! Bytes that come from Python: paths, bytes and file objects; and those that go there.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ci_core::session::TreeReader;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};

/// How much is asked of a file object at once: calling it costs more than copying does.
const PIECE: usize = 256 * 1024;

/// Where a report is read from.
#[derive(Debug)]
pub(crate) enum Source {
    Path(PathBuf),
    Bytes(PyBackedBytes),
    File(Py<PyAny>),
}

impl<'py> FromPyObject<'_, 'py> for Source {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.extract::<PyBackedBytes>() {
            return Ok(Self::Bytes(bytes));
        }
        if object.hasattr("read")? {
            return Ok(Self::File(object.to_owned().unbind()));
        }
        object.extract().map(Self::Path).map_err(|_| {
            let kind = object.get_type().name();
            let kind = kind.map_or_else(|_| "?".to_owned(), |name| name.to_string());
            PyTypeError::new_err(format!(
                "a report is a path, bytes or an open file, not `{kind}`"
            ))
        })
    }
}

impl Source {
    /// A reader, which may be used only while detached or on another thread.
    pub(crate) fn open(self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Path(path) => Box::new(
                std::fs::File::open(&path)
                    .map_err(|error| io::Error::other(Python::attach(|_| named(&error, path))))?,
            ),
            Self::Bytes(bytes) => Box::new(io::Cursor::new(bytes)),
            Self::File(object) => Box::new(FileObject::new(object)),
        })
    }
}

/// The exception that `open` of Python raises: with the number and the name of the file, from which
/// Python picks `FileNotFoundError` and the like.
fn named(error: &io::Error, path: PathBuf) -> PyErr {
    let text = error.to_string();
    let words = text
        .split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned();
    pyo3::exceptions::PyOSError::new_err((error.raw_os_error(), words, path))
}

/// An open file of Python as a reader. What it raises is the source of the error.
pub(crate) struct FileObject {
    object: Py<PyAny>,
    /// What was read and not yet given on.
    piece: Vec<u8>,
    given: usize,
}

impl FileObject {
    pub(crate) fn new(object: Py<PyAny>) -> Self {
        Self {
            object,
            piece: Vec::new(),
            given: 0,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let object = &self.object;
        let read = crate::threads::attached(|py| {
            let piece = object.bind(py).call_method1("read", (PIECE,))?;
            if let Ok(text) = piece.cast::<PyString>() {
                return Ok(text.to_cow()?.into_owned().into_bytes());
            }
            if let Ok(bytes) = piece.cast::<PyBytes>() {
                return Ok(bytes.as_bytes().to_vec());
            }
            piece.extract::<Vec<u8>>()
        });
        self.piece = read
            .ok_or_else(|| io::Error::other("the interpreter has ended"))?
            .map_err(io::Error::other)?;
        self.given = 0;
        Ok(())
    }
}

impl Read for FileObject {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.piece.len() {
            self.fill()?;
        }
        let rest = &self.piece[self.given..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

/// A tar archive for a session of Python, as a file object.
#[pyclass(frozen, module = "ci_core._native")]
pub(crate) struct Tree(Mutex<TreeReader>);

impl Tree {
    pub(crate) fn new(reader: TreeReader) -> Self {
        Self(Mutex::new(reader))
    }
}

#[pymethods]
impl Tree {
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
