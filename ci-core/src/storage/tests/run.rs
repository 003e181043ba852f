//! What the jobs of a run hand down and keep.

use std::fs;
use std::io::Read as _;

use super::*;
use crate::archive::raw::symlink;
use crate::storage::workspace::Conflict;

fn names(jobs: &[&str]) -> Vec<Arc<str>> {
    jobs.iter().map(|&job| job.into()).collect()
}

#[test]
fn jobs_that_do_not_know_each_other_and_disagree_are_a_conflict() {
    let (_temp, storage) = storage();
    let run = RunId::new();
    let add = |job: &str, upstream: &[&str], files: &[Vec<u8>]| {
        let bytes = archive(files);
        let source = source(run, job, upstream);
        storage.persist_layer(&source, &*bytes, |_| {}).unwrap();
    };
    add(
        "base",
        &[],
        &[file("shared", "1"), file("d/x", "1"), symlink("l", "x")],
    );
    add(
        "left",
        &["base"],
        &[file("shared", "2"), file("d/x", "left"), file("same", "s")],
    );
    add(
        "right",
        &["base"],
        &[file("d/x", "right"), file("same", "s"), symlink("l", "y")],
    );
    let order = ["base", "left", "silent", "right"];
    let workspace = storage.workspace(run, &names(&order)).unwrap();
    let jobs: Vec<_> = workspace
        .layers
        .iter()
        .map(|(job, _)| job.as_str())
        .collect();
    assert_eq!(jobs, ["base", "left", "right"]);
    let expected = Conflict {
        path: "d/x".to_owned(),
        earlier: "left".to_owned(),
        later: "right".to_owned(),
    };
    assert_eq!(workspace.conflicts, [expected]);
    add("join", &["base", "left", "right"], &[file("d/x", "joined")]);
    let order = ["base", "left", "right", "join"];
    assert_eq!(
        storage
            .workspace(run, &names(&order))
            .unwrap()
            .conflicts
            .len(),
        1
    );
}

#[test]
fn an_attempt_replaces_the_layers_of_the_one_before() {
    let (_temp, storage) = storage();
    let (run, rerun) = (RunId::new(), RunId::new());
    let add = |attempt, step, content: &str| {
        let source = LayerSource {
            attempt,
            step,
            ..source(run, "job", &[])
        };
        let bytes = archive(&[file("f", content)]);
        storage.persist_layer(&source, &*bytes, |_| {}).unwrap();
    };
    let count = |run| {
        storage
            .workspace(run, &names(&["job"]))
            .unwrap()
            .layers
            .len()
    };
    add(1, 0, "a");
    add(1, 1, "b");
    add(1, 1, "c");
    assert_eq!(count(run), 2);
    add(2, 1, "d");
    assert_eq!(count(run), 1);
    storage.copy_workspace(run, rerun, "job").unwrap();
    storage.copy_workspace(run, rerun, "no such job").unwrap();
    storage.remove_run(run).unwrap();
    assert_eq!((count(run), count(rerun)), (0, 1));
    let layers = storage.workspace(rerun, &names(&["job"])).unwrap().layers;
    assert!(storage.open_layer(&layers[0].1).is_ok());
}

#[test]
fn artifacts_whose_masked_names_are_alike_get_numbers() {
    let (temp, storage) = storage();
    let run = RunId::new();
    for content in ["one", "two", "two"] {
        keep(&storage, run, 1, &[file("***.tar.gz", content)]);
    }
    keep(&storage, run, 1, &[file(".***", "a"), file("d.d/***", "b")]);
    keep(&storage, run, 1, &[file(".***", "c"), file("d.d/***", "d")]);
    let listed = storage.artifacts(run, None).unwrap();
    let paths: Vec<_> = listed.iter().map(|one| one.path.as_str()).collect();
    let expected = [
        "out/***.tar-2.gz",
        "out/***.tar-3.gz",
        "out/***.tar.gz",
        "out/.***",
        "out/.***-2",
        "out/d.d/***",
        "out/d.d/***-2",
    ];
    assert_eq!(paths, expected);
    let dest = temp.path().join("export");
    let written = storage.export(run, "job", &dest).unwrap();
    let read = |path| fs::read_to_string(path).unwrap();
    let contents: Vec<String> = written.iter().map(read).collect();
    assert_eq!(contents, ["two", "two", "one", "a", "c", "b", "d"]);
}

#[test]
fn artifacts_are_kept_listed_read_and_exported() {
    let (temp, storage) = storage();
    let run = RunId::new();
    let left_out = keep(
        &storage,
        run,
        1,
        &[
            file("d/x", "one"),
            symlink("latest", "d/x"),
            symlink("gone", "/etc/passwd"),
        ],
    );
    assert_eq!(left_out, ["gone"]);
    keep(&storage, run, 2, &[file("d/x", "two"), file("y", "why")]);
    keep(&storage, run, 2, &[file("y", "because")]);
    let listed = storage.artifacts(run, Some("job")).unwrap();
    let paths: Vec<_> = listed
        .iter()
        .map(|one| (one.path.as_str(), one.bytes))
        .collect();
    assert_eq!(paths, [("out/d/x", 3), ("out/y", 7)]);
    assert_eq!(storage.artifacts(run, None).unwrap(), listed);
    assert_eq!(
        storage.artifacts_of_all_attempts(run, None).unwrap().len(),
        4
    );
    let mut text = String::new();
    let mut reader = storage.open_artifact(&listed[1].digest).unwrap();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "because");
    let dest = temp.path().join("export");
    let written = storage.export(run, "job", &dest).unwrap();
    assert_eq!(written, [dest.join("out/d/x"), dest.join("out/y")]);
    assert_eq!(fs::read_to_string(&written[0]).unwrap(), "two");
    let path = storage.object_path(&listed[1].digest).unwrap();
    fs::write(path, "becausE").unwrap();
    let mut reader = storage.open_artifact(&listed[1].digest).unwrap();
    assert!(reader.read_to_string(&mut String::new()).is_err());
}
