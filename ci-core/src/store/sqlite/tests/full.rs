//! A full disk: a clear error, nothing lost that was reported, and no gap in a journal.

use super::kit::{Place, fill};
use crate::store::contract::kit::{created, elsewhere};
use crate::store::{RunStore, SqliteStore, StoreErrorKind};

/// Leaves room for so many more pages in the file.
async fn leave_room(store: &SqliteStore, pages: i64) {
    store
        .on_writer(move |connection| {
            let now: i64 = connection
                .pragma_query_value(None, "page_count", |row| row.get(0))
                .expect("a number");
            let most = now + pages;
            let set = connection
                .pragma_update_and_check(None, "max_page_count", most, |row| row.get::<_, i64>(0));
            assert_eq!(set.expect("a limit"), most);
        })
        .await;
}

#[tokio::test]
async fn what_was_reported_before_the_disk_was_full_is_kept() {
    let place = Place::new();
    let store = place.open();
    let owner = elsewhere("a");
    let run = created(&store, &owner).await;
    leave_room(&store, 4).await;
    let (durable, error) = fill(&store, run, 1..1000).await.expect_err("no room");
    assert!(!durable.is_empty(), "there was room for some");
    insta::assert_snapshot!(place.read(&error), @r"
    Full: there is no room left for the run store `DIR/runs.db`: database or disk is full
    hint: make room on the disk; what was reported so far is kept
    ");
    assert_eq!(store.load(run).await.unwrap().journal, durable);
    drop(store);
    let again = place.open();
    assert_eq!(again.load(run).await.unwrap().journal, durable);
}

#[tokio::test]
async fn a_journal_has_no_gap_after_the_disk_was_full() {
    let place = Place::new();
    let store = place.open();
    let (owner, other) = (elsewhere("a"), elsewhere("b"));
    let run = created(&store, &owner).await;
    leave_room(&store, 0).await;
    let (mut durable, error) = fill(&store, run, 1..1000).await.expect_err("no room");
    assert_eq!(error.kind(), StoreErrorKind::Full);
    // Somebody makes room. The run missed an event: what comes after it must not be in the journal.
    leave_room(&store, 1000).await;
    let next = durable.len() as u64 + 2;
    let (none, error) = fill(&store, run, [next]).await.expect_err("a gap");
    assert_eq!((none, error.kind()), (Vec::new(), StoreErrorKind::Full));
    // Other runs go on, and so does this one when it is taken over.
    let second = created(&store, &other).await;
    fill(&store, second, 1..5).await.expect("room");
    store.disown(&owner).await.unwrap();
    store.own(run, &other).await.unwrap();
    durable.extend(fill(&store, run, [next]).await.expect("room"));
    assert_eq!(store.load(run).await.unwrap().journal, durable);
}
