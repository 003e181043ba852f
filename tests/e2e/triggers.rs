//! What starts runs, through `ci changed` and `ci watch`, with real repositories.

use serde_json::{Value, json};

use crate::support::{Project, until};

const GITLAB: &str = "build:\n  script: [echo \"$CI_COMMIT_BRANCH $CI_COMMIT_TAG\", cat note]\n";

/// A repository that GitLab's file is in, which has been looked at.
fn watched() -> Project {
    let project = Project::of_vendor(".gitlab-ci.yml", GITLAB);
    project.ci(&["watch", ".", "--once"]).ok();
    assert_eq!(runs(&project), [Value::Null; 0]);
    project
}

/// Writes and commits a file with a message.
fn put(project: &Project, file: &str, text: &str, message: &str) -> String {
    project.write(file, text);
    project.git(&["add", "-A", "--", ":!.state", ":!.storage"]);
    let author = ["-c", "user.name=a", "-c", "user.email=a@b"];
    project.git(&[&author[..], &["commit", "-qm", message]].concat());
    project.head()
}

/// All runs, oldest first.
fn runs(project: &Project) -> Vec<Value> {
    let page = project
        .ci(&["runs", "-n", "1000", "--format", "json"])
        .ok()
        .json();
    let mut runs = page["data"].as_array().expect("runs").clone();
    runs.reverse();
    runs
}

fn revisions(project: &Project) -> Vec<String> {
    let runs = runs(project);
    let text = |run: &Value| run["revision"].as_str().expect("a revision").to_owned();
    runs.iter().map(text).collect()
}

#[test]
fn changed_paths_tell_whether_only_documentation_changed() {
    let project = Project::of_vendor(".gitlab-ci.yml", GITLAB);
    project.write(".gitignore", ".state\n.storage\n");
    project.commit(".gitignore");
    project.git(&["branch", "base"]);
    let none = project
        .ci(&["changed", "--base", "base", "--docs-only"])
        .ok();
    assert_eq!(none.stdout, "");
    put(&project, "docs/a.txt", "a", "docs");
    put(&project, "README.md", "a", "docs");
    let docs = project
        .ci(&["changed", "--base", "base", "--docs-only"])
        .ok();
    assert_eq!(docs.stdout, "README.md\ndocs/a.txt\n");
    project
        .ci(&["changed", "--base", "base", "--docs-only", "*.md"])
        .exits(1);
    project
        .ci(&[
            "changed",
            "--base",
            "base",
            "--docs-only",
            "*.md",
            "docs/**",
        ])
        .ok();
    project.write("src/new.rs", "not committed");
    project
        .ci(&["changed", "--base", "base", "--docs-only"])
        .exits(1);
    project
        .ci(&["changed", "--base", "base", "--docs-only", "--committed"])
        .ok();
    let all = project
        .ci(&["changed", "--base", "base", "--format", "json"])
        .ok()
        .json();
    let expected = json!({
        "base": "base",
        "changed": ["README.md", "docs/a.txt", "src/new.rs"],
        "docs_only": null,
    });
    assert_eq!(all, expected);
    let told = project.ci(&["changed", "--base", "nope"]).exits(2).stderr;
    assert!(told.contains("`nope` is no revision"), "{told}");
    project
        .ci(&["changed", "--base", "base", "--docs-only", "["])
        .exits(2);
}

#[test]
fn every_commit_runs_what_the_repository_has_at_that_commit() {
    let project = watched();
    let one = put(&project, "note", "first\n", "one");
    let two = put(&project, "note", "second\n", "two");
    project.git(&["tag", "v1"]);
    project.ci(&["watch", ".", "--once"]).ok();
    assert_eq!(revisions(&project), [one.as_str(), &two, &two]);
    let log = |index: usize| {
        let id = runs(&project)[index]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        project.ci(&["logs", &id, "build"]).ok().stdout
    };
    let has = |index: usize, lines: [&str; 2]| {
        let log = log(index);
        assert!(lines.iter().all(|line| log.contains(line)), "{log}");
    };
    has(0, ["main \n", "first\n"]);
    has(1, ["main \n", "second\n"]);
    has(2, [" v1\n", "second\n"]);
    project.ci(&["watch", ".", "--once"]).ok();
    assert_eq!(runs(&project).len(), 3);
}

#[test]
fn commits_that_ask_for_no_run_or_are_filtered_have_none() {
    let project = watched();
    put(&project, "note", "1", "typo [skip ci]");
    let triggers = "on:\n  push: {branches: [main], paths: {ignore: ['docs/**']}}\n";
    let all = put(&project, ".ci/triggers.yml", triggers, "rules");
    put(&project, "docs/a", "1", "docs");
    project.git(&["checkout", "-qb", "other"]);
    put(&project, "note", "2", "elsewhere");
    project.git(&["tag", "v1"]);
    project.ci(&["watch", ".", "--once"]).ok();
    assert_eq!(revisions(&project), [all]);
}

#[test]
fn a_commit_whose_file_is_wrong_has_a_run_that_says_so() {
    let project = watched();
    let wrong = put(
        &project,
        ".gitlab-ci.yml",
        "build: {scirpt: [a]}\n",
        "wrong",
    );
    project.ci(&["watch", ".", "--once"]).exits(1);
    assert_eq!(revisions(&project), [wrong]);
    let told = project.ci(&["show", "last"]).ok().stdout;
    assert!(told.contains("script"), "{told}");
}

#[test]
fn a_bare_repository_and_its_force_pushes_are_watched() {
    let project = watched();
    let bare = tempfile::tempdir().expect("a directory");
    let url = bare.path().display().to_string();
    project.git(&["clone", "-q", "--bare", ".", &url]);
    project.ci(&["watch", &url, "--once"]).ok();
    put(&project, "note", "1", "one");
    project.git(&["push", "-q", &url, "main"]);
    project.ci(&["watch", &url, "--once"]).ok();
    project.git(&[
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "commit",
        "-q",
        "--amend",
        "-m",
        "uno",
    ]);
    project.git(&["push", "-q", "--force", &url, "main"]);
    project.ci(&["watch", &url, "--once"]).ok();
    assert_eq!(runs(&project).len(), 2);
    assert_eq!(revisions(&project)[1], project.head());
}

#[test]
fn schedules_run_with_their_arguments_and_make_up_for_a_missed_moment() {
    let project = Project::of_vendor(
        ".circleci/config.yml",
        "version: 2.1\nparameters: {suite: {type: enum, enum: [quick, all], default: quick}}\n\
         jobs: {test: {docker: [{image: a}], steps: [run: echo suite << pipeline.parameters.suite >>]}}\n\
         workflows: {w: {jobs: [test]}}\n",
    );
    let triggers =
        "on:\n  schedule:\n    - {name: nightly, cron: '0 0 1 1 *', arguments: {suite: all}}\n";
    put(&project, ".ci/triggers.yml", triggers, "schedule");
    let mark = |new: Option<&str>| -> Option<String> {
        let store = rusqlite::Connection::open(project.store()).ok()?;
        let of_schedule = "key LIKE 'schedule%nightly%'";
        if let Some(new) = new {
            let sql = format!("UPDATE marks SET value = ? WHERE {of_schedule}");
            store.execute(&sql, [new]).expect("a mark");
        }
        let sql = format!("SELECT value FROM marks WHERE {of_schedule}");
        store.query_row(&sql, [], |row| row.get(0)).ok()
    };
    let mut watch = project.spawn(&["watch", "."]);
    until("the schedule is known", || mark(None).is_some());
    watch.kill().expect("SIGKILL");
    watch.wait().expect("gone");
    assert_eq!(runs(&project).len(), 0);
    // As if the last look had been in 2020.
    mark(Some("1577900000000"));
    let mut watch = project.spawn(&["watch", "."]);
    until("the run of the schedule ended", || {
        runs(&project).iter().any(|run| run["outcome"] == "success")
    });
    watch.kill().expect("SIGKILL");
    watch.wait().expect("gone");
    assert_eq!(revisions(&project), [project.head()]);
    let log = project.ci(&["logs", "last", "test"]).ok().stdout;
    assert!(log.contains("suite all"), "{log}");
}

#[test]
fn a_signal_lets_what_runs_end_and_nothing_is_lost() {
    let project = watched();
    let slow = "build:\n  script: [touch \"$WAIT/begun\", 'while [ ! -e \"$WAIT/go\" ]; do sleep 0.05; done']\n";
    let outside = tempfile::tempdir().expect("a directory");
    let slow = slow.replace("$WAIT", &outside.path().display().to_string());
    put(&project, ".gitlab-ci.yml", &slow, "slow");
    let mut watch = project.spawn(&["watch", ".", "--runs", "1"]);
    until("the run began", || outside.path().join("begun").exists());
    put(&project, "note", "later", "later");
    let stop = std::process::Command::new("kill")
        .arg(watch.id().to_string())
        .status();
    assert!(stop.expect("kill").success());
    std::fs::write(outside.path().join("go"), "").expect("written");
    assert_eq!(watch.wait().expect("it ends").code(), Some(130));
    project.ci(&["watch", ".", "--once"]).ok();
    let runs = runs(&project);
    assert_eq!(runs.len(), 2);
    assert!(
        runs.iter().all(|run| run["outcome"] == "success"),
        "{runs:?}"
    );
}
