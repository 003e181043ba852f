//! What was lost is said: logs that are damaged or gone, output that nothing took, stores that are not
//! there. And a workspace that would write elsewhere.

use std::path::PathBuf;

use crate::support::{Project, job};

const TWO_JOBS: &str = "version: 1\nname: two\njobs:\n  loud:\n    steps:\n      - run: echo said\n  quiet:\n    steps:\n      - run: 'true'\n";

fn logs(project: &Project) -> PathBuf {
    project.path().join(".state/runs.db.logs")
}

fn pack(project: &Project) -> PathBuf {
    logs(project).join(project.last_id()).join("1.pack")
}

#[test]
fn a_log_that_is_damaged_or_gone_is_an_error() {
    let project = Project::new(TWO_JOBS);
    project.ci(&["run", "-q"]).ok();
    let path = pack(&project);
    let whole = std::fs::read(&path).expect("a pack");
    project.ci(&["logs", "last"]).ok();
    assert_eq!(project.ci(&["logs", "last", "quiet"]).ok().stdout, "");

    for damaged in [
        whole[..20].to_vec(),
        vec![0xa5; 300],
        [&whole[..], b"x"].concat(),
    ] {
        let can_be_read = damaged.starts_with(&whole);
        std::fs::write(&path, damaged).expect("written");
        let done = project.ci(&["logs", "last"]).exits(3);
        assert_eq!(done.stdout.contains("loud | said\n"), can_be_read);
        let words = format!("error: the log `{}` is damaged\n\nhint: ", path.display());
        assert!(done.stderr.contains(&words), "{}", done.stderr);
    }
    std::fs::remove_dir_all(logs(&project)).expect("removed");
    let done = project.ci(&["logs", "last"]).exits(3);
    assert!(
        done.stderr.contains(" is missing\n\nhint: "),
        "{}",
        done.stderr
    );
}

#[test]
fn logs_that_were_removed_with_their_run_are_no_error() {
    let project = Project::new(TWO_JOBS);
    project.ci(&["run", "-q"]).ok();
    let first = project.last_id();
    project.ci(&["run", "-q"]).ok();
    project.ci(&["prune", "--keep", "1"]).ok();
    let done = project.ci(&["logs", &first]).ok();
    assert_eq!(done.stdout, "");
    assert!(done.stderr.contains("`ci prune`"), "{}", done.stderr);
    let later = "ffffffff-7c1e-7000-8000-000000000000";
    let done = project.ci(&["logs", later]).exits(2);
    assert!(
        done.stderr.contains("the store has no run"),
        "{}",
        done.stderr
    );
}

#[test]
fn events_that_nothing_took_are_an_error() {
    let project = Project::new(TWO_JOBS);
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut command = project.command(&["run", "--format", "json"]);
    command.stdout(full.expect("a full device"));
    let output = command.output().expect("ci starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{words}");
    assert!(
        words.contains("could not be written to standard output"),
        "{words}"
    );
    assert_eq!(project.last_run()["outcome"], "success");
    // A reader that goes away has what it wants.
    let mut child = project.spawn(&["run", "--format", "json"]);
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn who_only_reads_makes_no_store() {
    let project = Project::new(TWO_JOBS);
    let runs = project.ci(&["runs", "--format", "json"]).ok();
    assert_eq!(runs.json()["total"], 0);
    assert!(
        runs.stderr.contains("there is no run store `"),
        "{}",
        runs.stderr
    );
    for command in [
        &["show"][..],
        &["logs"],
        &["artifacts"],
        &["cancel"],
        &["resume"],
        &["rerun"],
        &["report", "html"],
        &["report", "failed"],
    ] {
        let done = project.ci(&[command, &["last"]].concat()).exits(2);
        assert!(
            done.stderr.contains("there is no run store `"),
            "{}",
            done.stderr
        );
        assert!(done.stderr.contains("hint: `ci run`"), "{}", done.stderr);
    }
    for command in ["flaky", "trends"] {
        project.ci(&[command]).ok();
    }
    let mut own = project.command(&["runs"]);
    own.env_remove("CI_STORE")
        .env("XDG_STATE_HOME", project.path().join("state"));
    let output = own.output().expect("ci starts");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(!project.path().join(".state").exists() && !project.path().join("state").exists());
}

#[test]
fn a_workspace_writes_nothing_behind_a_link() {
    let project = Project::new("");
    let outside = project.path().join("outside");
    std::fs::create_dir(&outside).expect("made");
    project.write(
        ".ci/workflow.yml",
        &format!(
            "version: 1\nname: links\njobs:\n  a:\n    steps:\n      - run: mkdir -p one/w && ln -s '{}' one/w/link\n      - persist_workspace: {{root: one, paths: [w]}}\n  b:\n    steps:\n      - run: mkdir -p two/w/link && ln -s /etc/passwd two/w/link/x\n      - persist_workspace: {{root: two, paths: [w/link/x]}}\n  c:\n    needs: [a, b]\n    steps:\n      - attach_workspace: {{root: in}}\n",
            outside.display()
        ),
    );
    let finished = project.ci(&["run", "--format", "json"]).exits(3).finished();
    assert_eq!(
        job(&finished, "c")["reason"],
        "the entry `w/link/x` was refused: it goes through the symbolic link `w/link`"
    );
    assert_eq!(outside.read_dir().expect("a directory").count(), 0);
}
