//! Trees that a job was given and left untouched serve the next one, and no others do.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;
use crate::step::{Action, CheckoutSpec, StepSpec};

/// A job with a directory of its own to work in.
fn own_dir() -> JobSpec {
    JobSpec::new("job").step(StepSpec::new(Action::Checkout(CheckoutSpec::default())))
}

/// Has a job make the tree `key`, as a checkout does, and then run `script`.
async fn job_with(place: &Place, key: &str, script: &str) {
    let session = place.session_of(&own_dir()).await;
    let work = PathBuf::from(&session.info().work_dir);
    let kept = session.kept_trees().unwrap();
    if kept.take(key, &work) {
        assert!(work.join("a/b/file").exists());
    } else {
        make(&work);
        kept.note(key, &work, "a/except");
    }
    sh(&*session, script).await;
    session.teardown().await.unwrap();
    assert!(!work.join("a").exists(), "it is put by or removed");
}

fn make(work: &Path) {
    fs::create_dir_all(work.join("a/b")).unwrap();
    fs::write(work.join("a/b/file"), "one").unwrap();
    fs::write(work.join("a/other"), "two").unwrap();
    std::os::unix::fs::symlink("file", work.join("a/b/link")).unwrap();
}

/// The number of the file in the kept tree `key`, if there is such a tree; it is used up.
async fn kept(place: &Place, key: &str) -> Option<u64> {
    let session = place.session_of(&own_dir()).await;
    let work = PathBuf::from(&session.info().work_dir);
    let taken = session.kept_trees().unwrap().take(key, &work);
    let file = fs::metadata(work.join("a/b/file")).map(|metadata| metadata.ino());
    assert_eq!(taken, file.is_ok());
    if taken {
        assert_eq!(sh(&*session, "cat a/b/link a/other").await, "onetwo");
        sh(&*session, "touch used-up").await;
    }
    session.teardown().await.unwrap();
    file.ok()
}

#[tokio::test]
async fn what_is_only_read_serves_again_and_again() {
    let place = Place::new();
    job_with(&place, "k", "cat a/b/file a/other; ls -R; test -d a/b").await;
    let mut entries = fs::read_dir(place.dir.path().join("root")).unwrap();
    let run_dir = entries.find_map(|entry| Some(entry.ok()?.path()).filter(|path| path.is_dir()));
    let run_dir = run_dir.unwrap();
    let number = fs::metadata(run_dir.join("kept/0/a/b/file")).unwrap().ino();
    job_with(&place, "k", "cat a/b/file").await;
    assert_eq!(kept(&place, "another").await, None, "is another tree");
    assert_eq!(kept(&place, "k").await, Some(number), "the very same");
    assert_eq!(kept(&place, "k").await, None, "was used up");
}

#[tokio::test]
async fn what_does_not_count_may_change() {
    let place = Place::new();
    job_with(&place, "k", "true").await;
    let session = place.session_of(&own_dir()).await;
    let work = PathBuf::from(&session.info().work_dir);
    assert!(session.kept_trees().unwrap().take("k", &work));
    fs::create_dir(work.join("except")).unwrap();
    session.teardown().await.unwrap();
    assert_eq!(kept(&place, "k").await, None, "this is another one");

    let session = place.session_of(&own_dir()).await;
    let work = PathBuf::from(&session.info().work_dir);
    make(&work);
    fs::create_dir(work.join("a/except")).unwrap();
    session.kept_trees().unwrap().note("k", &work, "a/except");
    sh(&*session, "touch a/except/new").await;
    session.teardown().await.unwrap();
    assert!(kept(&place, "k").await.is_some());
}

#[tokio::test]
async fn what_was_touched_in_any_way_does_not() {
    for touch in [
        "echo 1ne > a/b/file",
        // The same size and time as before.
        "cp -p a/b/file ../x; echo -n two > a/b/file; touch -r ../x a/b/file; rm ../x",
        "chmod +x a/other",
        "chmod 700 a/b",
        "rm a/other",
        "mv a/b/file a/b/moved",
        "mv a/other . && mv other a/other",
        "ln -sf other a/b/link",
        "ln a/other $HOME/name && rm $HOME/name",
        // The same, with another name left behind.
        "cp -p a/other ../x; ln a/other $HOME/name; echo -n owt > a/other; touch -r ../x a/other; rm ../x",
        "touch new",
        "mkdir a/b/c && rmdir a/b/c",
        "touch a/b",
        "cp a/other copy && mv copy a/other",
        "(sleep 0.05; echo late >> a/other) & wait",
    ] {
        let place = Place::new();
        job_with(&place, "k", touch).await;
        assert_eq!(kept(&place, "k").await, None, "{touch}");
    }
}

#[tokio::test]
async fn objects_that_others_have_names_of_do_not_count() {
    let place = Place::new();
    let outside = place.dir.path().join("object");
    fs::write(&outside, "x").unwrap();
    let session = place.session_of(&own_dir()).await;
    let work = PathBuf::from(&session.info().work_dir);
    make(&work);
    fs::create_dir(work.join("objects")).unwrap();
    fs::hard_link(&outside, work.join("objects/object")).unwrap();
    session.kept_trees().unwrap().note("k", &work, "objects");
    sh(&*session, "true").await;
    fs::hard_link(&outside, place.dir.path().join("another")).unwrap();
    session.teardown().await.unwrap();
    let number = kept(&place, "k").await;
    assert!(number.is_some(), "a name elsewhere is no change");
}

#[tokio::test]
async fn what_comes_after_a_command_or_lies_elsewhere_is_not_kept() {
    let place = Place::new();
    let session = place.session_of(&own_dir()).await;
    let work = PathBuf::from(&session.info().work_dir);
    sh(&*session, "true").await;
    make(&work);
    session.kept_trees().unwrap().note("k", &work, "");
    session.teardown().await.unwrap();
    assert_eq!(kept(&place, "k").await, None);

    let session = place.session_of(&own_dir()).await;
    make(&place.project());
    session
        .kept_trees()
        .unwrap()
        .note("k", &place.project(), "");
    session.teardown().await.unwrap();
    assert_eq!(kept(&place, "k").await, None);
    assert!(place.project().join("a/b/file").exists());
}

#[tokio::test]
async fn a_tree_does_not_take_the_place_of_files() {
    let place = Place::new();
    job_with(&place, "k", "true").await;
    let session = place.session_of(&own_dir()).await;
    let work = PathBuf::from(&session.info().work_dir);
    fs::write(work.join("mine"), "").unwrap();
    assert!(!session.kept_trees().unwrap().take("k", &work));
    assert!(work.join("mine").exists());
    session.teardown().await.unwrap();
    assert!(kept(&place, "k").await.is_some(), "it is still there");
}

#[tokio::test]
async fn nothing_is_left_when_the_run_has_ended() {
    let place = Place::new();
    job_with(&place, "k", "true").await;
    let report = place.executor.settle(place.run).await.unwrap();
    assert!(report.left.is_empty());
    assert_eq!(kept(&place, "k").await, None);
    drop(place.executor);
    let left: Vec<_> = fs::read_dir(place.dir.path().join("root"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "only the lock stays: {left:?}");
}

#[tokio::test]
async fn the_kept_directory_is_as_private_as_before() {
    let place = Place::new();
    job_with(&place, "k", "true").await;
    let session = place.session_of(&own_dir()).await;
    let work = PathBuf::from(&session.info().work_dir);
    assert!(session.kept_trees().unwrap().take("k", &work));
    assert_eq!(
        fs::metadata(&work).unwrap().permissions().mode() & 0o777,
        0o700
    );
    session.teardown().await.unwrap();
}
