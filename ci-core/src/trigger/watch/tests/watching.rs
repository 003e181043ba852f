//! Watching with a store: over restarts, by several processes, of several repositories.

use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use super::git;
use crate::store::{MemoryStore, OwnerId, RunStore};
use crate::vcs::tests::repo::TestRepo;

/// The longest to wait for the file system.
const SOON: Duration = Duration::from_mins(1);

fn store() -> Arc<dyn RunStore> {
    Arc::new(MemoryStore::new())
}

fn watcher(store: &Arc<dyn RunStore>, repos: &[&TestRepo]) -> CommitWatcher {
    let mut watcher = CommitWatcher::new(Arc::clone(store));
    for repo in repos {
        watcher.add(repo.dir.path()).unwrap();
    }
    watcher
}

/// What is there now, not yet done with.
async fn all(watcher: &mut CommitWatcher) -> Vec<Found> {
    let mut found = Vec::new();
    while let Some(next) = watcher.try_next().await.unwrap() {
        found.push(next);
    }
    found
}

fn commits(found: &[Found]) -> Vec<String> {
    found.iter().map(|it| it.change.commit.clone()).collect()
}

#[tokio::test]
async fn what_nobody_was_done_with_comes_again_after_a_crash() {
    let (store, repo) = (store(), TestRepo::new());
    let mut first = watcher(&store, &[&repo]);
    // As a process that is gone by now.
    first.owner = OwnerId(
        first
            .owner
            .0
            .replacen(&format!(":{}:", std::process::id()), ":1:", 1)
            .into(),
    );
    assert_eq!(all(&mut first).await, []);
    let ids: Vec<String> = (0..5)
        .map(|number| repo.put("f", &number.to_string()).to_string())
        .collect();
    let found = all(&mut first).await;
    assert_eq!(commits(&found), ids);
    for done in &found[..2] {
        first.done(done).await.unwrap();
    }
    drop(first);
    let later = repo.put("f", "later").to_string();
    let mut second = watcher(&store, &[&repo]);
    let found = all(&mut second).await;
    assert_eq!(commits(&found), [&ids[2..], &[later]].concat());
    assert_eq!(all(&mut second).await, []);
    for done in &found {
        second.done(done).await.unwrap();
    }
    assert!(second.positions().of(&repo.root()).await.unwrap().is_done());
    assert_eq!(all(&mut watcher(&store, &[&repo])).await, []);
}

#[tokio::test]
async fn two_processes_share_what_they_find() {
    let (store, repo) = (store(), TestRepo::new());
    let (mut one, mut two) = (watcher(&store, &[&repo]), watcher(&store, &[&repo]));
    assert_eq!(all(&mut one).await, []);
    let ids: Vec<String> = (0..300)
        .map(|number| repo.put("f", &number.to_string()).to_string())
        .collect();
    let mut found = Vec::new();
    loop {
        let (first, second) = tokio::join!(one.try_next(), two.try_next());
        let (first, second) = (first.unwrap(), second.unwrap());
        if first.is_none() && second.is_none() {
            break;
        }
        found.extend(first.into_iter().chain(second));
    }
    found.sort_by_key(|it| it.change.number);
    assert_eq!(commits(&found), ids);
}

#[tokio::test]
async fn several_repositories_each_have_their_turn() {
    let (store, one, two) = (store(), TestRepo::new(), TestRepo::new());
    let mut watcher = watcher(&store, &[&one, &two]);
    assert_eq!(all(&mut watcher).await, []);
    for number in 0..3 {
        one.put("f", &number.to_string());
        two.put("f", &number.to_string());
    }
    let found = all(&mut watcher).await;
    let of = |repo: &TestRepo| {
        found
            .iter()
            .filter(|it| it.repository == repo.root())
            .count()
    };
    assert_eq!((found.len(), of(&one), of(&two)), (6, 3, 3));
}

#[tokio::test]
async fn trouble_with_one_repository_does_not_hide_the_others() {
    let (store, fine, broken) = (store(), TestRepo::new(), TestRepo::new());
    let mut watcher = watcher(&store, &[&broken, &fine]);
    assert_eq!(all(&mut watcher).await, []);
    let id = fine.put("f", "1").to_string();
    std::fs::remove_dir_all(broken.dir.path().join(".git")).unwrap();
    let found = watcher.try_next().await.unwrap().unwrap();
    assert_eq!(found.change.commit, id);
    let error = watcher.try_next().await.unwrap_err();
    assert!(error.to_string().contains("cannot be watched"), "{error}");
    // Once is enough.
    assert_eq!(watcher.try_next().await.unwrap(), None);
}

/// Adds commits to `main`, quickly.
fn import(repo: &TestRepo, count: usize) {
    use std::fmt::Write as _;
    use std::io::Write as _;

    let mut stream = String::new();
    for number in 0..count {
        let from = if number == 0 {
            "from refs/heads/main^0\n"
        } else {
            ""
        };
        write!(
            stream,
            "commit refs/heads/main\ncommitter A <a@b> {number} +0000\ndata 2\nc\n{from}M 644 inline f\n\
             data {}\n{number}\n",
            number.to_string().len(),
        )
        .unwrap();
    }
    let mut child = std::process::Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(repo.root())
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(stream.as_bytes()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn a_thousand_commits_pushed_at_once_are_all_seen() {
    let (store, work) = (store(), TestRepo::new());
    work.put("f", "0");
    let dir = tempfile::tempdir().unwrap();
    let bare = dir.path().join("bare.git");
    git(
        dir.path(),
        &[
            "clone",
            "-q",
            "--bare",
            &work.root().display().to_string(),
            "bare.git",
        ],
    );
    let mut watcher = CommitWatcher::new(Arc::clone(&store)).poll_every(Duration::from_hours(1));
    watcher.add(&bare).unwrap();
    assert_eq!(all(&mut watcher).await, []);
    let before = work.git.head().unwrap().target().unwrap();
    import(&work, 1000);
    let main = &["push", "-q", &bare.display().to_string(), "main"];
    git(&work.root(), main);
    let ids = git(
        &work.root(),
        &["rev-list", "--reverse", &format!("{before}..main")],
    );
    let ids: Vec<&str> = ids.lines().collect();
    assert_eq!(ids.len(), 1000);
    // Nothing but the file system tells that something came.
    for id in &ids {
        let found = tokio::time::timeout(SOON, watcher.next())
            .await
            .expect("an event")
            .unwrap();
        assert_eq!(found.change.commit, **id);
        watcher.done(&found).await.unwrap();
    }
    assert!(
        watcher
            .positions()
            .of(&bare.canonicalize().unwrap())
            .await
            .unwrap()
            .is_done()
    );
}

#[tokio::test]
async fn events_wake_the_watcher_and_so_does_time() {
    let (store, repo) = (store(), TestRepo::new());
    repo.put("f", "0");
    let mut by_event = watcher(&store, &[&repo]).poll_every(Duration::from_hours(1));
    assert_eq!(all(&mut by_event).await, []);
    let id = repo.put("f", "1").to_string();
    let found = tokio::time::timeout(SOON, by_event.next())
        .await
        .expect("an event")
        .unwrap();
    assert_eq!(found.change.commit, id);
    let mut by_time = CommitWatcher::new(Arc::clone(&store)).poll_every(Duration::from_millis(5));
    by_time.add(repo.dir.path()).unwrap();
    by_time.bell = events::Bell::new();
    let id = repo.put("f", "2").to_string();
    let found = tokio::time::timeout(SOON, by_time.next())
        .await
        .expect("a look")
        .unwrap();
    assert_eq!(found.change.commit, id);
}

#[test]
fn what_is_no_repository_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut watcher = CommitWatcher::new(store());
    assert!(watcher.add(dir.path()).is_err());
    assert!(watcher.add(&dir.path().join("nowhere")).is_err());
}
