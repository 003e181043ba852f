//! The watching of repositories: the commits alone, or everything that `ci watch` does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ci_cli::{Start, UsageError};
use ci_core::trigger::watch::{
    ChangeKind, CommitWatcher as Watcher, First, Found as Change, Positions, ScanOptions,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tokio::sync::{Mutex, watch as state};

use crate::convert::seconds;
use crate::error::{OrRaise, Raise, internal};
use crate::run::run_id;
use crate::runtime::{runtime, wait};
use crate::store::Store;

/// Repositories that are watched, and runs for what is new in them.
#[pyclass(frozen, module = "ci_core._native")]
pub(crate) struct Watch {
    watching: ci_cli::Watching,
    ended: state::Receiver<Option<Arc<Result<(), UsageError>>>>,
}

/// Begins to watch; the words are those of `ci watch`.
#[pyfunction]
pub(crate) fn watch(py: Python<'_>, words: Vec<String>) -> PyResult<Watch> {
    let runtime = runtime()?;
    let opened = py.detach(|| ci_cli::Watching::open(words));
    let (watching, watched) = opened.or_raise()?;
    let (sender, ended) = state::channel(None);
    runtime.spawn(async move {
        let result = watched.await;
        sender.send_replace(Some(Arc::new(result)));
    });
    Ok(Watch { watching, ended })
}

#[pymethods]
impl Watch {
    #[getter]
    fn done(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Starts a run that no change asks for, and gives its id.
    fn start(
        &self,
        py: Python<'_>,
        repository: Option<PathBuf>,
        branch: Option<String>,
        revision: Option<String>,
        arguments: BTreeMap<String, String>,
    ) -> PyResult<String> {
        let mut start = Start::default();
        start.repository = repository;
        start.branch = branch;
        start.revision = revision;
        start.arguments = arguments;
        let run = wait(py, self.watching.start(start), || ())?.or_raise()?;
        Ok(run.to_string())
    }

    /// Runs again what did not succeed in a run, and gives the id of the new one.
    fn rerun(&self, py: Python<'_>, run: &str) -> PyResult<String> {
        let run = wait(py, self.watching.rerun(run_id(run)?), || ())?.or_raise()?;
        Ok(run.to_string())
    }

    /// Goes on with a run that ended on hold.
    fn resume(&self, py: Python<'_>, run: &str) -> PyResult<()> {
        wait(py, self.watching.resume(run_id(run)?), || ())?.or_raise()
    }

    fn stop(&self) {
        self.watching.stop();
    }

    /// Waits for the end. False if that took longer than `timeout` seconds.
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let limit = timeout.map(seconds).transpose()?;
        let mut ended = self.ended.clone();
        let over = async {
            let over = ended.wait_for(Option::is_some);
            match limit {
                None => Some(over.await.ok()?.clone()),
                Some(limit) => Some(tokio::time::timeout(limit, over).await.ok()?.ok()?.clone()),
            }
        };
        match wait(py, over, || ())?.flatten().as_deref() {
            None => Ok(false),
            Some(Ok(())) => Ok(true),
            Some(Err(error)) => Err(error.raise()),
        }
    }
}

/// A new commit or tag: the repository, a number, what it is, the commit, the branch or tag, and whether
/// the branch points at it or the tag is annotated.
type Found = (PathBuf, u64, &'static str, String, String, bool);

/// Finds every new commit and tag of repositories, each once and in order.
#[pyclass(frozen, module = "ci_core._native")]
pub(crate) struct CommitWatcher {
    watcher: Mutex<Watcher>,
    positions: Positions,
    /// What was given out and is not done, by repository and number.
    given: std::sync::Mutex<BTreeMap<(PathBuf, u64), Change>>,
}

#[pymethods]
impl CommitWatcher {
    #[new]
    fn new(
        store: Store,
        repositories: Vec<PathBuf>,
        first: &str,
        remotes: bool,
        poll: Option<f64>,
    ) -> PyResult<Self> {
        let mut options = ScanOptions::default();
        options.remotes = remotes;
        options.first = match first {
            "nothing" => First::Nothing,
            "tips" => First::Tips,
            "everything" => First::Everything,
            _ => {
                let message = format!(
                    "`{first}` is nothing to begin with; there are `nothing`, `tips` and `everything`"
                );
                return Err(PyValueError::new_err(message));
            }
        };
        let mut watcher = Watcher::new(store.inner).options(options);
        if let Some(interval) = poll {
            watcher = watcher.poll_every(seconds(interval)?);
        }
        for repository in repositories {
            watcher.add(&repository).or_raise()?;
        }
        Ok(Self {
            positions: watcher.positions(),
            watcher: Mutex::new(watcher),
            given: std::sync::Mutex::default(),
        })
    }

    /// The next change; none if there is none within `timeout` seconds.
    fn next(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<Found>> {
        let limit = timeout.map(seconds).transpose()?;
        let next = async {
            let mut watcher = self.watcher.lock().await;
            let next = watcher.next();
            match limit {
                None => next.await.map(Some),
                // What is there already is given, however short the time is.
                Some(Duration::ZERO) => {
                    drop(next);
                    watcher.try_next().await
                }
                Some(limit) => match tokio::time::timeout(limit, next).await {
                    Ok(next) => next.map(Some),
                    Err(_) => watcher.try_next().await,
                },
            }
        };
        let Some(found) = wait(py, next, || ())?.or_raise()? else {
            return Ok(None);
        };
        let told = told(&found);
        if let Ok(mut given) = self.given.lock() {
            given.insert((told.0.clone(), told.1), found);
        }
        Ok(Some(told))
    }

    /// Says that a change is dealt with.
    fn done(&self, py: Python<'_>, repository: PathBuf, number: u64) -> PyResult<()> {
        let given = match self.given.lock() {
            Ok(mut given) => given.remove(&(repository, number)),
            Err(_) => return Err(internal("a thread broke while it held a change")),
        };
        match given {
            None => Err(PyValueError::new_err("the change was not given out here")),
            Some(found) => wait(py, self.positions.done(&found), || ())?.or_raise(),
        }
    }
}

fn told(found: &Change) -> Found {
    let change = &found.change;
    let (kind, name, mark) = match &change.kind {
        ChangeKind::Commit { branch, tip } => ("commit", branch.clone(), *tip),
        ChangeKind::TaggedCommit { tag } => ("tagged_commit", tag.clone(), false),
        ChangeKind::Tag { name, annotated } => ("tag", name.clone(), *annotated),
        _ => ("other", String::new(), false),
    };
    let (repository, commit) = (found.repository.clone(), change.commit.clone());
    (repository, change.number, kind, commit, name, mark)
}
