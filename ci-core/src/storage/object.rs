//! Contents, named by their hash.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::file::{TempFile, remove};
use super::{Storage, StorageError, StorageErrorKind};

/// An object, as manifests refer to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ObjectRef {
    /// The BLAKE3 hash of the stored bytes, as 64 hexadecimal digits.
    pub(crate) digest: String,
    /// The number of stored bytes.
    pub(crate) bytes: u64,
}

/// Writes an object; its name is known at the end.
#[derive(Debug)]
pub(super) struct ObjectWriter {
    temp: TempFile,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Storage {
    /// Begins an object.
    pub(super) fn new_object(&self) -> Result<ObjectWriter, StorageError> {
        Ok(ObjectWriter {
            temp: TempFile::create(&self.temp())?,
            hasher: blake3::Hasher::new(),
            bytes: 0,
        })
    }

    /// Puts a written object in its place. The same content twice is one object; the second writer
    /// replaces the file, which heals one that was damaged and makes it young again for
    /// [`Storage::gc`].
    pub(super) fn keep(&self, writer: ObjectWriter) -> Result<ObjectRef, StorageError> {
        let digest = writer.hasher.finalize().to_hex().to_string();
        let path = self.object_path(&digest)?;
        let bytes = writer.bytes;
        writer.temp.replace(&path)?;
        Ok(ObjectRef { digest, bytes })
    }

    /// Where the object of `digest` is. A digest comes from files that anybody may have changed: only
    /// the hexadecimal form is taken.
    pub(super) fn object_path(&self, digest: &str) -> Result<PathBuf, StorageError> {
        let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digest.len() != 64 || !digest.bytes().all(plain) {
            let words = format!("`{digest}` is not the address of an object");
            return Err(StorageError::new(StorageErrorKind::NotFound, words));
        }
        let (shard, rest) = digest.split_at(2);
        Ok(self.root().join("objects").join(shard).join(rest))
    }

    /// Whether the object is there, at least by its size.
    pub(super) fn has_object(&self, object: &ObjectRef) -> bool {
        self.object_path(&object.digest)
            .ok()
            .and_then(|path| path.metadata().ok())
            .is_some_and(|found| found.is_file() && found.len() == object.bytes)
    }

    /// Opens an object after reading it once to its end. A damaged one is removed.
    pub(super) fn open_verified(&self, digest: &str) -> Result<File, StorageError> {
        let path = self.object_path(digest)?;
        let failed = |error| StorageError::io("read", &path, error);
        let mut file = File::open(&path).map_err(failed)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&mut file).map_err(failed)?;
        if hasher.finalize().to_hex().as_str() != digest {
            remove(&path)?;
            return Err(damaged(digest));
        }
        file.rewind().map_err(failed)?;
        Ok(file)
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.temp.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temp.flush()
    }
}

/// The object of `digest` is not what was put there.
pub(super) fn damaged(digest: &str) -> StorageError {
    let words = format!("the object `{digest}` is damaged");
    StorageError::new(StorageErrorKind::Damaged, words)
        .with_hint("make it again: run the job that stored it")
}

/// Ends a read with an error after so many bytes: what expands to more than it was is a bomb.
#[derive(Debug)]
pub(super) struct Capped<R> {
    inner: R,
    left: u64,
}

impl<R> Capped<R> {
    pub(super) fn new(inner: R, limit: u64) -> Self {
        Self { inner, left: limit }
    }
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            let words = "the archive expands to more bytes than were put into it";
            io::Error::new(io::ErrorKind::InvalidData, words)
        })?;
        Ok(read)
    }
}
