//! The private directories of jobs: made when first needed, used again while they stay empty, and
//! found by whoever cleans up after an engine that died.
//!
//! ```text
//! <root>/lock             held for a moment while a run's directory is made, judged or taken away
//! <root>/<run>/owner      locked for as long as the engine lives; says whose it is (`owner.rs`)
//! <root>/<run>/kept/<m>   trees that jobs left untouched, for the next ones
//! <root>/<run>/<n>/home
//! <root>/<run>/<n>/tmp
//! <root>/<run>/<n>/work   only for jobs that do not work in the project's directory
//! <root>/<run>.gone<n>    what is being removed, or was when its remover died
//! ```
//! Names are short because sockets in them have short names or none (108 bytes on Linux).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::owner::{self, Abandoned, Locked, named};
use super::remove;
use super::shelf::{JobShelf, Shelf};
use crate::id::RunId;

/// The directory that holds those of all runs.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    runs: Mutex<HashMap<RunId, Arc<RunDir>>>,
}

impl Root {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            runs: Mutex::default(),
        }
    }

    /// Where directories go unless told otherwise: a place of this user in the system's directory for
    /// temporary files. Executors of other names have one each, because a run's directory has one owner.
    pub(super) fn default_path(executor: &str) -> PathBuf {
        #[cfg(unix)]
        let user = rustix::process::getuid().as_raw().to_string();
        #[cfg(not(unix))]
        let user = "jobs";
        let name = if executor == "local" {
            format!("ci-core-{user}")
        } else {
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            let executor: String = executor.chars().map(plain).collect();
            format!("ci-core-{user}-{executor}")
        };
        std::env::temp_dir().join(name)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of a job of `run`. Nothing is made yet.
    pub(super) fn job(&self, run: RunId) -> JobDir {
        let mut runs = lock(&self.runs);
        if !runs.contains_key(&run) {
            // Runs that nobody works for any more give their directories back.
            runs.retain(|_, dir| Arc::strong_count(dir) > 1);
        }
        let run = runs
            .entry(run)
            .or_insert_with(|| Arc::new(RunDir::new(&self.path, run)));
        let recycled = lock(&run.free).pop();
        JobDir {
            run: Arc::clone(run),
            made: Mutex::new(recycled.is_some()),
            has_work: AtomicBool::new(false),
            path: recycled.unwrap_or_else(|| {
                let count = run.count.fetch_add(1, Ordering::Relaxed);
                run.path.join(count.to_string())
            }),
        }
    }

    /// What jobs of `run` left for the next ones.
    pub(super) fn shelf(&self, run: RunId) -> Option<Arc<Shelf>> {
        let runs = lock(&self.runs);
        runs.get(&run).map(|dir| Arc::clone(&dir.shelf))
    }

    /// Whether jobs of `run` are at work here. If not its directories are given back.
    pub(super) fn forget(&self, run: RunId) -> bool {
        let mut runs = lock(&self.runs);
        if runs.get(&run).is_some_and(|dir| Arc::strong_count(dir) > 1) {
            return true;
        }
        runs.remove(&run);
        false
    }

    /// What engines may have left behind, of one run or of all. Nothing is locked: the runs are to be
    /// [opened](Self::open_abandoned) one after the other, so that nobody who goes on with a run has to
    /// wait until others are cleaned up.
    pub(super) fn left(&self, only: Option<RunId>) -> io::Result<Left> {
        let mut left = Left::default();
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(left),
            entries => entries?,
        };
        let only = only.map(short);
        for entry in entries {
            let path = entry?.path();
            let of = path.file_stem();
            if only.as_ref().is_some_and(|run| of != Some(OsStr::new(run))) {
                continue;
            }
            if owner::is_aside(&path) {
                left.aside.push(path);
            } else {
                left.runs.push(path);
            }
        }
        Ok(left)
    }

    /// The run that the directory is of, if its engine is gone.
    pub(super) fn open_abandoned(&self, path: PathBuf) -> io::Result<Option<Abandoned>> {
        Abandoned::open(&self.path, path)
    }
}

/// What may have been left behind.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Directories of runs, also of those that are being worked for.
    pub(super) runs: Vec<PathBuf>,
    /// Directories that are no run's any more. Whoever finds one removes it.
    pub(super) aside: Vec<PathBuf>,
}

/// The name of the directory of a run.
fn short(run: RunId) -> String {
    let id = run.to_string();
    id.rsplit('-').next().unwrap_or(&id).to_owned()
}

#[derive(Debug)]
struct RunDir {
    run: RunId,
    root: PathBuf,
    path: PathBuf,
    owner: Mutex<Option<Locked>>,
    count: AtomicU64,
    /// Directories of jobs that ended and left them empty.
    free: Mutex<Vec<PathBuf>>,
    shelf: Arc<Shelf>,
}

impl RunDir {
    fn new(root: &Path, run: RunId) -> Self {
        let path = root.join(short(run));
        Self {
            run,
            root: root.to_owned(),
            shelf: Arc::new(Shelf::new(path.join("kept"))),
            path,
            owner: Mutex::new(None),
            count: AtomicU64::new(0),
            free: Mutex::default(),
        }
    }

    /// Makes the directory and takes possession of it.
    fn make(&self) -> io::Result<()> {
        let mut owner = lock(&self.owner);
        if owner.is_some() {
            return Ok(());
        }
        make_private(&self.root)?;
        *owner = Some(owner::take_soon(&self.root, &self.path, self.run)?);
        Ok(())
    }
}

impl Drop for RunDir {
    /// Gives back what is empty; what is not belongs to a session that was not torn down.
    fn drop(&mut self) {
        let Some(owner) = lock(&self.owner).take() else {
            return;
        };
        let _ = self.shelf.clear();
        for path in lock(&self.free).drain(..) {
            let _ = fs::remove_dir(path.join("work"));
            let _ = remove::empty(&path, &["home", "tmp"]);
        }
        owner::give_back(&self.root, &self.path, owner);
    }
}

/// The directory of one attempt of a job.
#[derive(Debug)]
pub(super) struct JobDir {
    run: Arc<RunDir>,
    path: PathBuf,
    made: Mutex<bool>,
    /// Whether there is a directory to work in, as far as that is known.
    has_work: AtomicBool,
}

impl JobDir {
    pub(super) fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.path.join("tmp")
    }

    pub(super) fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// What earlier jobs of the run left, for this one.
    pub(super) fn shelf(&self) -> JobShelf {
        JobShelf::new(Arc::clone(&self.run.shelf), self.path.clone())
    }

    /// Makes the directories for the home and for temporary files, unless they are there.
    pub(super) fn make(&self) -> io::Result<()> {
        // Two commands may be the first at the same time.
        let mut made = lock(&self.made);
        if *made {
            return Ok(());
        }
        self.run.make()?;
        if self.path.exists() {
            // A dead engine that worked for the same run left it.
            remove::tree(&self.path)?;
        }
        for path in [self.path.clone(), self.home(), self.tmp()] {
            private_dir(&path).map_err(|error| named("make", &path, &error))?;
        }
        *made = true;
        Ok(())
    }

    /// Makes the directory to work in.
    pub(super) fn make_work(&self) -> io::Result<()> {
        self.make()?;
        let path = self.work();
        self.has_work.store(true, Ordering::Relaxed);
        if is_as_new(&path) {
            return Ok(());
        }
        if path.exists() {
            // The job that had the directories before climbed out of its own.
            remove::tree(&path)?;
        }
        private_dir(&path).map_err(|error| named("make", &path, &error))
    }

    /// Keeps the directories for another job of the run if they are as new. Whether that is all there
    /// is to do; if not they have to be [removed](Self::remove).
    pub(super) fn recycle(&self) -> bool {
        if !*lock(&self.made) {
            return true;
        }
        let new = self.is_new();
        if new {
            lock(&self.run.free).push(self.path.clone());
        }
        new
    }

    /// Removes the directories. Blocks for as long as removing many files takes.
    pub(super) fn remove(&self) -> io::Result<()> {
        if lock(&self.run.owner).is_none() {
            // What may be there is of the engine that works for the run.
            return Ok(());
        }
        remove::tree(&self.path)
    }

    /// Whether nothing is in the directories.
    fn is_new(&self) -> bool {
        let has_work = self.has_work.load(Ordering::Relaxed);
        (!has_work || is_as_new(&self.work())) && is_as_new(&self.home()) && is_as_new(&self.tmp())
    }
}

/// A directory that nobody else may look into.
pub(super) fn private_dir(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().mode(0o700).create(path)
    }
    #[cfg(not(unix))]
    fs::create_dir(path)
}

/// Makes `path` and what is above it, and sees to it that it is this user's alone: others may write
/// where temporary files go, and could have been there first.
fn make_private(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| named("make", parent, &error))?;
    }
    match private_dir(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if is_private(path) {
                Ok(())
            } else {
                let text = format!(
                    "`{}` is not a directory that only this user may use; remove it, or set another \
                     root for the executor",
                    path.display()
                );
                Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
            }
        }
        Err(error) => Err(named("make", path, &error)),
    }
}

/// Whether `path` is an empty directory of this user alone.
fn is_as_new(path: &Path) -> bool {
    is_private(path) && fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

fn is_private(path: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        metadata.is_dir()
            && metadata.uid() == rustix::process::getuid().as_raw()
            && metadata.mode() & 0o7777 == 0o700
    }
    #[cfg(not(unix))]
    metadata.is_dir()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_made_before_it_is_needed_and_nothing_is_left() {
        let place = tempfile::tempdir().unwrap();
        let root = Root::new(place.path().join("root"));
        let run = RunId::new();
        let job = root.job(run);
        assert!(!root.path().exists());
        job.make().unwrap();
        assert!(job.home().is_dir() && job.tmp().is_dir());
        assert!(job.recycle());
        drop(job);
        assert!(!root.forget(run));
        let left: Vec<_> = fs::read_dir(root.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "only the lock stays: {left:?}");
    }

    #[test]
    fn empty_directories_serve_again_and_used_ones_do_not() {
        let place = tempfile::tempdir().unwrap();
        let root = Root::new(place.path().join("root"));
        let run = RunId::new();
        let first = root.job(run);
        first.make().unwrap();
        assert!(first.recycle());
        let second = root.job(run);
        assert_eq!(second.home(), first.home());
        assert!(second.home().is_dir());
        fs::write(second.home().join("cache"), "x").unwrap();
        assert!(!second.recycle());
        second.remove().unwrap();
        assert!(!second.home().exists());
        assert_ne!(root.job(run).home(), first.home());
    }

    /// The runs that can be cleaned up.
    fn abandoned(root: &Root, only: Option<RunId>) -> Vec<Abandoned> {
        let runs = root.left(only).unwrap().runs.into_iter();
        runs.filter_map(|path| root.open_abandoned(path).unwrap())
            .collect()
    }

    /// A job of a run whose engine died.
    fn dead(root: &Root) -> (RunId, JobDir) {
        let run = RunId::new();
        let job = root.job(run);
        job.make().unwrap();
        // As the kernel does it when a process ends.
        drop(lock(&job.run.owner).take());
        (run, job)
    }

    #[test]
    fn a_run_is_abandoned_when_its_owner_is_gone_and_not_before() {
        let place = tempfile::tempdir().unwrap();
        let root = Root::new(place.path().join("root"));
        assert!(abandoned(&root, None).is_empty());
        let living = root.job(RunId::new());
        living.make().unwrap();
        assert!(abandoned(&root, None).is_empty());
        let (run, _job) = dead(&root);
        let found = abandoned(&root, None);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].run, run);
        assert!(abandoned(&root, None).is_empty(), "somebody is at it");
    }

    #[test]
    fn who_cleans_up_after_one_run_lets_others_go_on() {
        let place = tempfile::tempdir().unwrap();
        let root = Root::new(place.path().join("root"));
        let dead = [dead(&root), dead(&root)];
        let found = abandoned(&root, Some(dead[0].0));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].run, dead[0].0);
        let resumed = Root::new(root.path().to_owned());
        resumed.job(dead[1].0).make().unwrap();
    }

    #[test]
    fn of_two_engines_the_one_that_is_refused_removes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let root = Root::new(place.path().join("root"));
        let run = RunId::new();
        let job = root.job(run);
        job.make().unwrap();
        let other = Root::new(root.path().to_owned()).job(run);
        assert_eq!(other.home(), job.home());
        other.remove().unwrap();
        assert!(job.home().is_dir());
        job.remove().unwrap();
        assert!(!job.home().exists());
    }

    #[test]
    fn what_was_set_aside_is_no_run_s_and_is_found() {
        let place = tempfile::tempdir().unwrap();
        let root = Root::new(place.path().join("root"));
        let (run, _job) = dead(&root);
        let path = root.path().join(short(run));
        let aside = path.with_extension("gone0");
        fs::rename(path, &aside).unwrap();
        assert!(abandoned(&root, None).is_empty());
        for only in [None, Some(run)] {
            assert_eq!(root.left(only).unwrap().aside, [aside.as_path()]);
        }
        assert!(root.left(Some(RunId::new())).unwrap().aside.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_root_that_others_can_use_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("root");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        let error = Root::new(path.clone())
            .job(RunId::new())
            .make()
            .unwrap_err();
        assert!(error.to_string().contains("only this user"), "{error}");
        fs::remove_dir(&path).unwrap();
        std::os::unix::fs::symlink(place.path(), &path).unwrap();
        assert!(Root::new(path).job(RunId::new()).make().is_err());
    }
}
