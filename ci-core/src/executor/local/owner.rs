//! Whose the directory of a run is: the engine's that has locked the file `owner` in it.
//!
//! Directories of runs and their `owner` are made, opened and taken away only by who holds the lock of
//! the root. So the `owner` that somebody locked is the one that is there, never one that another was
//! about to remove. Nobody waits for anything else while they hold that lock.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::remove;
use crate::id::RunId;

const LOCK: &str = "lock";
const OWNER: &str = "owner";
/// What the names of directories end in that are no run's any more; a number follows.
const GONE: &str = "gone";

/// A file that is locked until this is dropped. Closing it would not be enough: a process that is just
/// being started has it open too until its program begins.
#[derive(Debug)]
pub(super) struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Holds the lock of the root until it is dropped.
fn hold(root: &Path) -> io::Result<Locked> {
    let path = root.join(LOCK);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    file.lock()?;
    Ok(Locked(file))
}

/// Takes the directory of `run` for this engine, and makes it unless it is there.
///
/// Its lock may be about to be given back: a process that was being started when its engine died has it
/// until it runs its own program.
pub(super) fn take_soon(root: &Path, dir: &Path, run: RunId) -> io::Result<Locked> {
    for _ in 0..100 {
        if let Some(owner) = take(root, dir, run)? {
            return Ok(owner);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    take(root, dir, run)?.ok_or_else(|| {
        let text = format!(
            "another engine works for the run in `{}`, or cleans up after it; try again when it has ended",
            dir.display()
        );
        io::Error::new(io::ErrorKind::ResourceBusy, text)
    })
}

/// Like [`take_soon`], but `None` at once if somebody has it.
fn take(root: &Path, dir: &Path, run: RunId) -> io::Result<Option<Locked>> {
    let _guard = hold(root)?;
    fs::create_dir(dir)
        .or_else(|error| match error.kind() {
            // An engine that worked for the run before left it.
            io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(error),
        })
        .map_err(|error| named("make", dir, &error))?;
    let path = dir.join(OWNER);
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        // What whoever has it wrote is what their run is found by.
        .truncate(false)
        .open(&path)
        .map_err(|error| named("open", &path, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(named("lock", &path, &error)),
    }
    let mut owner = Locked(file);
    // The line of the run is the same as before and comes first, so it is never missing.
    let text = format!("run {run}\npid {}\n", std::process::id());
    owner.0.write_all(text.as_bytes())?;
    owner.0.set_len(text.len() as u64)?;
    Ok(Some(owner))
}

/// Gives back what was taken. The directory goes if nothing is left in it.
pub(super) fn give_back(root: &Path, dir: &Path, owner: Locked) {
    let Ok(_guard) = hold(root) else { return };
    // Not every system removes a file that is open.
    drop(owner);
    if fs::read_dir(dir).is_ok_and(|entries| entries.count() <= 1) {
        let _ = fs::remove_file(dir.join(OWNER));
        let _ = fs::remove_dir(dir);
    }
}

/// The directory of a run whose engine is gone. While this lives nobody else takes it.
#[derive(Debug)]
pub(super) struct Abandoned {
    pub(super) run: RunId,
    pub(super) path: PathBuf,
    root: PathBuf,
    owner: Locked,
}

impl Abandoned {
    /// `None` if it is no run's, or if somebody works for the run or cleans up after it.
    pub(super) fn open(root: &Path, path: PathBuf) -> io::Result<Option<Self>> {
        let _guard = hold(root)?;
        Ok(lock_left(&path).map(|(run, owner)| Self {
            run,
            path,
            root: root.to_owned(),
            owner,
        }))
    }

    /// Removes the directory. Blocks for as long as removing many files takes.
    pub(super) fn remove(self) -> io::Result<()> {
        remove::tree(&self.set_aside()?)
    }

    /// Gives the directory a name that is no run's, and tells it. Who goes on with the run has room at
    /// once, and loses nothing while the old files are removed.
    fn set_aside(self) -> io::Result<PathBuf> {
        let _guard = hold(&self.root)?;
        // Not every system moves a directory in which a file is open.
        drop(self.owner);
        let mut number = 0;
        let aside = loop {
            let aside = self.path.with_extension(format!("{GONE}{number}"));
            if fs::symlink_metadata(&aside).is_err() {
                break aside;
            }
            number += 1;
        };
        match fs::rename(&self.path, &aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(named("set aside", &self.path, &error))
            }
            _ => Ok(aside),
        }
    }
}

/// The run that the directory is of, and its lock.
fn lock_left(path: &Path) -> Option<(RunId, Locked)> {
    let file = File::options()
        .read(true)
        .write(true)
        .open(path.join(OWNER))
        .ok()?;
    file.try_lock().ok()?;
    let mut owner = Locked(file);
    let mut text = String::new();
    // Some systems let nobody read a locked file but through what locked it.
    owner.0.read_to_string(&mut text).ok()?;
    let run = text.lines().find_map(|line| line.strip_prefix("run "))?;
    Some((run.parse().ok()?, owner))
}

/// Whether somebody [set it aside](Abandoned::remove), and may have died before it was removed.
pub(super) fn is_aside(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ending.starts_with(GONE))
}

pub(super) fn named(what: &str, path: &Path, error: &io::Error) -> io::Error {
    let text = format!("could not {what} `{}`: {error}", path.display());
    io::Error::new(error.kind(), text)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// A root, and the directory of a run in it that is not made yet.
    struct Place {
        root: tempfile::TempDir,
        dir: PathBuf,
        run: RunId,
    }

    impl Place {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let dir = root.path().join("run");
            let run = RunId::new();
            Self { root, dir, run }
        }

        fn take(&self) -> Option<Locked> {
            take(self.root.path(), &self.dir, self.run).unwrap()
        }

        fn abandoned(&self) -> Option<Abandoned> {
            Abandoned::open(self.root.path(), self.dir.clone()).unwrap()
        }
    }

    #[test]
    fn who_is_refused_leaves_the_owner_s_words_alone() {
        let place = Place::new();
        let owner = place.take().unwrap();
        assert!(place.take().is_none());
        drop(owner);
        assert_eq!(place.abandoned().unwrap().run, place.run);
    }

    #[test]
    fn the_next_owner_s_words_replace_longer_ones() {
        let place = Place::new();
        fs::create_dir(&place.dir).unwrap();
        let file = place.dir.join(OWNER);
        fs::write(&file, format!("run {}\npid 1234567890123\n", place.run)).unwrap();
        drop(place.take().unwrap());
        let text = format!("run {}\npid {}\n", place.run, std::process::id());
        assert_eq!(fs::read_to_string(file).unwrap(), text);
    }

    #[test]
    fn what_is_removed_makes_room_first() {
        let place = Place::new();
        drop(place.take().unwrap());
        let job = place.dir.join("0");
        fs::create_dir(&job).unwrap();
        let abandoned = place.abandoned().unwrap();
        assert!(place.take().is_none(), "somebody cleans up");

        let aside = abandoned.set_aside().unwrap();
        let owner = place.take().unwrap();
        fs::create_dir(&job).unwrap();
        remove::tree(&aside).unwrap();
        assert!(job.exists());
        assert!(place.abandoned().is_none(), "the lock is of what is there");
        drop(owner);
        place.abandoned().unwrap().remove().unwrap();
        assert!(!place.dir.exists());
    }

    #[test]
    fn a_name_aside_is_used_once() {
        let place = Place::new();
        let mut aside = Vec::new();
        for _ in 0..2 {
            drop(place.take().unwrap());
            aside.push(place.abandoned().unwrap().set_aside().unwrap());
        }
        assert_ne!(aside[0], aside[1]);
        assert!(aside.iter().all(|path| is_aside(path) && path.is_dir()));
        assert!(!is_aside(&place.dir));
    }

    #[test]
    fn whoever_has_it_has_what_is_there_and_has_it_alone() {
        let place = Place::new();
        let job = place.dir.join("0");
        let (begin, over, in_use) = (
            Barrier::new(4),
            AtomicBool::new(false),
            AtomicBool::new(false),
        );
        let alone = |work: &dyn Fn()| {
            assert!(!in_use.swap(true, Ordering::SeqCst));
            work();
            in_use.store(false, Ordering::SeqCst);
        };
        // Engines that end one way or the other.
        let engine = |dies: bool| {
            begin.wait();
            for _ in 0..300 {
                let owner = loop {
                    match place.take() {
                        Some(owner) => break owner,
                        None => std::thread::yield_now(),
                    }
                };
                alone(&|| {
                    remove::tree(&job).unwrap();
                    fs::create_dir(&job).unwrap();
                    fs::write(job.join("file"), "x").unwrap();
                    if !dies {
                        remove::tree(&job).unwrap();
                    }
                });
                if !dies {
                    give_back(place.root.path(), &place.dir, owner);
                }
            }
        };
        let cleaner = || {
            begin.wait();
            while !over.load(Ordering::SeqCst) {
                if let Some(abandoned) = place.abandoned() {
                    alone(&|| ());
                    abandoned.remove().unwrap();
                }
                std::thread::yield_now();
            }
        };
        std::thread::scope(|scope| {
            let engines = [false, false, true].map(|dies| scope.spawn(move || engine(dies)));
            let cleaner = scope.spawn(cleaner);
            let ended = engines.map(|engine| engine.join().is_ok());
            over.store(true, Ordering::SeqCst);
            assert_eq!(ended, [true; 3]);
            cleaner.join().unwrap();
        });
    }
}
