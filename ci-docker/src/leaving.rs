//! Containers that have ended and that the engine is still removing: only the end of a run waits for that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ci_core::executor::ReapReport;
use ci_core::id::RunId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::error::DockerError;

/// How many removals go on that nobody waits for: an engine that is slower than its jobs slows them.
const MOST: usize = 4;

/// The removals of an executor that nobody waits for yet.
#[derive(Debug)]
pub(crate) struct Leaving {
    places: Arc<Semaphore>,
    runs: Mutex<HashMap<RunId, Vec<Removal>>>,
}

impl Default for Leaving {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MOST)),
            runs: Mutex::default(),
        }
    }
}

#[derive(Debug)]
struct Removal {
    /// What is removed, in words.
    what: String,
    done: JoinHandle<Result<(), DockerError>>,
}

impl Leaving {
    /// A place for one removal more that nobody waits for. The removal holds it until it is done.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Remembers a removal that goes on.
    pub(crate) fn add(&self, run: RunId, what: String, done: JoinHandle<Result<(), DockerError>>) {
        let mut runs = self.runs();
        runs.entry(run).or_default().push(Removal { what, done });
    }

    /// Waits for the removals of a run, and tells those that failed.
    pub(crate) async fn settle(&self, run: RunId) -> ReapReport {
        let removals = self.runs().remove(&run).unwrap_or_default();
        let mut report = ReapReport::default();
        for Removal { what, done } in removals {
            match done.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => report.left.push(format!("{what}: {error}")),
                Err(error) => report.left.push(format!("{what}: {error}")),
            }
        }
        report
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, Vec<Removal>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
