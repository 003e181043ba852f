//! The directories that the executor makes for a run, and their end.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};

use crate::id::RunId;

/// Where the directories of a run are.
pub(super) fn run_dir(root: &Path, run: RunId) -> PathBuf {
    root.join(run.to_string())
}

/// Makes a directory that only the user may enter, with its parents.
pub(super) fn make(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(dir) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) => builder.recursive(true).create(dir),
    }
}

/// Removes a directory with all that is in it, also where a tool has made parts of it read-only.
pub(super) fn remove(dir: &Path) -> io::Result<()> {
    // Most homes are still empty.
    if fs::remove_dir(dir).is_ok() {
        return Ok(());
    }
    match fs::remove_dir_all(dir) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(_) => {
            open_up(dir);
            fs::remove_dir_all(dir)
        }
    }
}

/// Makes every directory below `dir` writable, without following links.
fn open_up(dir: &Path) {
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(dir) = waiting.pop() {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let _ = fs::set_permissions(&dir, fs::Permissions::from_mode(0o700));
        }
        let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        waiting.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
}
