//! Unpacking an archive that nobody trusts.

use std::fs::{self, File, FileTimes};
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use super::place::{HostPlace, Place, Trouble};
use super::{ArchiveError, Entry, EntryKind, EntryPath, Limits, Totals, read_entries};

/// What was unpacked.
pub type Unpacked = Totals;

/// Unpacks a tar archive under `dest`, which is made if it is missing and may itself be reached
/// through links.
///
/// Nothing is written outside `dest`. An entry is refused by name if its own name or the target of
/// its link leaves `dest`, if it stands below a symbolic link (of the archive or one that was there),
/// or if it is a device or a named pipe. What stands at an entry's path is replaced, not followed; a
/// directory stays. Permission bits and times are restored. After an error, what was unpacked before
/// it stays.
pub fn unpack(reader: impl Read, dest: &Path, limits: &Limits) -> Result<Unpacked, ArchiveError> {
    unpack_to::<HostPlace>(reader, dest, limits)
}

pub(super) fn unpack_to<P: Place>(
    reader: impl Read,
    dest: &Path,
    limits: &Limits,
) -> Result<Unpacked, ArchiveError> {
    let failed = |error| ArchiveError::io("open", &dest.display().to_string(), error);
    fs::create_dir_all(dest).map_err(failed)?;
    let root = dest.canonicalize().map_err(failed)?;
    let mut place = P::open(&root).map_err(failed)?;
    // A directory gets its mode and time last: it may be read-only, and filling it changes its time.
    let mut directories: Vec<(EntryPath, u32, SystemTime)> = Vec::new();
    let totals = read_entries(reader, limits, |entry| {
        if entry.kind == EntryKind::Directory && !entry.path.is_root() {
            directories.push((entry.path.clone(), entry.mode, entry.modified));
        }
        put(&mut place, entry, &root)
    })?;
    for (path, mode, modified) in directories.into_iter().rev() {
        place
            .finish_directory(&path, mode, modified)
            .or_else(|trouble| match trouble {
                // A later entry of the archive took the directory's place.
                Trouble::Io(error) if is_gone(&error) => Ok(()),
                trouble => Err(name(&path, trouble)),
            })?;
    }
    Ok(totals)
}

fn put<P: Place>(place: &mut P, entry: &mut Entry<'_>, root: &Path) -> Result<(), ArchiveError> {
    let path = entry.path.clone();
    if path.is_root() {
        return match entry.kind {
            EntryKind::Directory => Ok(()),
            _ => Err(ArchiveError::refused(
                ".",
                "would replace the directory itself",
            )),
        };
    }
    let done = match &entry.kind {
        EntryKind::Directory => place.directory(&path),
        EntryKind::File => place.file(&path).and_then(|file| fill(file, entry)),
        EntryKind::Symlink(target) if path.link_leaves(target, Some(root)) => {
            let target = target.display();
            let why = format!("is a symbolic link to `{target}`, outside of the directory");
            Err(Trouble::Refused(why))
        }
        EntryKind::Symlink(target) => place.symlink(&path, target, entry.modified),
        EntryKind::HardLink(original) => place.hard_link(&path, original),
    };
    done.map_err(|trouble| name(&path, trouble))
}

fn fill(mut file: File, entry: &mut Entry<'_>) -> Result<(), Trouble> {
    let copied = io::copy(entry.content, &mut file)?;
    if copied != entry.size {
        let words = format!("{copied} of {} bytes", entry.size);
        return Err(Trouble::Io(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            words,
        )));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(fs::Permissions::from_mode(entry.mode))?;
    }
    file.set_times(FileTimes::new().set_modified(entry.modified))?;
    Ok(())
}

/// A directory that single files are put into, as safely as [`unpack`] does.
#[cfg(feature = "storage")]
#[derive(Debug)]
pub(crate) struct Tree(HostPlace);

#[cfg(feature = "storage")]
impl Tree {
    /// Opens `dest`, which is made if it is missing.
    pub(crate) fn open(dest: &Path) -> Result<Self, ArchiveError> {
        let failed = |error| ArchiveError::io("open", &dest.display().to_string(), error);
        fs::create_dir_all(dest).map_err(failed)?;
        HostPlace::open(dest).map(Self).map_err(failed)
    }

    /// Puts a file of `size` bytes there.
    pub(crate) fn put(
        &mut self,
        path: &str,
        (mode, size): (u32, u64),
        content: &mut dyn Read,
    ) -> Result<EntryPath, ArchiveError> {
        let path =
            EntryPath::parse(path.as_bytes()).map_err(|why| ArchiveError::refused(path, why))?;
        let mut entry = Entry {
            path: path.clone(),
            kind: EntryKind::File,
            mode: mode & 0o777,
            modified: SystemTime::now(),
            size,
            content,
        };
        put(&mut self.0, &mut entry, Path::new(""))?;
        Ok(path)
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn name(path: &EntryPath, trouble: Trouble) -> ArchiveError {
    match trouble {
        Trouble::Refused(why) => ArchiveError::refused(&path.to_string(), &why),
        Trouble::Io(error) => ArchiveError::io("unpack", &path.to_string(), error),
    }
}
