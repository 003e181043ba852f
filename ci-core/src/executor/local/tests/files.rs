//! Directories and files: where a job works, its home, trees in and out.

use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::session::{CopyRoot, SessionErrorKind, TreeSelection};
use crate::step::{Action, CheckoutSpec, StepSpec};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn the_home_is_private_and_goes_away() {
    let place = Place::new();
    let session = place.session().await;
    let home = PathBuf::from(&session.info().home);
    assert_ne!(Some(&home), std::env::home_dir().as_ref());
    let tmp = sh(&*session, "mkdir ~/.cache; touch ~/.cache/x; mktemp").await;
    let tmp = PathBuf::from(tmp.trim_end());
    assert_eq!(mode(&home), 0o700);
    assert!(home.join(".cache/x").exists());
    assert_eq!(tmp.parent().unwrap().parent(), home.parent());
    session.teardown().await.unwrap();
    assert!(!home.exists());
    assert!(!tmp.exists());
}

#[tokio::test]
async fn a_job_may_keep_the_home_of_the_user() {
    let place = Place::new();
    let job = JobSpec::new("job").with(|options| options.private_home = Some(false));
    let session = place.session_of(&job).await;
    let home = std::env::home_dir().unwrap();
    assert_eq!(session.info().home, home.to_str().unwrap());
    assert_eq!(
        sh(&*session, "echo $HOME").await.trim_end(),
        home.to_str().unwrap()
    );
    session.teardown().await.unwrap();
    assert!(home.exists());
}

#[tokio::test]
async fn the_working_directory_is_made() {
    let place = Place::new();
    let job =
        JobSpec::new("job").with(|options| options.working_dir = Some("~/project/app".into()));
    let session = place.session_of(&job).await;
    let dir = session.info().resolve("~/project/app");
    assert!(Path::new(&dir).is_dir());
    session.teardown().await.unwrap();
    assert!(!Path::new(&dir).exists());
}

#[tokio::test]
async fn a_job_works_in_the_project_unless_it_checks_it_out() {
    let place = Place::new();
    let project = place.project().canonicalize().unwrap();
    let here = place.session().await;
    assert_eq!(
        sh(&*here, "pwd -P").await.trim_end(),
        project.to_str().unwrap()
    );
    here.teardown().await.unwrap();

    let checkout = Action::Checkout(CheckoutSpec::default());
    let job = JobSpec::new("job").step(StepSpec::new(checkout));
    let own = place.session_of(&job).await;
    let dir = PathBuf::from(&own.info().work_dir);
    assert_eq!(own.info().host_work_dir.as_deref(), Some(&*dir));
    assert_ne!(dir, project);
    assert!(fs::read_dir(&dir).unwrap().next().is_none());
    sh(&*own, "touch file").await;
    assert!(dir.join("file").exists());
    own.teardown().await.unwrap();
    assert!(!dir.exists());
    assert!(project.exists());
}

#[tokio::test]
async fn the_place_can_be_decided_for_all_jobs() {
    let place = Place::with(LocalExecutor::isolated);
    let session = place.session().await;
    assert_ne!(session.info().work_dir, place.project().to_str().unwrap());
    session.teardown().await.unwrap();
    let place = Place::with(LocalExecutor::in_place);
    let checkout = Action::Checkout(CheckoutSpec::default());
    let job = JobSpec::new("job").step(StepSpec::new(checkout));
    let session = place.session_of(&job).await;
    assert_eq!(session.info().work_dir, place.project().to_str().unwrap());
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn a_session_without_commands_makes_no_directory() {
    let place = Place::new();
    let session = place.session().await;
    session.teardown().await.unwrap();
    assert!(!place.dir.path().join("root").exists());
}

#[tokio::test]
async fn nothing_of_a_run_is_left_when_the_executor_is_gone() {
    let place = Place::new();
    for _ in 0..3 {
        let session = place.session().await;
        sh(&*session, "true").await;
        session.teardown().await.unwrap();
    }
    let Place { dir, executor, .. } = place;
    drop(executor);
    let left: Vec<_> = fs::read_dir(dir.path().join("root")).unwrap().collect();
    assert_eq!(left.len(), 1, "only the lock: {left:?}");
}

#[tokio::test]
async fn trees_keep_modes_and_links_on_their_way() {
    let place = Place::new();
    let session = place.session().await;
    let from = place.project().join("from");
    fs::create_dir_all(from.join("sub/deep")).unwrap();
    fs::write(from.join("sub/tool"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(from.join("sub/tool"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::write(from.join("sub/deep/left-out"), "x").unwrap();
    fs::write(from.join("other"), "x").unwrap();
    symlink("sub/tool", from.join("link")).unwrap();
    let root = CopyRoot::new("p", "from")
        .include("sub")
        .include("link")
        .exclude("**/left-out");
    let tree = session
        .copy_out(&TreeSelection::default().root(root))
        .await
        .unwrap();
    session.copy_in(tree, "~/to").await.unwrap();
    let to = Path::new(&session.info().home).join("to/p");
    assert_eq!(mode(&to.join("sub/tool")), 0o750);
    assert_eq!(
        fs::read_link(to.join("link")).unwrap(),
        Path::new("sub/tool")
    );
    assert!(to.join("sub/deep").is_dir());
    assert!(!to.join("sub/deep/left-out").exists());
    assert!(!to.join("other").exists());
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_cannot_be_copied_and_no_match_is_an_empty_archive() {
    let place = Place::new();
    let session = place.session().await;
    let error = session
        .copy_out(&TreeSelection::all("none"))
        .await
        .err()
        .unwrap();
    assert_eq!(error.kind(), SessionErrorKind::NotFound);
    let root = CopyRoot::new("", ".").include("*.none");
    let mut tree = session
        .copy_out(&TreeSelection::default().root(root))
        .await
        .unwrap();
    let mut bytes = Vec::new();
    tree.read_to_end(&mut bytes).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 0));
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn an_archive_that_climbs_out_is_refused_by_name() {
    let place = Place::new();
    let session = place.session().await;
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..9].copy_from_slice(b"../escape");
    header.set_size(1);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(&[b'x'; 1]);
    bytes.resize(512 * 4, 0);
    let tree = Box::new(std::io::Cursor::new(bytes));
    let error = session.copy_in(tree, "in").await.unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Refused);
    assert!(error.to_string().contains("../escape"), "{error}");
    assert!(!place.project().join("escape").exists());
    session.teardown().await.unwrap();
}
