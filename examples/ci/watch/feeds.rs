//! What is waited for beside the runs: commits and schedules, each in a task of its own.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ci_core::store::{RunStore, SqliteStore};
use ci_core::trigger::watch::{CommitWatcher, First, Found, Positions, ScanOptions};
use tokio::sync::mpsc;

use super::args::{FirstChoice, WatchArgs};
use super::plan::Occasion;
use super::schedules;
use crate::failure::{Failure, chain};

/// How often schedules are read again from the repositories.
const REREAD: Duration = Duration::from_secs(30);

/// What comes in from the tasks that wait.
pub(super) enum Incoming {
    Found(Found),
    Due(Occasion),
    Trouble(String),
    /// With `--once`: nothing is new.
    Nothing,
}

/// Waits for commits in a task of its own.
pub(super) fn commits(
    args: &WatchArgs,
    store: &Arc<SqliteStore>,
    repositories: &[PathBuf],
    sender: mpsc::Sender<Incoming>,
) -> Result<Positions, Failure> {
    let mut options = ScanOptions::default();
    options.remotes = args.remotes;
    options.first = match args.first {
        FirstChoice::Nothing => First::Nothing,
        FirstChoice::Tips => First::Tips,
        FirstChoice::Everything => First::Everything,
    };
    let store = Arc::clone(store) as Arc<dyn RunStore>;
    let mut watcher = CommitWatcher::new(store).options(options);
    if let Some(interval) = args.poll {
        watcher = watcher.poll_every(interval);
    }
    for repository in repositories {
        watcher
            .add(repository)
            .map_err(|error| Failure::input(chain(&error)))?;
    }
    let positions = watcher.positions();
    let once = args.once;
    tokio::spawn(async move {
        loop {
            let next = if once {
                watcher.try_next().await
            } else {
                let next = tokio::select! {
                    next = watcher.next() => next,
                    // Who would take it is gone, and with it this task: the file system's events too.
                    () = sender.closed() => return,
                };
                next.map(Some)
            };
            let incoming = match next {
                Ok(Some(found)) => Incoming::Found(found),
                Ok(None) => Incoming::Nothing,
                Err(error) => Incoming::Trouble(chain(&error)),
            };
            if sender.send(incoming).await.is_err() {
                return;
            }
        }
    });
    Ok(positions)
}

/// Waits for schedules in a task of its own. They are read again from time to time, because a commit
/// may change them.
pub(super) fn schedules(
    store: &Arc<SqliteStore>,
    repositories: &[PathBuf],
    sender: mpsc::Sender<Incoming>,
) {
    let store = Arc::clone(store) as Arc<dyn RunStore>;
    let repositories = repositories.to_vec();
    tokio::spawn(async move {
        let mut told: HashMap<PathBuf, String> = HashMap::new();
        loop {
            let mut pause = REREAD;
            for repository in &repositories {
                let result = schedules::due(repository, &store).await;
                let news = match result {
                    Ok((occasions, soon)) => {
                        pause = pause.min(soon);
                        told.remove(repository);
                        occasions.into_iter().map(Incoming::Due).collect()
                    }
                    // Once is enough.
                    Err(failure) if told.get(repository) == Some(&failure.message) => vec![],
                    Err(failure) => {
                        told.insert(repository.clone(), failure.message.clone());
                        vec![Incoming::Trouble(failure.message)]
                    }
                };
                for incoming in news {
                    if sender.send(incoming).await.is_err() {
                        return;
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause.max(Duration::from_millis(10))) => {}
                () = sender.closed() => return,
            }
        }
    });
}
