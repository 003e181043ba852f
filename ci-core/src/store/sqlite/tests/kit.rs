//! What the tests of the file share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::event::EventRecord;
use crate::id::RunId;
use crate::store::contract::kit::{created, elsewhere, ready, record};
use crate::store::{Durability, RunStore, SqliteStore, StoreError};

/// A place for a store.
pub(super) struct Place {
    pub(super) dir: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self { dir }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("runs.db")
    }

    /// Opens the store with little patience for others.
    pub(super) fn try_open(&self) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_with(self.path(), Durability::Process, Duration::from_millis(20))
    }

    pub(super) fn open(&self) -> SqliteStore {
        self.try_open().expect("a store")
    }

    /// A store with one run of so many events, and closed again.
    pub(super) async fn filled(&self, events: u64) -> (RunId, Vec<EventRecord>) {
        let store = self.open();
        let run = created(&store, &elsewhere("a")).await;
        let journal = fill(&store, run, 1..=events).await.expect("room");
        (run, journal)
    }

    /// Another program's look at the file.
    pub(super) fn raw(&self) -> Connection {
        Connection::open(self.path()).expect("a connection")
    }

    /// The error as a person reads it, with its hints and without the name of the directory.
    pub(super) fn read(&self, error: &StoreError) -> String {
        let mut text = format!("{:?}: {}", error.kind(), crate::error::chain(error));
        for hint in error.hints() {
            text.push_str("\nhint: ");
            text.push_str(hint);
        }
        text.replace(&*self.dir.path().to_string_lossy(), "DIR")
    }
}

/// Appends events one by one; gives those that are durable, or the error of the first that is not.
pub(super) async fn fill(
    store: &SqliteStore,
    run: RunId,
    numbers: impl IntoIterator<Item = u64>,
) -> Result<Vec<EventRecord>, (Vec<EventRecord>, StoreError)> {
    let mut durable = Vec::new();
    for seq in numbers {
        let next = record(run, seq, ready(&format!("job-{seq:-^200}")));
        if let Err(error) = store.append(run, vec![next.clone()]).await {
            return Err((durable, error));
        }
        durable.push(next);
    }
    Ok(durable)
}

pub(super) fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("readable")
}
