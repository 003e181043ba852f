//! Trees that a job was given and left untouched, kept for the next job of the run that asks for the
//! same: making and removing a checkout costs more than many a job does.
//!
//! Whether a tree is untouched is read off the change times of its files and directories, which no
//! program can set: none may lie after the moment when the tree was complete. File systems count time
//! in ticks of milliseconds, so that moment is only there once the file system's own clock has moved
//! on since the last file was written (the problem that git calls *racy*). A name that comes or goes
//! elsewhere changes a file, too: what others have names of, as the objects of a checkout, has to be
//! left out by whoever notes a tree.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::dirs::private_dir;
use super::remove;
use crate::session::KeptTrees;

/// Larger trees are not looked through.
const MOST_ENTRIES: usize = 200_000;

/// The trees that jobs of one run left untouched.
#[derive(Debug)]
pub(super) struct Shelf {
    dir: PathBuf,
    count: AtomicU64,
    trees: Mutex<Vec<Tree>>,
}

/// A tree that is as it was made.
#[derive(Debug)]
struct Tree {
    /// Names what is in it.
    key: String,
    path: PathBuf,
    /// The directory on the shelf that it came from and goes back to. While the tree is away the empty
    /// directory is there whose place it took, so that nothing is made and removed for every job.
    slot: Option<PathBuf>,
    /// All that is in it, relative to it, but for what was left out.
    entries: Vec<PathBuf>,
    since: Time,
}

/// Seconds and nanoseconds, as the file system counts them.
type Time = (i64, i64);

impl Shelf {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            count: AtomicU64::new(0),
            trees: Mutex::default(),
        }
    }

    /// Removes what is kept. Blocks for as long as removing many files takes.
    pub(super) fn clear(&self) -> io::Result<()> {
        lock(&self.trees).clear();
        if self.count.swap(0, Ordering::Relaxed) == 0 {
            return Ok(());
        }
        remove::tree(&self.dir)
    }

    /// Puts a tree by, and leaves an empty directory in its place.
    fn keep(&self, mut tree: Tree) -> io::Result<()> {
        let slot = match tree.slot.take() {
            Some(slot) => slot,
            None => self.new_slot()?,
        };
        swap(&tree.path, &slot)?;
        tree.path = slot;
        lock(&self.trees).push(tree);
        Ok(())
    }

    fn new_slot(&self) -> io::Result<PathBuf> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let slot = self.dir.join(number.to_string());
        fs::create_dir_all(&self.dir)?;
        private_dir(&slot)?;
        Ok(slot)
    }

    fn take(&self, key: &str, dir: &Path) -> Option<Tree> {
        let is_empty = fs::read_dir(dir).ok()?.next().is_none();
        let mut trees = lock(&self.trees);
        let found = trees.iter().rposition(|tree| tree.key == key);
        let found = found.filter(|_| is_empty)?;
        swap(&trees[found].path, dir).ok()?;
        let mut tree = trees.swap_remove(found);
        tree.slot = Some(std::mem::replace(&mut tree.path, dir.to_owned()));
        Some(tree)
    }
}

/// One job's access to the shelf of its run.
#[derive(Debug)]
pub(super) struct JobShelf {
    shelf: Arc<Shelf>,
    /// The job's own directory: nothing outside it is kept.
    dir: PathBuf,
    /// Whether a command was started, which may go on writing while nobody looks.
    in_use: AtomicBool,
    tree: Mutex<Option<Tree>>,
}

impl JobShelf {
    pub(super) fn new(shelf: Arc<Shelf>, dir: PathBuf) -> Self {
        Self {
            shelf,
            dir,
            in_use: AtomicBool::new(false),
            tree: Mutex::default(),
        }
    }

    /// Notes that commands of the job run from here on.
    pub(super) fn commands_begin(&self) {
        self.in_use.store(true, Ordering::Relaxed);
    }

    /// How many files and directories are in what the job could give back, if it has something.
    pub(super) fn entries(&self) -> Option<usize> {
        lock(&self.tree).as_ref().map(|tree| tree.entries.len())
    }

    /// Puts the job's tree by if nobody touched it. Everything that the job started has ended. Blocks.
    pub(super) fn give_back(&self) {
        let Some(tree) = lock(&self.tree).take() else {
            return;
        };
        if is_untouched(&tree) {
            // What cannot be moved is removed with the job's directory.
            let _ = self.shelf.keep(tree);
        }
    }
}

impl KeptTrees for JobShelf {
    fn take(&self, key: &str, dir: &Path) -> bool {
        let mut held = lock(&self.tree);
        if held.is_some() || !dir.starts_with(&self.dir) {
            return false;
        }
        *held = self.shelf.take(key, dir);
        held.is_some()
    }

    fn note(&self, key: &str, dir: &Path, except: &str) {
        if self.in_use.load(Ordering::Relaxed) || !dir.starts_with(&self.dir) {
            return;
        }
        let except = dir.join(except);
        let seen = latest_change(dir, &except);
        let since = seen.as_ref();
        let since = since.and_then(|(latest, _)| when_past(*latest, &self.dir));
        if let Some(((_, entries), since)) = seen.zip(since) {
            *lock(&self.tree) = Some(Tree {
                key: key.to_owned(),
                path: dir.to_owned(),
                slot: None,
                entries,
                since,
            });
        }
    }
}

/// Waits for the clock of the file system that `dir` is in to be past `time`, and tells it. `None` if
/// that clock hardly moves or cannot be read.
fn when_past(time: Time, dir: &Path) -> Option<Time> {
    const TICKS: usize = 16;
    const TICK: std::time::Duration = std::time::Duration::from_millis(1);
    let path = dir.join("clock");
    let read = |file: &File| {
        file.set_modified(std::time::SystemTime::now())?;
        file.metadata()
    };
    let clock = File::create(&path).ok()?;
    let mut now = None;
    for _ in 0..TICKS {
        now = read(&clock).ok().and_then(|metadata| changed(&metadata));
        if now.is_none_or(|now| now > time) {
            break;
        }
        std::thread::sleep(TICK);
    }
    fs::remove_file(&path).ok()?;
    now.filter(|now| *now > time)
}

/// Puts each of two directories into the other's place.
fn swap(one: &Path, other: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        let done = renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE);
        // Not every file system can do it.
        if !matches!(
            done,
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS)
        ) {
            return Ok(done?);
        }
    }
    let aside = one.with_extension("aside");
    fs::rename(one, &aside)?;
    fs::rename(other, one)?;
    fs::rename(aside, other)
}

fn is_untouched(tree: &Tree) -> bool {
    // What is there is known: a name that came or went changed its directory, so nothing is listed again.
    let untouched = |entry: &PathBuf| {
        let metadata = fs::symlink_metadata(tree.path.join(entry)).ok();
        let changed = metadata.and_then(|metadata| changed(&metadata));
        changed.is_some_and(|changed| changed < tree.since)
    };
    // Whoever moves a directory changes it, so of the outermost one only the entries count.
    let outermost = fs::symlink_metadata(&tree.path).ok();
    let outermost = outermost.and_then(|metadata| modified(&metadata));
    outermost.is_some_and(|latest| latest < tree.since) && tree.entries.iter().all(untouched)
}

/// When something in `dir` was changed last, and what is in it, but for what is in `except`. `None` if
/// that cannot be told, or takes too long.
fn latest_change(dir: &Path, except: &Path) -> Option<(Time, Vec<PathBuf>)> {
    let mut latest = modified(&fs::symlink_metadata(dir).ok()?)?;
    let mut open = vec![dir.to_owned()];
    let mut entries = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).ok()? {
            let entry = entry.ok()?;
            let path = entry.path();
            if path == except {
                continue;
            }
            let metadata = entry.metadata().ok()?;
            latest = latest.max(changed(&metadata)?);
            entries.push(path.strip_prefix(dir).ok()?.to_owned());
            if entries.len() > MOST_ENTRIES {
                return None;
            }
            if metadata.is_dir() {
                open.push(path);
            }
        }
    }
    Some((latest, entries))
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is no such time")]
fn changed(metadata: &Metadata) -> Option<Time> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is no such time")]
fn modified(metadata: &Metadata) -> Option<Time> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.mtime(), metadata.mtime_nsec()))
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> Option<Time> {
    None
}

#[cfg(not(unix))]
fn modified(_: &Metadata) -> Option<Time> {
    None
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
