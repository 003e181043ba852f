//! Handing files down from job to job.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::kit::{Done, Job, storage, words};
use crate::event::StoredKind;
use crate::id::RunId;
use crate::step::WorkspaceSpec;
use crate::steps::{AttachWorkspace, PersistWorkspace};

fn persist(root: &str, paths: &[&str]) -> PersistWorkspace {
    PersistWorkspace(WorkspaceSpec {
        root: root.to_owned(),
        paths: words(paths),
        ..WorkspaceSpec::default()
    })
}

fn attach(root: &str) -> AttachWorkspace {
    AttachWorkspace(WorkspaceSpec {
        root: root.to_owned(),
        ..WorkspaceSpec::default()
    })
}

#[tokio::test]
async fn later_jobs_win_and_strangers_conflict() {
    let (_temp, storage) = storage();
    let run = RunId::new();
    let new = |name: &str, upstream: &[&str]| {
        let mut job = Job::new(run, name, &storage);
        job.upstream = upstream.iter().map(|&job| job.into()).collect();
        job
    };
    let base = new("base", &[]);
    base.machine.write("out/lib/a", "base");
    base.machine.write("out/lib/b", "base");
    base.machine.write("out/skipped", "x");
    let done = base.run(persist("out", &["lib", "*.none"])).await.ok();
    assert_eq!(done.stored(), [(StoredKind::Workspace, "out")]);
    assert_eq!(
        done.warnings(),
        ["there is no `*.none` to add to the workspace"]
    );
    for name in ["left", "right"] {
        let job = new(name, &["base"]);
        job.machine.write("~/ws/lib/b", name);
        job.machine.write("~/ws/lib/same", "same");
        job.run(persist("~/ws", &["~/ws/lib"])).await.ok();
    }
    let last = new("last", &["base", "left", "right"]);
    last.machine.write("deep/ws/lib/a", "in the way");
    let done = last.run(attach("deep/ws")).await.ok();
    let read = |path: &str| done.machine.read(path).unwrap();
    assert_eq!(read("deep/ws/lib/a"), "base");
    assert_eq!(read("deep/ws/lib/b"), "right");
    assert_eq!(read("deep/ws/lib/same"), "same");
    assert_eq!(done.machine.read("deep/ws/skipped"), None);
    let [warning] = done.warnings()[..] else {
        panic!("{:?}", done.warnings());
    };
    for word in ["`left`", "`right`", "`lib/b`"] {
        assert!(warning.contains(word), "{warning}");
    }
    let mut chosen = attach("ws");
    chosen.0.from = words(&["left"]);
    let done = new("chosen", &["base", "left", "right"])
        .run(chosen)
        .await
        .ok();
    assert_eq!(done.machine.read("ws/lib/b").as_deref(), Some("left"));
    assert_eq!(done.machine.read("ws/lib/a"), None);
    let first = new("first", &[]).run(attach(".")).await.ok();
    assert!(
        first.said.contains("no job before this one"),
        "{}",
        first.said
    );
}

async fn failing(root: &str, paths: &[&str]) -> Done {
    let (_temp, storage) = storage();
    let job = Job::new(RunId::new(), "job", &storage);
    job.machine.write("ws/x", "x");
    job.run(persist(root, paths)).await
}

#[tokio::test]
async fn what_cannot_be_added_fails_the_step() {
    for (root, paths, words) in [
        ("ws", &["y", "z"][..], "nothing below `ws` matches `y`, `z`"),
        (
            "none",
            &["x"],
            "the root `none` of the workspace does not exist",
        ),
        ("ws", &["../other"], "`../other` is not below the root `ws`"),
        (
            "ws",
            &["/etc/passwd"],
            "`/etc/passwd` is not below the root `ws`",
        ),
    ] {
        let done = failing(root, paths).await;
        assert!(done.failure().contains(words), "{}", done.failure());
    }
}

#[tokio::test]
async fn the_working_directory_of_the_job_counts() {
    let (_temp, storage) = storage();
    let run = RunId::new();
    let mut job = Job::new(run, "job", &storage);
    job.spec = job
        .spec
        .with(|options| options.working_dir = Some("sub".to_owned()));
    job.machine.write("sub/out/x", "x");
    job.run(persist("out", &["x"])).await.ok();
    let mut next = Job::new(run, "next", &storage);
    next.upstream = vec!["job".into()];
    let done = next.run(attach(".")).await.ok();
    assert_eq!(done.machine.read("x").as_deref(), Some("x"));
}

#[tokio::test]
async fn what_is_excluded_is_not_handed_down() {
    let (_temp, storage) = storage();
    let run = RunId::new();
    let first = Job::new(run, "first", &storage);
    for file in ["out/a", "out/b", "out/deep/c", "out/deep/d"] {
        first.machine.write(file, "x");
    }
    let PersistWorkspace(mut spec) = persist(".", &["out"]);
    spec.exclude = words(&["out/b", "out/deep", "out/deep/**"]);
    first.run(PersistWorkspace(spec)).await.ok();
    let mut second = Job::new(run, "second", &storage);
    second.upstream = vec!["first".into()];
    let done = second.run(attach(".")).await.ok();
    let found = |path: &str| done.machine.read(path).is_some();
    assert!(found("out/a"));
    assert!(!found("out/b") && !found("out/deep/c") && !found("out/deep/d"));
}

#[tokio::test]
async fn no_link_is_made_through_another_link() {
    let (temp, storage) = storage();
    let outside = temp.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let run = RunId::new();
    let first = Job::new(run, "first", &storage);
    first.machine.write("w/file", "x");
    symlink(&outside, first.machine.path("w/link")).unwrap();
    first.run(persist(".", &["w"])).await.ok();
    let second = Job::new(run, "second", &storage);
    second.machine.write("w/link/y", "y");
    symlink("/etc/passwd", second.machine.path("w/link/x")).unwrap();
    second.run(persist(".", &["w/link/x"])).await.ok();

    let attached = |from: &[&str]| {
        let mut job = Job::new(run, "last", &storage);
        job.upstream = from.iter().map(|&name| name.into()).collect();
        job
    };
    let refused = "the entry `w/link/x` was refused: it goes through the symbolic link `w/link`";
    let both = attached(&["first", "second"]).run(attach("in")).await;
    assert_eq!(both.result.unwrap_err().to_string(), refused);
    // The same where the link was there before.
    let planted = attached(&["second"]);
    planted.machine.write("in/w/other", "x");
    symlink(&outside, planted.machine.path("in/w/link")).unwrap();
    let planted = planted.run(attach("in")).await;
    assert_eq!(planted.result.unwrap_err().to_string(), refused);
    assert_eq!(outside.read_dir().unwrap().count(), 0);

    // Alone each of them is what it was, also in the place of what stands there.
    let alone = attached(&["second"]);
    alone.machine.write("in/w/link/x", "in the way");
    let done = alone.run(attach("in")).await.ok();
    let made = std::fs::read_link(done.machine.path("in/w/link/x")).unwrap();
    assert_eq!(made, Path::new("/etc/passwd"));
    let again = attached(&["first"]);
    again.machine.write("in/w/link/x", "in the way");
    let error = again.run(attach("in")).await.result.unwrap_err();
    let words = error.to_string();
    assert_eq!(words, "could not make the symbolic link `w/link`");
    let again = attached(&["first"]);
    std::fs::create_dir_all(again.machine.path("in/w/link")).unwrap();
    let done = again.run(attach("in")).await.ok();
    let made = std::fs::read_link(done.machine.path("in/w/link")).unwrap();
    assert_eq!(made, outside);
}
