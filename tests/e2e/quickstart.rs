//! The README's first command.

use std::path::Path;

use crate::support::{Project, job};

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("created");
    for entry in std::fs::read_dir(from).expect("a directory").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn quickstart() -> Project {
    let project = Project::new("");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/pipelines/quickstart");
    copy(&source, project.path());
    project
}

#[test]
fn the_quickstart_runs_and_its_second_run_finds_the_cache() {
    let project = quickstart();
    let first = project.ci(&["run", "--format", "json"]).ok();
    let finished = first.finished();
    assert_eq!(finished["outcome"], "success");
    let names = ["lint", "test 1/2", "test 2/2", "build", "smoke", "clean"];
    for name in names {
        assert_eq!(job(&finished, name)["outcome"], "success", "{name}");
    }
    assert_eq!(finished["jobs"].as_array().map(Vec::len), Some(names.len()));
    let missed = |done: &crate::support::Done, kind: &str| {
        done.events()
            .iter()
            .any(|event| event["type"] == "stored" && event["kind"] == kind)
    };
    assert!(missed(&first, "cache_missed"));
    let second = project.ci(&["run", "--format", "json"]).ok();
    assert!(missed(&second, "cache_restored"));
    assert!(!missed(&second, "cache_missed"));
}

#[test]
fn what_the_quickstart_kept_can_be_listed_and_copied_out() {
    let project = quickstart();
    project.ci(&["run", "-q"]).ok();
    let artifacts = project
        .ci(&["artifacts", "last", "--format", "json"])
        .ok()
        .json();
    let paths: Vec<&str> = artifacts["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|artifact| artifact["path"].as_str().expect("a path"))
        .collect();
    assert!(paths.contains(&"out/greet.tar"), "{paths:?}");
    project
        .ci(&["artifacts", "last", "build", "-o", "kept"])
        .ok();
    let kept = walk(&project.path().join("kept"));
    assert!(
        kept.iter().any(|path| path.ends_with("greet.tar")),
        "{kept:?}"
    );
    let logs = project.ci(&["logs", "last", "smoke"]).ok();
    assert!(logs.stdout.contains("hello, world"), "{}", logs.stdout);
    let caches = project
        .ci(&["cache", "list", "--format", "json"])
        .ok()
        .json();
    let key = caches["data"][0]["key"].as_str().expect("a key").to_owned();
    project.ci(&["cache", "rm", &key]).ok();
    assert_eq!(
        project
            .ci(&["cache", "list", "--format", "json"])
            .ok()
            .json()["total"],
        0
    );
    project.ci(&["cache", "rm", &key]).exits(2);
}

fn walk(dir: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            files.extend(walk(&entry.path()));
        } else {
            files.push(entry.path().display().to_string());
        }
    }
    files
}
