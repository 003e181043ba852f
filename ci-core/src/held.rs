//! Files that nothing else in this process may open.
//!
//! A process that closes a file loses all POSIX locks that it has on it, also those that it took when it
//! opened the file another time (<https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>).
//! A run store may lie in the project that its engine packs. Without its locks the next process that
//! opens and closes the store takes itself for the last one and removes the write-ahead log, and the
//! engine goes on writing into a file that has no name any more.
//!
//! Who has a file open and locked says so with a [`Hold`]. Who opens files because they are in some
//! directory asks [`is_held`] first, and leaves those files out. On Windows closing a file unlocks nothing,
//! but reading what is locked fails, so that the same files are left out there.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// What all holds of this process are on.
static HELD: RwLock<BTreeMap<u64, Files>> = RwLock::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Keeps others in this process from opening some files, until it is dropped: after the files were
/// closed.
#[derive(Debug)]
#[must_use = "what is dropped keeps nobody from opening the files"]
pub struct Hold {
    id: u64,
    file: PathBuf,
    endings: Vec<String>,
}

impl Hold {
    /// Holds `file`, and the files beside it that have its name and one of these endings. They need not
    /// be there yet.
    pub fn new<S: Into<String>>(
        file: impl Into<PathBuf>,
        endings: impl IntoIterator<Item = S>,
    ) -> Self {
        let hold = Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            file: file.into(),
            endings: endings.into_iter().map(Into::into).collect(),
        };
        hold.refresh();
        hold
    }

    /// Looks at the files again. Once they are open they are known by more than their names: also
    /// through hard links.
    pub fn refresh(&self) {
        let files = Files::of(&self.file, &self.endings);
        let mut held = HELD.write().unwrap_or_else(PoisonError::into_inner);
        held.insert(self.id, files);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = HELD.write().unwrap_or_else(PoisonError::into_inner);
        held.remove(&self.id);
    }
}

/// Whether some part of this process holds the file at `path`, which is no symbolic link, and of which
/// this was `found`. Opens nothing.
#[must_use]
pub fn is_held(path: &Path, found: &Metadata) -> bool {
    let held = HELD.read().unwrap_or_else(PoisonError::into_inner);
    held.values()
        .any(|files| files.has_number(found) || files.has_path(path))
}

/// What one hold is on.
#[derive(Debug)]
struct Files {
    /// Without symbolic links.
    paths: Vec<PathBuf>,
    /// Device and number of those that are there. Nothing else gets the number of a file that is open.
    #[cfg(unix)]
    numbers: Vec<(u64, u64)>,
}

impl Files {
    fn of(file: &Path, endings: &[String]) -> Self {
        let file = resolved(file).unwrap_or_else(|_| file.to_owned());
        let beside = endings.iter().map(|ending| {
            let mut path = file.clone().into_os_string();
            path.push(ending);
            PathBuf::from(path)
        });
        let paths: Vec<PathBuf> = beside.chain([file.clone()]).collect();
        Self {
            #[cfg(unix)]
            numbers: paths
                .iter()
                .filter_map(|path| fs::metadata(path).ok())
                .map(|found| number(&found))
                .collect(),
            paths,
        }
    }

    #[cfg(unix)]
    fn has_number(&self, found: &Metadata) -> bool {
        self.numbers.contains(&number(found))
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "only Unix knows files by number")]
    fn has_number(&self, _found: &Metadata) -> bool {
        false
    }

    /// Whether `path` leads to one of the files, also to one that was not there when they were looked at.
    fn has_path(&self, path: &Path) -> bool {
        let name = path.file_name();
        let alike = |held: &PathBuf| {
            let both = held.file_name().zip(name);
            both.is_some_and(|(held, name)| held.eq_ignore_ascii_case(name))
        };
        // Few files have such a name; finding out where the others are would take long.
        self.paths.iter().any(alike)
            && fs::canonicalize(path).is_ok_and(|path| self.paths.contains(&path))
    }
}

/// Where a file is, or will be once it is made.
fn resolved(file: &Path) -> io::Result<PathBuf> {
    if let Ok(path) = fs::canonicalize(file) {
        return Ok(path);
    }
    let file = std::path::absolute(file)?;
    match (file.parent(), file.file_name()) {
        (Some(dir), Some(name)) => Ok(fs::canonicalize(dir)?.join(name)),
        _ => Ok(file),
    }
}

#[cfg(unix)]
fn number(found: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (found.dev(), found.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(path: &Path) -> bool {
        is_held(path, &fs::symlink_metadata(path).unwrap())
    }

    #[test]
    fn a_file_is_held_with_those_beside_it_until_the_hold_is_dropped() {
        let temp = tempfile::tempdir().unwrap();
        let file = |name: &str| temp.path().join(name);
        fs::write(file("db"), "").unwrap();
        let hold = Hold::new(file("db"), ["-log"]);
        // Made only now.
        fs::write(file("db-log"), "").unwrap();
        fs::write(file("db-other"), "").unwrap();
        fs::create_dir(file("below")).unwrap();
        fs::write(file("below/db"), "").unwrap();
        assert!(held(&file("db")) && held(&file("db-log")));
        assert!(!held(&file("db-other")) && !held(&file("below/db")));
        let second = Hold::new(file("db"), ["-log"]);
        drop(hold);
        assert!(held(&file("db")), "somebody else holds it");
        drop(second);
        assert!(!held(&file("db")) && !held(&file("db-log")));
    }

    #[test]
    fn a_file_is_held_before_it_is_there() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("db");
        let _hold = Hold::new(&file, [""; 0]);
        fs::write(&file, "").unwrap();
        assert!(held(&file));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_held_under_all_its_names() {
        use std::os::unix::fs::symlink;

        let temp = tempfile::tempdir().unwrap();
        let file = |name: &str| temp.path().join(name);
        fs::create_dir(file("real")).unwrap();
        symlink("real", file("link")).unwrap();
        symlink("link/db", file("other")).unwrap();
        // The link leads to nothing yet.
        let hold = Hold::new(file("other"), ["-log"]);
        fs::write(file("real/db"), "").unwrap();
        fs::write(file("real/db-log"), "").unwrap();
        hold.refresh();
        fs::hard_link(file("real/db-log"), file("copy")).unwrap();
        for name in ["real/db", "link/db", "real/db-log", "link/db-log", "copy"] {
            assert!(held(&file(name)), "{name}");
        }
    }
}
