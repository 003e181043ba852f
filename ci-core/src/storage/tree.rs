//! Trees as objects: a tar archive, compressed, and what is in it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use super::object::{Capped, ObjectRef};
use super::{Storage, StorageError};
use crate::archive::{ArchiveError, Entry, EntryKind, EntryPath, Limits, read_entries};
use crate::session::TreeReader;

/// The default of zstd: fast enough not to be waited for.
const LEVEL: i32 = 3;

/// What may follow the end mark of an archive: tar pads to its block size.
const PADDING: u64 = 1024 * 1024;

/// A tree that was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TreeRef {
    /// The compressed archive.
    pub(crate) object: ObjectRef,
    /// The length of the archive before compression.
    pub(crate) archive: u64,
    /// Symbolic links that lead out of the tree. They are not in the archive, because whoever unpacks
    /// one refuses them; the session makes them anew, with no more rights than the job has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) links: Vec<OutsideLink>,
}

/// A symbolic link that leads out of its tree, at a path that does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenLink")]
pub(crate) struct OutsideLink {
    path: String,
    target: String,
}

/// A link as a record has it, which anybody may have written.
#[derive(Deserialize)]
struct WrittenLink {
    path: String,
    target: String,
}

impl OutsideLink {
    /// A link at `path` to `target`.
    fn new(path: &EntryPath, target: String) -> Result<Self, ArchiveError> {
        let refused = |why| Err(ArchiveError::refused(&path.to_string(), why));
        if path.is_root() {
            return refused("would replace the directory itself");
        }
        if target.is_empty() || target.contains('\0') {
            return refused("is a link to nothing");
        }
        let path = slashed(path);
        Ok(Self { path, target })
    }

    /// Its path in the tree: relative, with `/` between components, without `..`.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What it points to.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }
}

impl TryFrom<WrittenLink> for OutsideLink {
    type Error = ArchiveError;

    fn try_from(written: WrittenLink) -> Result<Self, ArchiveError> {
        let path = EntryPath::parse(written.path.as_bytes())
            .map_err(|why| ArchiveError::refused(&written.path, why))?;
        Self::new(&path, written.target)
    }
}

/// A file or link of a stored tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TreeFile {
    /// Its path, with `/` between components; what is not Unicode became U+FFFD.
    pub(crate) path: String,
    /// Tells contents apart: a hash of what it holds or points to. Directories have none.
    pub(crate) digest: Option<String>,
}

impl Storage {
    /// Stores an archive as it streams by, showing `seen` the path of each entry.
    pub(crate) fn store_tree(
        &self,
        reader: impl Read,
        mut seen: impl FnMut(&EntryPath),
    ) -> Result<TreeRef, StorageError> {
        self.store_entries(reader, |entry| {
            seen(&entry.path);
            Ok(())
        })
    }

    /// Stores an archive as it streams by and lists what tells its files apart.
    pub(super) fn store_listed(
        &self,
        reader: impl Read,
        mut seen: impl FnMut(&EntryPath),
    ) -> Result<(TreeRef, Vec<TreeFile>), StorageError> {
        let mut files = BTreeMap::new();
        let tree = self.store_entries(reader, |entry| {
            seen(&entry.path);
            let digest = match &entry.kind {
                EntryKind::Directory => None,
                EntryKind::File => Some(content_digest(entry)?),
                EntryKind::Symlink(target) => Some(format!("-> {}", target.display())),
                EntryKind::HardLink(original) => files.get(&slashed(original)).cloned().flatten(),
            };
            files.insert(slashed(&entry.path), digest);
            Ok(())
        })?;
        let files = files
            .into_iter()
            .map(|(path, digest)| TreeFile { path, digest })
            .collect();
        Ok((tree, files))
    }

    fn store_entries(
        &self,
        reader: impl Read,
        mut each: impl FnMut(&mut Entry<'_>) -> Result<(), ArchiveError>,
    ) -> Result<TreeRef, StorageError> {
        let failed = |error| StorageError::io("write to", &self.temp(), error);
        let encoder =
            zstd::stream::write::Encoder::new(self.new_object()?, LEVEL).map_err(failed)?;
        let tee = RefCell::new(Tee::new(reader, encoder));
        let mut links = Vec::new();
        read_entries(TeeReader(&tee), &Limits::default(), |entry| {
            match &entry.kind {
                EntryKind::Symlink(target) if entry.path.link_leaves(target, None) => {
                    tee.borrow_mut().drop_entry();
                    let target = target.to_string_lossy().into_owned();
                    links.push(OutsideLink::new(&entry.path, target)?);
                }
                _ => tee
                    .borrow_mut()
                    .keep_entry()
                    .map_err(|error| ArchiveError::io("keep", &entry.path.to_string(), error))?,
            }
            each(entry)?;
            io::copy(entry.content, &mut io::sink())
                .map_err(|error| ArchiveError::io("read", &entry.path.to_string(), error))?;
            tee.borrow_mut().hold();
            Ok(())
        })?;
        tee.borrow_mut().keep_entry().map_err(failed)?;
        // The writer of the archive shall not find its pipe closed.
        io::copy(&mut TeeReader(&tee).take(PADDING), &mut io::sink()).map_err(failed)?;
        let tee = tee.into_inner();
        let archive = tee.kept;
        let object = self.keep(tee.sink.finish().map_err(failed)?)?;
        Ok(TreeRef {
            object,
            archive,
            links,
        })
    }

    /// Opens a stored tree as an archive. A damaged one is removed and an error of kind
    /// [`Damaged`](super::StorageErrorKind::Damaged).
    pub(super) fn open_tree(&self, tree: &TreeRef) -> Result<TreeReader, StorageError> {
        let file = self.open_verified(&tree.object.digest)?;
        let decoder = zstd::stream::read::Decoder::new(file)
            .map_err(|error| StorageError::io("read", &self.temp(), error))?;
        Ok(Box::new(Capped::new(decoder, tree.archive)))
    }
}

/// A path with `/` between its components on every system.
pub(crate) fn slashed(path: &EntryPath) -> String {
    let parts: Vec<_> = path
        .as_path()
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}

/// Tells the contents of two files apart, and an executable file from one that is not.
fn content_digest(entry: &mut Entry<'_>) -> Result<String, ArchiveError> {
    let name = entry.path.to_string();
    let mut hasher = blake3::Hasher::new();
    hasher
        .update_reader(&mut *entry.content)
        .map_err(|error| ArchiveError::io("read", &name, error))?;
    hasher.update(&[u8::from(entry.mode & 0o111 != 0)]);
    Ok(hasher.finalize().to_hex().to_string())
}

/// Copies what is read into a sink, except for entries that are dropped. What is read before the next
/// entry is known is held back until it is decided; that is never more than its headers.
struct Tee<R, W> {
    reader: R,
    sink: W,
    read: u64,
    kept: u64,
    held: Option<Vec<u8>>,
    /// How much of what is held still belongs to the entry before.
    padding: usize,
}

/// The size of the blocks that a tar archive is made of.
const BLOCK: u64 = 512;

impl<R: Read, W: Write> Tee<R, W> {
    fn new(reader: R, sink: W) -> Self {
        Self {
            reader,
            sink,
            read: 0,
            kept: 0,
            held: Some(Vec::new()),
            padding: 0,
        }
    }

    /// Holds back from here: the content of an entry was read to its end.
    fn hold(&mut self) {
        let held = self.held.get_or_insert_with(Vec::new);
        if held.is_empty() {
            let padding = self.read.next_multiple_of(BLOCK) - self.read;
            self.padding = usize::try_from(padding).unwrap_or_default();
        }
    }

    /// Forgets the headers of the entry that is now known.
    fn drop_entry(&mut self) {
        if let Some(held) = &mut self.held {
            held.truncate(self.padding);
        }
    }

    /// Writes the headers of the entry that is now known, and then what follows them.
    fn keep_entry(&mut self) -> io::Result<()> {
        match self.held.take() {
            Some(held) => self.put(&held),
            None => Ok(()),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.kept += bytes.len() as u64;
        self.sink.write_all(bytes)
    }
}

struct TeeReader<'a, R, W>(&'a RefCell<Tee<R, W>>);

impl<R: Read, W: Write> Read for TeeReader<'_, R, W> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut tee = self.0.borrow_mut();
        let read = tee.reader.read(into)?;
        tee.read += read as u64;
        match &mut tee.held {
            Some(held) => held.extend_from_slice(&into[..read]),
            None => tee.put(&into[..read])?,
        }
        Ok(read)
    }
}
