//! Files that appear under their name in one step.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{StorageError, StorageErrorKind};

/// A file without a name yet; gone when dropped.
#[derive(Debug)]
pub(super) struct TempFile {
    file: Option<File>,
    path: PathBuf,
}

impl TempFile {
    /// Makes a file in `dir`.
    pub(super) fn create(dir: &Path) -> Result<Self, StorageError> {
        let path = dir.join(uuid::Uuid::now_v7().to_string());
        let file =
            File::create_new(&path).map_err(|error| StorageError::io("create", &path, error))?;
        Ok(Self {
            file: Some(file),
            path,
        })
    }

    /// Gives the file a name, in the place of whatever had it.
    pub(super) fn replace(mut self, path: &Path) -> Result<(), StorageError> {
        // Closed first: an open file cannot be moved everywhere.
        self.file = None;
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::rename(&self.path, path))
            .map_err(|error| StorageError::io("write", path, error))
    }
}

impl Write for TempFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        self.file = None;
        // After `replace` there is nothing left to remove.
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes `value` as JSON in the place of whatever stands at `path`.
pub(super) fn write_json<T: Serialize>(
    temp: &Path,
    path: &Path,
    value: &T,
) -> Result<(), StorageError> {
    let failed = |error| StorageError::io("write", path, error);
    let bytes = serde_json::to_vec(value).map_err(|error| failed(error.into()))?;
    let mut file = TempFile::create(temp)?;
    file.write_all(&bytes).map_err(failed)?;
    file.replace(path)
}

/// Reads JSON; `None` if there is no such file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StorageError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StorageError::io("read", path, error)),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        let words = format!("`{}` is damaged", path.display());
        StorageError::new(StorageErrorKind::Damaged, words)
            .with_source(error)
            .with_hint("remove the file; what it names has to be made again")
    })
}

/// The files of a directory that may be missing.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let found = match fs::read_dir(dir) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StorageError::io("read", dir, error)),
    };
    let mut paths: Vec<PathBuf> = found
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()
        .map_err(|error| StorageError::io("read", dir, error))?;
    paths.sort();
    Ok(paths)
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), StorageError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StorageError::io("remove", path, error))
        }
        _ => Ok(()),
    }
}

/// A file name for `name`: what people can read of it, and a hash that tells all names apart also
/// where file names ignore case.
pub(super) fn file_name(name: &str) -> String {
    let readable: String = name
        .chars()
        .take(40)
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    let hash = blake3::hash(name.as_bytes()).to_hex();
    format!("{readable}-{}.json", &hash[..16])
}
