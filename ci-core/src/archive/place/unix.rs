//! A place on Unix, reached only through directory descriptors and never through a link.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::place::{Place, Trouble, directory_in_the_way, no_file, through_link};
use crate::archive::EntryPath;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// See [`Place`].
#[derive(Debug)]
pub(in crate::archive) struct UnixPlace {
    root: OwnedFd,
    /// The parent that was used last: entries of one directory follow each other. Forgotten when
    /// anything on the way to it may have been replaced.
    last: Option<(PathBuf, OwnedFd)>,
}

impl UnixPlace {
    /// The directory that `path` stands in, made if it is missing.
    fn parent(&mut self, path: &EntryPath) -> Result<BorrowedFd<'_>, Trouble> {
        let parent = path.parent();
        let known = matches!(&self.last, Some((last, _)) if last == parent);
        if !known {
            self.last = Some((parent.to_owned(), self.walk(parent, true)?));
        }
        match &self.last {
            Some((_, directory)) => Ok(directory.as_fd()),
            None => Ok(self.root.as_fd()),
        }
    }

    /// Opens the directory at `path`, one component at a time.
    fn walk(&self, path: &Path, make: bool) -> Result<OwnedFd, Trouble> {
        let mut here = self.root.try_clone()?;
        let mut walked = PathBuf::new();
        for component in path.components() {
            let Component::Normal(name) = component else {
                return Err(Trouble::Refused("leaves the directory".to_owned()));
            };
            walked.push(name);
            here = step(&here, name, &walked, make)?;
        }
        Ok(here)
    }

    /// Opens the parent of `path` and makes sure that nothing stands at its name.
    fn cleared(&mut self, path: &EntryPath) -> Result<BorrowedFd<'_>, Trouble> {
        let removed = {
            let parent = self.parent(path)?;
            clear(parent, path.name())?
        };
        if removed == Removed::Directory {
            self.last = None;
        }
        self.parent(path)
    }
}

impl Place for UnixPlace {
    fn open(root: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(root, flags, Mode::empty())?;
        Ok(Self { root, last: None })
    }

    fn directory(&mut self, path: &EntryPath) -> Result<(), Trouble> {
        let name = path.name();
        let parent = self.parent(path)?;
        match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(Trouble::Io(error.into())),
        }
        if file_type(parent, name)? != FileType::Directory {
            clear(parent, name)?;
            rustix::fs::mkdirat(parent, name, Mode::RWXU).map_err(io::Error::from)?;
        }
        Ok(())
    }

    fn file(&mut self, path: &EntryPath) -> Result<File, Trouble> {
        let parent = self.cleared(path)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = rustix::fs::openat(parent, path.name(), flags, mode).map_err(io::Error::from)?;
        Ok(file.into())
    }

    fn symlink(
        &mut self,
        path: &EntryPath,
        target: &Path,
        modified: SystemTime,
    ) -> Result<(), Trouble> {
        let parent = self.cleared(path)?;
        let name = path.name();
        rustix::fs::symlinkat(target, parent, name).map_err(io::Error::from)?;
        // Some file systems keep no times for links: the link itself is what matters.
        let _ = rustix::fs::utimensat(
            parent,
            name,
            &timestamps(modified),
            AtFlags::SYMLINK_NOFOLLOW,
        );
        Ok(())
    }

    fn hard_link(&mut self, path: &EntryPath, original: &EntryPath) -> Result<(), Trouble> {
        let from = self.walk(original.parent(), false)?;
        if file_type(from.as_fd(), original.name())? != FileType::RegularFile {
            return Err(no_file(original));
        }
        if path == original {
            return Ok(());
        }
        let parent = self.cleared(path)?;
        rustix::fs::linkat(
            &from,
            original.name(),
            parent,
            path.name(),
            AtFlags::empty(),
        )
        .map_err(io::Error::from)?;
        Ok(())
    }

    fn finish_directory(
        &mut self,
        path: &EntryPath,
        mode: u32,
        modified: SystemTime,
    ) -> Result<(), Trouble> {
        let directory = File::from(self.walk(path.as_path(), false)?);
        directory.set_permissions(Permissions::from_mode(mode))?;
        rustix::fs::futimens(&directory, &timestamps(modified)).map_err(io::Error::from)?;
        Ok(())
    }
}

/// Opens the directory `name` of `here`; `walked` is its path for people.
fn step(here: &OwnedFd, name: &OsStr, walked: &Path, make: bool) -> Result<OwnedFd, Trouble> {
    let open = || rustix::fs::openat(here, name, DIRECTORY, Mode::empty());
    match open() {
        Ok(directory) => return Ok(directory),
        Err(Errno::NOENT) if make => {}
        // Which of the two a link gives depends on the system.
        Err(Errno::LOOP | Errno::NOTDIR) => {
            if file_type(here.as_fd(), name)? == FileType::Symlink {
                return Err(through_link(walked));
            }
            if !make {
                return Err(Trouble::Io(io::ErrorKind::NotADirectory.into()));
            }
            clear(here.as_fd(), name)?;
        }
        Err(error) => return Err(Trouble::Io(error.into())),
    }
    match rustix::fs::mkdirat(here, name, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(Trouble::Io(error.into())),
    }
    match open() {
        Ok(directory) => Ok(directory),
        Err(Errno::LOOP | Errno::NOTDIR) => Err(through_link(walked)),
        Err(error) => Err(Trouble::Io(error.into())),
    }
}

#[derive(PartialEq, Eq)]
enum Removed {
    Nothing,
    NoDirectory,
    Directory,
}

/// Removes what stands at `name`: a file, a link or an empty directory.
fn clear(parent: BorrowedFd<'_>, name: &OsStr) -> Result<Removed, Trouble> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) => return Ok(Removed::NoDirectory),
        Err(Errno::NOENT) => return Ok(Removed::Nothing),
        // POSIX says EPERM for a directory, Linux says EISDIR.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(Trouble::Io(error.into())),
    }
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) => Ok(Removed::Directory),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Err(directory_in_the_way()),
        Err(error) => Err(Trouble::Io(error.into())),
    }
}

fn file_type(parent: BorrowedFd<'_>, name: &OsStr) -> Result<FileType, Trouble> {
    let stat =
        rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from)?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

fn timestamps(modified: SystemTime) -> Timestamps {
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = Timespec {
        tv_sec: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: since.subsec_nanos().into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
