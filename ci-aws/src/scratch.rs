//! Private directories for what `ssh` needs on disk: sockets, known hosts, keys. A directory goes away
//! with its value; those of processes that were killed are removed by the next process that needs one.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Once;

use tempfile::TempDir;

const PREFIX: &str = "ci-ssh-";
/// Locked for as long as the process lives, from the moment it has this name.
const OWNER: &str = "owner";

/// A directory that nobody else may look into.
#[derive(Debug)]
pub(crate) struct Scratch {
    dir: TempDir,
    _owner: File,
}

impl Scratch {
    /// Makes a directory.
    pub(crate) fn new() -> io::Result<Self> {
        static SWEPT: Once = Once::new();
        let place = place();
        let made = Self::within(&place)?;
        let user = made.path().symlink_metadata()?.uid();
        SWEPT.call_once(|| sweep(&place, user));
        Ok(made)
    }

    fn within(place: &Path) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(place)?;
        let new = dir.path().join("new");
        let owner = File::create(&new)?;
        owner.lock()?;
        fs::rename(&new, dir.path().join(OWNER))?;
        Ok(Self { dir, _owner: owner })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// The name of a socket may have no more than about a hundred bytes, which directories for temporary
/// files sometimes use up.
pub(crate) fn place() -> PathBuf {
    let usual = std::env::temp_dir();
    if usual.as_os_str().len() < 40 {
        usual
    } else {
        PathBuf::from("/tmp")
    }
}

/// Removes the directories of `user` whose process is gone.
fn sweep(place: &Path, user: u32) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        if !entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(PREFIX.as_bytes())
        {
            continue;
        }
        let path = entry.path();
        // In a place where everybody may write, others may have put anything.
        if !path
            .symlink_metadata()
            .is_ok_and(|about| about.is_dir() && about.uid() == user)
        {
            continue;
        }
        // One without an owner is being made.
        if File::open(path.join(OWNER)).is_ok_and(|owner| owner.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_of_the_dead_are_swept() {
        let place = tempfile::tempdir().unwrap();
        let alive = Scratch::within(place.path()).unwrap();
        let being_made = place.path().join("ci-ssh-new");
        fs::create_dir(&being_made).unwrap();
        let Scratch { dir, _owner: owner } = Scratch::within(place.path()).unwrap();
        let dead = dir.keep();
        fs::write(dead.join("key"), "secret").unwrap();
        let user = place.path().symlink_metadata().unwrap().uid();
        sweep(place.path(), user);
        assert!(dead.exists(), "its process still lives");
        drop(owner);
        sweep(place.path(), user + 1);
        assert!(dead.exists(), "it is another user's");
        sweep(place.path(), user);
        assert!(!dead.exists());
        assert!(alive.path().exists() && being_made.exists());
        let path = alive.path().to_owned();
        drop(alive);
        assert!(!path.exists());
    }
}
