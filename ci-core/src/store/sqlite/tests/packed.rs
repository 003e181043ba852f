//! A store in a directory that its own process packs: it keeps its locks.

use std::fs;
use std::process::Command;

use super::kit::{Place, fill};
use crate::archive::{PackRoot, pack};
use crate::id::RunId;
use crate::store::contract::kit::{created, elsewhere};
use crate::store::{RunStore, SqliteStore};

/// Not a test by itself: another process that has a short look at the store.
#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn a_process_that_reads() {
    let store = SqliteStore::open(std::env::var("CI_CORE_TEST_STORE").unwrap()).unwrap();
    let run = std::env::var("CI_CORE_TEST_RUN").unwrap().parse().unwrap();
    let events: usize = std::env::var("CI_CORE_TEST_EVENTS")
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(store.load(run).await.unwrap().journal.len(), events);
}

/// Has another process open the store, find so many events, and close it.
fn another_process_reads(place: &Place, run: RunId, events: usize) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "store::sqlite::tests::packed::a_process_that_reads",
        ])
        .env("CI_CORE_TEST_STORE", place.path())
        .env("CI_CORE_TEST_RUN", run.to_string())
        .env("CI_CORE_TEST_EVENTS", events.to_string())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "it found other than {events} events");
}

fn packed(root: PackRoot) -> Vec<String> {
    let mut bytes = Vec::new();
    pack(&[root], &mut bytes).unwrap();
    let mut archive = tar::Archive::new(&*bytes);
    let entries = archive.entries().unwrap();
    let names = entries.map(|entry| entry.unwrap().path().unwrap().display().to_string());
    names.collect()
}

async fn keeps_its_locks(root: impl FnOnce(&Place) -> PackRoot, expected: &[&str]) {
    let place = Place::new();
    fs::write(place.dir.path().join("file"), "of the project").unwrap();
    let store = place.open();
    let run = created(&store, &elsewhere("a")).await;
    fill(&store, run, 1..=3).await.expect("room");
    assert_eq!(packed(root(&place)), expected);
    another_process_reads(&place, run, 3);
    let log = place.dir.path().join("runs.db-wal");
    assert!(log.exists(), "the log that this process writes is gone");
    fill(&store, run, 4..=6).await.expect("room");
    another_process_reads(&place, run, 6);
    drop(store);
    let names = packed(PackRoot::new("", place.dir.path()).include(["runs.*"]));
    assert_eq!(names, ["runs.db"], "nobody holds it any more");
}

#[tokio::test]
async fn an_open_store_in_a_packed_directory() {
    keeps_its_locks(|place| PackRoot::new("", place.dir.path()), &["file"]).await;
}

#[tokio::test]
async fn an_open_store_that_is_named_to_be_packed() {
    let root = |place: &Place| PackRoot::new("", place.dir.path()).include(["runs.*"]);
    keeps_its_locks(root, &[]).await;
}

#[cfg(unix)]
#[tokio::test]
async fn an_open_store_under_other_names() {
    let around = tempfile::tempdir().unwrap();
    let root = |place: &Place| {
        let dir = place.dir.path();
        for ending in ["", "-wal", "-shm"] {
            let copy = dir.join(format!("copy{ending}"));
            fs::hard_link(dir.join(format!("runs.db{ending}")), copy).unwrap();
        }
        let link = around.path().join("link");
        std::os::unix::fs::symlink(dir, &link).unwrap();
        PackRoot::new("", link)
    };
    keeps_its_locks(root, &["file"]).await;
}
