//! Packing host directories into a tar archive, the same bytes for the same trees.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use tar::{Builder, EntryType, Header};

use super::glob::{Selector, Verdict};
use super::{ArchiveError, ArchiveErrorKind};
use crate::held::is_held;

/// A host directory and the part of it that goes into an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackRoot {
    /// What every entry's name starts with; empty for nothing.
    pub prefix: String,
    /// The directory.
    pub dir: PathBuf,
    /// Globs relative to `dir`; a directory that matches is taken whole. Empty takes everything.
    pub include: Vec<String>,
    /// Globs relative to `dir` of what is left out.
    pub exclude: Vec<String>,
}

impl PackRoot {
    /// Everything under `dir`, named `prefix/…` in the archive.
    #[must_use]
    pub fn new(prefix: impl Into<String>, dir: impl Into<PathBuf>) -> Self {
        Self {
            prefix: prefix.into(),
            dir: dir.into(),
            include: Vec::new(),
            exclude: Vec::new(),
        }
    }

    /// Takes only what these globs match.
    #[must_use]
    pub fn include<S: Into<String>>(mut self, globs: impl IntoIterator<Item = S>) -> Self {
        self.include.extend(globs.into_iter().map(Into::into));
        self
    }

    /// Leaves out what these globs match.
    #[must_use]
    pub fn exclude<S: Into<String>>(mut self, globs: impl IntoIterator<Item = S>) -> Self {
        self.exclude.extend(globs.into_iter().map(Into::into));
        self
    }
}

/// What was packed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Packed {
    /// The number of entries.
    pub entries: u64,
    /// The bytes of all files together.
    pub bytes: u64,
    /// What was left out because it is no file, directory or link (sockets, pipes, devices), was gone
    /// when its turn came, or is [held](crate::held) by this process.
    pub skipped: Vec<PathBuf>,
}

/// Writes an archive of `roots`: sorted by name, owned by nobody in particular, with modes and times
/// as they are, symbolic links as links, and a file's second name as a hard link.
///
/// A root that is no directory is an error of kind [`ArchiveErrorKind::NotFound`]; globs that match
/// nothing give an empty archive. A file that shrinks while it is read is an error, one that grows is
/// taken as long as it was. A file that this process [holds](crate::held), such as that of an open run
/// store, is left out, and not even opened.
pub fn pack(roots: &[PackRoot], out: impl Write) -> Result<Packed, ArchiveError> {
    let selectors = check(roots)?;
    write(roots, &selectors, out)
}

/// Looks for the roots and compiles their globs.
pub(super) fn check(roots: &[PackRoot]) -> Result<Vec<Selector>, ArchiveError> {
    roots
        .iter()
        .map(|root| {
            if !root.dir.is_dir() {
                let words = format!("the directory `{}` does not exist", root.dir.display());
                return Err(ArchiveError::new(ArchiveErrorKind::NotFound, words));
            }
            Selector::new(&root.include, &root.exclude)
        })
        .collect()
}

/// Writes the archive of roots that were checked.
pub(super) fn write(
    roots: &[PackRoot],
    selectors: &[Selector],
    out: impl Write,
) -> Result<Packed, ArchiveError> {
    let mut packer = Packer {
        tar: Builder::new(Gate { out, open: true }),
        packed: Packed::default(),
        names: HashMap::new(),
    };
    for (root, selector) in roots.iter().zip(selectors) {
        if let Err(error) = packer.root(root, selector) {
            // The builder would write the end mark when it is dropped, and half an archive would
            // pass for a whole one.
            packer.tar.get_mut().open = false;
            return Err(error);
        }
    }
    packer
        .tar
        .into_inner()
        .and_then(|mut gate| gate.out.flush())
        .map_err(|error| ArchiveError::io("end", "the archive", error))?;
    Ok(packer.packed)
}

/// Where the archive goes, until packing failed.
struct Gate<W> {
    out: W,
    open: bool,
}

impl<W: Write> Write for Gate<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.open {
            self.out.write(bytes)
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

struct Packer<W: Write> {
    tar: Builder<Gate<W>>,
    packed: Packed,
    /// The first name of each file that has several, by device and number.
    #[cfg_attr(
        not(unix),
        expect(dead_code, reason = "only Unix knows files by number")
    )]
    names: HashMap<(u64, u64), PathBuf>,
}

impl<W: Write> Packer<W> {
    fn root(&mut self, root: &PackRoot, selector: &Selector) -> Result<(), ArchiveError> {
        if !root.prefix.is_empty() && selector.takes_root() {
            self.add(&root.dir, Path::new(&root.prefix), true)?;
        }
        // A stack and not recursion: the depth of a tree is input.
        let mut waiting = children(&root.dir, Path::new(""), selector.takes_root())?;
        while let Some((path, parent_taken)) = waiting.pop() {
            let verdict = selector.verdict(&path, parent_taken);
            if verdict == Verdict::Leave {
                continue;
            }
            let taken = verdict == Verdict::Take;
            let full = root.dir.join(&path);
            let is_dir = if taken {
                self.add(&full, &Path::new(&root.prefix).join(&path), false)?
            } else {
                fs::symlink_metadata(&full).is_ok_and(|found| found.is_dir())
            };
            if is_dir {
                waiting.extend(children(&root.dir, &path, taken)?);
            }
        }
        Ok(())
    }

    /// Adds the file at `full` under `name` and says whether it is a directory.
    fn add(&mut self, full: &Path, name: &Path, follow: bool) -> Result<bool, ArchiveError> {
        let shown = || full.display().to_string();
        let found = if follow {
            fs::metadata(full)
        } else {
            fs::symlink_metadata(full)
        };
        let found = match found {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.packed.skipped.push(full.to_owned());
                return Ok(false);
            }
            Err(error) => return Err(ArchiveError::io("read", &shown(), error)),
        };
        let failed = |error| ArchiveError::io("pack", &full.display().to_string(), error);
        if found.is_dir() {
            self.entry(name, EntryType::Directory, &found, None)
                .map_err(failed)?;
        } else if found.is_symlink() {
            let target = fs::read_link(full).map_err(failed)?;
            self.entry(name, EntryType::Symlink, &found, Some(&target))
                .map_err(failed)?;
        } else if found.is_file() && !is_held(full, &found) {
            self.file(full, name).map_err(failed)?;
        } else {
            self.packed.skipped.push(full.to_owned());
        }
        Ok(found.is_dir())
    }

    fn file(&mut self, full: &Path, name: &Path) -> io::Result<()> {
        let file = match open(full) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.packed.skipped.push(full.to_owned());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // What was opened, not what was looked at: it may be another file by now.
        let found = file.metadata()?;
        if !found.is_file() {
            self.packed.skipped.push(full.to_owned());
            return Ok(());
        }
        if let Some(first) = self.first_name(&found, name) {
            return self.entry(name, EntryType::Link, &found, Some(&first));
        }
        let header = self.header(name, EntryType::Regular, &found, None)?;
        let mut content = Counted {
            file: file.take(found.len()),
            read: 0,
        };
        self.tar.append(&header, &mut content)?;
        if content.read != found.len() {
            let words = "the file shrank while it was read";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, words));
        }
        self.packed.bytes += found.len();
        Ok(())
    }

    /// An entry without content.
    fn entry(
        &mut self,
        name: &Path,
        kind: EntryType,
        found: &Metadata,
        target: Option<&Path>,
    ) -> io::Result<()> {
        let header = self.header(name, kind, found, target)?;
        self.tar.append(&header, io::empty())
    }

    /// Writes the extended header of an entry and makes its plain one: POSIX.1-2001 `pax`, where what
    /// does not fit into the plain header stands before it.
    fn header(
        &mut self,
        name: &Path,
        kind: EntryType,
        found: &Metadata,
        target: Option<&Path>,
    ) -> io::Result<Header> {
        let mut header = Header::new_ustar();
        let mut extended: Vec<(&str, Vec<u8>)> = Vec::new();
        let modified = found.modified().unwrap_or(UNIX_EPOCH);
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        header.set_entry_type(kind);
        header.set_mode(mode(found));
        header.set_mtime(since.as_secs());
        if since.subsec_nanos() != 0 {
            let text = format!("{}.{:09}", since.as_secs(), since.subsec_nanos());
            extended.push(("mtime", text.into_bytes()));
        }
        let size = if kind == EntryType::Regular {
            found.len()
        } else {
            0
        };
        header.set_size(size);
        let mut name = bytes(name)?;
        if kind == EntryType::Directory {
            name.push(b'/');
        }
        let old = header.as_old_mut();
        if !fit(&mut old.name, &name) {
            extended.push(("path", name));
        }
        if let Some(target) = target {
            let target = if kind == EntryType::Link {
                bytes(target)?
            } else {
                link_bytes(target)?
            };
            if !fit(&mut old.linkname, &target) {
                extended.push(("linkpath", target));
            }
        }
        header.set_cksum();
        let pairs = extended.iter().map(|(key, value)| (*key, value.as_slice()));
        self.tar.append_pax_extensions(pairs)?;
        self.packed.entries += 1;
        Ok(header)
    }

    /// The name under which the same file is in the archive already.
    #[cfg(unix)]
    fn first_name(&mut self, found: &Metadata, name: &Path) -> Option<PathBuf> {
        use std::collections::hash_map::Entry;
        use std::os::unix::fs::MetadataExt as _;
        if found.nlink() < 2 {
            return None;
        }
        match self.names.entry((found.dev(), found.ino())) {
            Entry::Occupied(first) => Some(first.get().clone()),
            Entry::Vacant(place) => {
                place.insert(name.to_owned());
                None
            }
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "only Unix knows files by number")]
    fn first_name(&mut self, _found: &Metadata, _name: &Path) -> Option<PathBuf> {
        None
    }
}

/// The entries of the directory `path` of `root`, last name first, so that a stack gives them in
/// order.
fn children(root: &Path, path: &Path, taken: bool) -> Result<Vec<(PathBuf, bool)>, ArchiveError> {
    let full = root.join(path);
    let list = || -> io::Result<Vec<(PathBuf, bool)>> {
        fs::read_dir(&full)?
            .map(|entry| Ok((path.join(entry?.file_name()), taken)))
            .collect()
    };
    let mut found = match list() {
        Ok(found) => found,
        // It was there a moment ago: somebody removes files while we read.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            return Err(ArchiveError::io("read", &full.display().to_string(), error));
        }
    };
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

/// Opens a file that may have become a link or a pipe since it was looked at.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    File::options().read(true).custom_flags(flags).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(unix)]
fn mode(found: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    found.permissions().mode() & 0o777
}

#[cfg(not(unix))]
fn mode(found: &Metadata) -> u32 {
    if found.is_dir() { 0o755 } else { 0o644 }
}

/// A name in the archive, with `/` between its components.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let parts: Vec<Vec<u8>> = path
        .components()
        .map(|part| link_bytes(Path::new(part.as_os_str())))
        .collect::<io::Result<_>>()?;
    Ok(parts.join(&b'/'))
}

/// The target of a symbolic link, exactly as it is.
#[cfg(unix)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "elsewhere not every name is UTF-8"
)]
fn link_bytes(path: &Path) -> io::Result<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt as _;
    Ok(path.as_os_str().as_bytes().to_vec())
}

/// The target of a symbolic link, with `/` between its components.
#[cfg(not(unix))]
fn link_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let words = "the name is not UTF-8";
    path.to_str()
        .map(|text| text.replace('\\', "/").into_bytes())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, words))
}

/// Puts `value` into a field of the header, as much as fits; says whether all of it did.
fn fit(field: &mut [u8], value: &[u8]) -> bool {
    let length = value.len().min(field.len());
    field[..length].copy_from_slice(&value[..length]);
    length == value.len()
}

/// Counts what was read, to notice a file that shrank.
struct Counted<R> {
    file: R,
    read: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.read += read as u64;
        Ok(read)
    }
}
