//! Appends that come together become durable together.

use std::path::Path;
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use rusqlite::TransactionBehavior;

use super::kit::{Place, bytes};
use crate::outcome::Outcome;
use crate::store::contract::kit::{created, elsewhere, finished, record};
use crate::store::{Commit, Durability, RunStore, SqliteStore};

/// How many transactions the write-ahead log holds: frames that give the size of the database after
/// them (<https://sqlite.org/fileformat2.html#the_write_ahead_log>), of the log's present salt.
fn transactions(store: &Path) -> usize {
    let mut path = store.as_os_str().to_owned();
    path.push("-wal");
    let log = bytes(Path::new(&path));
    let number = |at: usize| {
        let bytes = log[at..at + 4].try_into().expect("four bytes");
        u32::from_be_bytes(bytes)
    };
    let frame = 24 + number(8) as usize;
    let salt = (number(16), number(20));
    let frames = (32..)
        .step_by(frame)
        .take_while(|at| at + frame <= log.len());
    let present = frames.filter(|at| (number(at + 8), number(at + 12)) == salt);
    present.filter(|at| number(at + 4) > 0).count()
}

#[tokio::test]
async fn eight_jobs_that_end_together_share_their_transactions() {
    let place = Place::new();
    let patience = Duration::from_mins(1);
    let store = SqliteStore::open_with(place.path(), Durability::Power, patience);
    let store = store.expect("a store");
    let run = created(&store, &elsewhere("a")).await;
    let before = transactions(&place.path());
    // While another holds the lock the writer waits with what it took first; the rest queues up.
    let mut other = place.raw();
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate);
    let lock = lock.expect("a lock");
    let append = &|seq| {
        let event = finished(&format!("job-{seq}"), Outcome::Success, seq);
        store.append(run, vec![record(run, seq, event)])
    };
    let commits: Vec<Commit> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=8)
            .map(|seq| scope.spawn(move || append(seq)))
            .collect();
        let appended = threads.into_iter().map(ScopedJoinHandle::join);
        appended.map(|commit| commit.expect("appends")).collect()
    });
    assert_eq!(transactions(&place.path()), before);
    drop(lock);
    for commit in commits {
        commit.await.expect("durable");
    }
    let shared = transactions(&place.path()) - before;
    assert!((1..=2).contains(&shared), "{shared} transactions");
    assert_eq!(store.load(run).await.unwrap().journal.len(), 8);
}

#[tokio::test]
async fn an_append_is_a_transaction_of_its_own_when_it_is_alone() {
    let place = Place::new();
    let store = place.open();
    let run = created(&store, &elsewhere("a")).await;
    let before = transactions(&place.path());
    for (seq, alone) in (1..).zip(1..=3) {
        let event = finished("build", Outcome::Success, 1);
        let commit = store.append(run, vec![record(run, seq, event)]);
        commit.await.expect("durable");
        assert_eq!(transactions(&place.path()), before + alone);
    }
}

#[tokio::test]
async fn what_nobody_waits_for_shares_the_next_transaction() {
    let place = Place::new();
    let store = place.open();
    let run = created(&store, &elsewhere("a")).await;
    let before = transactions(&place.path());
    let event = |seq| record(run, seq, finished("build", Outcome::Success, 1));
    for seq in 1..=3 {
        store.note(run, vec![event(seq)]);
    }
    store.append(run, vec![event(4)]).await.expect("durable");
    // A machine that stood still between two of them may have made it two.
    let shared = transactions(&place.path()) - before;
    assert!((1..=2).contains(&shared), "{shared} transactions");
    assert_eq!(store.load(run).await.unwrap().journal.len(), 4);
}

#[tokio::test]
async fn what_nobody_waits_for_is_kept_soon_all_the_same() {
    let place = Place::new();
    let store = place.open();
    let run = created(&store, &elsewhere("a")).await;
    let event = finished("build", Outcome::Success, 1);
    store.note(run, vec![record(run, 1, event)]);
    let deadline = std::time::Instant::now() + Duration::from_mins(1);
    while store.load(run).await.unwrap().journal.is_empty() {
        assert!(std::time::Instant::now() < deadline, "never");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_nobody_waited_for_is_kept_when_the_store_is_closed() {
    let place = Place::new();
    let store = place.open();
    let run = created(&store, &elsewhere("a")).await;
    let event = finished("build", Outcome::Success, 1);
    store.note(run, vec![record(run, 1, event)]);
    drop(store);
    let journal = place.open().load(run).await.unwrap().journal;
    assert_eq!(journal.len(), 1);
}
