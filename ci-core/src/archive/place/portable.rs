//! A place on any system, where each directory on the way is looked at before it is used.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::place::{Place, Trouble, directory_in_the_way, no_file, through_link};
use crate::archive::EntryPath;

/// See [`Place`].
#[derive(Debug)]
pub(in crate::archive) struct PortablePlace {
    root: PathBuf,
}

impl PortablePlace {
    /// Looks at every directory on the way to `path` and makes those that are missing.
    fn parent(&self, path: &Path, make: bool) -> Result<(), Trouble> {
        let mut here = self.root.clone();
        let mut walked = PathBuf::new();
        for component in path.components() {
            here.push(component);
            walked.push(component);
            match fs::symlink_metadata(&here) {
                Ok(found) if found.is_dir() => continue,
                Ok(found) if found.is_symlink() => return Err(through_link(&walked)),
                Ok(_) if make => fs::remove_file(&here)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound && make => {}
                Ok(_) => return Err(Trouble::Io(io::ErrorKind::NotADirectory.into())),
                Err(error) => return Err(Trouble::Io(error)),
            }
            fs::create_dir(&here)?;
        }
        Ok(())
    }

    /// The path on this system of an entry at whose name nothing stands.
    fn cleared(&self, path: &EntryPath) -> Result<PathBuf, Trouble> {
        self.parent(path.parent(), true)?;
        let full = self.root.join(path.as_path());
        let found = match fs::symlink_metadata(&full) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(full),
            Err(error) => return Err(Trouble::Io(error)),
        };
        if found.is_dir() {
            fs::remove_dir(&full).map_err(|error| match error.kind() {
                io::ErrorKind::DirectoryNotEmpty => directory_in_the_way(),
                _ => Trouble::Io(error),
            })?;
        } else {
            fs::remove_file(&full)?;
        }
        Ok(full)
    }
}

impl Place for PortablePlace {
    fn open(root: &Path) -> io::Result<Self> {
        let root = root.canonicalize()?;
        Ok(Self { root })
    }

    fn directory(&mut self, path: &EntryPath) -> Result<(), Trouble> {
        self.parent(path.parent(), true)?;
        let full = self.root.join(path.as_path());
        if fs::symlink_metadata(&full).is_ok_and(|found| found.is_dir()) {
            return Ok(());
        }
        Ok(fs::create_dir(self.cleared(path)?)?)
    }

    fn file(&mut self, path: &EntryPath) -> Result<File, Trouble> {
        let full = self.cleared(path)?;
        Ok(File::create_new(full)?)
    }

    fn symlink(
        &mut self,
        path: &EntryPath,
        target: &Path,
        _modified: SystemTime,
    ) -> Result<(), Trouble> {
        let full = self.cleared(path)?;
        #[cfg(unix)]
        std::os::unix::fs::symlink(target, full)?;
        #[cfg(windows)]
        std::os::windows::fs::symlink_file(target, full)?;
        #[cfg(not(any(unix, windows)))]
        return Err(Trouble::Io(io::ErrorKind::Unsupported.into()));
        Ok(())
    }

    fn hard_link(&mut self, path: &EntryPath, original: &EntryPath) -> Result<(), Trouble> {
        self.parent(original.parent(), false)?;
        let from = self.root.join(original.as_path());
        if !fs::symlink_metadata(&from)?.is_file() {
            return Err(no_file(original));
        }
        if path != original {
            let full = self.cleared(path)?;
            fs::hard_link(from, full)?;
        }
        Ok(())
    }

    fn finish_directory(
        &mut self,
        path: &EntryPath,
        mode: u32,
        _modified: SystemTime,
    ) -> Result<(), Trouble> {
        self.parent(path.as_path(), false)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let full = self.root.join(path.as_path());
            fs::set_permissions(full, fs::Permissions::from_mode(mode))?;
        }
        #[cfg(not(unix))]
        let _ = mode;
        Ok(())
    }
}
