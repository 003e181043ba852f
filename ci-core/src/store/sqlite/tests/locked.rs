//! A store that another process holds: a clear error when patience ends, nothing lost.

use std::sync::Barrier;
use std::time::Duration;

use rusqlite::TransactionBehavior;

use super::kit::{Place, fill};
use crate::store::contract::kit::{created, elsewhere, kind};
use crate::store::{Durability, RunStore, SqliteStore, StoreErrorKind};

#[tokio::test]
async fn a_store_that_is_locked_says_so_and_keeps_what_it_had() {
    let place = Place::new();
    let store = place.open();
    let owner = elsewhere("a");
    let run = created(&store, &owner).await;
    let mut durable = fill(&store, run, 1..=3).await.expect("free");
    let mut other = place.raw();
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate);
    let lock = lock.expect("a lock");
    let (none, error) = fill(&store, run, [4]).await.expect_err("locked");
    assert_eq!(none, []);
    insta::assert_snapshot!(place.read(&error), @r"
    Busy: another process holds the run store `DIR/runs.db`: database is locked
    hint: wait until it is done, or give another store with `--store`
    ");
    assert_eq!(kind(store.heartbeat(&owner).await), StoreErrorKind::Busy);
    // Reading does not need the lock.
    assert_eq!(store.load(run).await.unwrap().journal, durable);
    drop(lock);
    store.heartbeat(&owner).await.unwrap();
    store.disown(&owner).await.unwrap();
    store.own(run, &owner).await.unwrap();
    durable.extend(fill(&store, run, [4]).await.expect("free"));
    assert_eq!(place.open().load(run).await.unwrap().journal, durable);
}

#[tokio::test]
async fn a_store_that_is_locked_cannot_be_opened() {
    let place = Place::new();
    let (run, journal) = place.filled(3).await;
    let other = place.raw();
    // In this mode nobody else may even read.
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;")
        .expect("a lock");
    let error = place.try_open().expect_err("locked");
    insta::assert_snapshot!(place.read(&error), @r"
    Busy: another process holds the run store `DIR/runs.db`: database is locked
    hint: wait until it is done, or give another store with `--store`
    ");
    drop(other);
    assert_eq!(place.open().load(run).await.unwrap().journal, journal);
}

#[test]
fn a_new_store_may_be_opened_by_several_at_once() {
    for _ in 0..100 {
        let place = Place::new();
        let (path, together) = (place.path(), Barrier::new(4));
        let open = || {
            together.wait();
            SqliteStore::open_with(&path, Durability::Process, Duration::from_mins(1)).map(drop)
        };
        std::thread::scope(|scope| {
            let opened: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            for opened in opened {
                opened.join().expect("no panic").expect("a store");
            }
        });
    }
}
