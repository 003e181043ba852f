//! Files that are no store, or no longer a whole one: a clear error, and the file as it was.

use std::fs;

use super::kit::{Place, bytes};
use crate::session::Stream;
use crate::store::contract::kit::{created, elsewhere};
use crate::store::{LogKey, LogQuery, RunStore, StoreErrorKind};

/// Opening fails, with this text, and does not change the file.
fn refused(place: &Place) -> String {
    let before = bytes(&place.path());
    let error = place.try_open().expect_err("no store");
    assert_eq!(bytes(&place.path()), before, "the file was changed");
    place.read(&error)
}

#[test]
fn a_file_of_garbage() {
    let place = Place::new();
    fs::write(place.path(), b"name: ci\njobs: []\n".repeat(500)).unwrap();
    insta::assert_snapshot!(refused(&place), @r"
    Damaged: the run store `DIR/runs.db` is damaged, or is no run store: file is not a database
    hint: nothing was changed; move the file away to begin a new store
    ");
}

#[tokio::test]
async fn a_store_of_a_newer_version() {
    let place = Place::new();
    place.filled(3).await;
    place.raw().pragma_update(None, "user_version", 99).unwrap();
    insta::assert_snapshot!(refused(&place), @r"
    Newer: the run store `DIR/runs.db` has version 99, and this program knows up to 4
    hint: use the newer program, or give another store; nothing was changed
    ");
}

#[tokio::test]
async fn a_store_of_the_third_version_keeps_its_logs() {
    let place = Place::new();
    let (run, journal) = place.filled(3).await;
    place.raw().pragma_update(None, "user_version", 3).unwrap();
    // What that version wrote: a file for each step, of frames.
    let job = place.dir.path().join(format!("runs.db.logs/{run}/a%2Fb"));
    fs::create_dir_all(&job).unwrap();
    let frame = [
        &[1],
        &7u64.to_le_bytes()[..],
        &5u32.to_le_bytes(),
        b"kept\n",
    ];
    fs::write(job.join("1-2.log"), frame.concat()).unwrap();
    let store = place.open();
    let query = LogQuery {
        run,
        job: None,
        attempt: None,
        step: None,
    };
    let lines = store.read_log(&query).await.unwrap();
    let [line] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert_eq!((&*line.job, line.attempt, line.step), ("a/b", 1, 2));
    assert_eq!((line.stream, line.time.as_millis()), (Stream::Stderr, 7));
    assert_eq!(line.bytes, b"kept");
    assert_eq!(store.load(run).await.unwrap().journal.len(), journal.len());
    let version = place
        .raw()
        .pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0));
    assert_eq!(version.unwrap(), 4);
}

#[cfg(unix)]
#[test]
fn the_database_of_another_program() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    let other = place.raw();
    other
        .execute_batch("CREATE TABLE bookmarks (url TEXT);")
        .unwrap();
    drop(other);
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(refused(&place), @r"
    Damaged: `DIR/runs.db` is a database of another program
    hint: give another file as the store; nothing was changed
    ");
    let mode = fs::metadata(place.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "its permissions are its own affair");
}

#[tokio::test]
async fn a_store_that_was_cut_off_anywhere_is_damaged() {
    let whole = Place::new();
    let (run, _) = whole.filled(200).await;
    let content = bytes(&whole.path());
    assert!(content.len() > 40_000, "{} bytes", content.len());
    // In the header, in the first page, at the ends of pages, in the midst of them.
    for length in [
        1,
        16,
        60,
        100,
        512,
        4096,
        5000,
        8192,
        content.len() - 4096,
        content.len() - 1,
    ] {
        let place = Place::new();
        fs::write(place.path(), &content[..length]).unwrap();
        // If opening does not find it, reading does.
        let error = match place.try_open() {
            Err(error) => error,
            Ok(store) => store.load(run).await.expect_err("less than was there"),
        };
        assert_eq!(error.kind(), StoreErrorKind::Damaged, "{length}: {error}");
        assert_eq!(bytes(&place.path()), content[..length], "{length}: changed");
    }
    let place = Place::new();
    fs::write(place.path(), &content[..content.len() / 2]).unwrap();
    insta::assert_snapshot!(refused(&place), @r"
    Damaged: the run store `DIR/runs.db` is damaged, or is no run store: database disk image is malformed
    hint: nothing was changed; move the file away to begin a new store
    ");
}

#[tokio::test]
async fn a_store_that_was_cut_off_to_nothing_is_damaged_if_its_logs_are_there() {
    let place = Place::new();
    fs::write(place.path(), b"").unwrap();
    let store = place.open();
    let key = LogKey {
        run: created(&store, &elsewhere("a")).await,
        job: "build".into(),
        attempt: 1,
        step: 0,
    };
    drop(store.log(&key).unwrap());
    drop(store);
    fs::write(place.path(), b"").unwrap();
    insta::assert_snapshot!(refused(&place), @r"
    Damaged: the run store `DIR/runs.db` was cut off, or is no run store
    hint: nothing was changed; move the file away to begin a new store
    ");
}

#[tokio::test]
async fn a_store_with_a_page_of_zeros_is_damaged() {
    let place = Place::new();
    let (run, journal) = place.filled(200).await;
    let mut content = bytes(&place.path());
    let pages = content.len() / 4096;
    let mut found = 0;
    for page in 1..pages {
        let saved = content[page * 4096..][..4096].to_vec();
        content[page * 4096..][..4096].fill(0);
        fs::write(place.path(), &content).unwrap();
        let loaded = match place.try_open() {
            Ok(store) => store.load(run).await,
            Err(error) => Err(error),
        };
        match loaded {
            // A page that this run does not use.
            Ok(stored) => assert_eq!(stored.journal, journal, "page {page}"),
            Err(error) => {
                assert_eq!(
                    error.kind(),
                    StoreErrorKind::Damaged,
                    "page {page}: {error}"
                );
                found += 1;
            }
        }
        content[page * 4096..][..4096].copy_from_slice(&saved);
    }
    assert!(found > pages / 2, "{found} of {pages}");
}

#[tokio::test]
async fn what_somebody_else_wrote_into_a_journal_is_an_error_and_not_a_gap() {
    let place = Place::new();
    let (run, _) = place.filled(3).await;
    let changed = place
        .raw()
        .execute(
            "UPDATE journal SET event = '{\"type\":\"job_re' WHERE seq = 2",
            [],
        )
        .unwrap();
    assert_eq!(changed, 1);
    let error = place.open().load(run).await.expect_err("unreadable");
    let words = place.read(&error).replace(&run.to_string(), "RUN");
    insta::assert_snapshot!(words, @r"
    Damaged: the run store `DIR/runs.db` is damaged: an event of the run `RUN` cannot be read: EOF while parsing a string at line 1 column 15
    hint: nothing was changed; bring the file back from a copy, or move it away to begin a new store
    ");
}

#[tokio::test]
async fn the_version_changes_with_whatever_is_written_and_with_nothing_else() {
    let place = Place::new();
    let (run, _) = place.filled(1).await;
    let (store, other) = (place.open(), place.open());
    let version = async || store.version().await.expect("readable").expect("it tells");
    let first = version().await;
    store.load(run).await.expect("there");
    assert_eq!(version().await, first);
    assert!(store.set_mark("k", None, "v").await.expect("writable"));
    let second = version().await;
    assert_ne!(second, first);
    assert!(other.set_mark("k", Some("v"), "w").await.expect("writable"));
    let third = version().await;
    assert_ne!(third, second);
    assert_eq!(version().await, third);
}
