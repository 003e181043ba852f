//! Several processes with one store.

use crate::support::{Project, until};

const LOCKED: &str = r"
version: 1
name: locked
jobs:
  work:
    groups: [database]
    steps:
      - run: |
          mkdir lock || { echo overlap >> overlaps; exit 1; }
          sleep 0.3
          rmdir lock
";

#[test]
fn a_mutex_holds_across_processes() {
    let project = Project::new(LOCKED);
    let engines: Vec<_> = (0..4).map(|_| project.spawn(&["run", "-q"])).collect();
    for engine in engines {
        let output = engine.wait_with_output().expect("it ends");
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_eq!(project.read("overlaps"), "");
    let page = project.ci(&["runs", "--format", "json"]).ok().json();
    assert_eq!(page["total"], 4);
}

#[test]
fn the_place_of_a_killed_process_is_free_again() {
    let project = Project::new(
        "version: 1\nname: dead\njobs:\n  work:\n    groups: [database]\n    steps:\n      - run: |\n          [ ! -f go ] || exit 0\n          touch begun\n          sleep 300\n",
    );
    let mut engine = project.spawn(&["run", "-q"]);
    until("the job runs", || project.path().join("begun").exists());
    engine.kill().expect("SIGKILL");
    engine.wait().expect("it is gone");
    let run = project.last_id();
    project.write("go", "");
    project.ci(&["run", "-q"]).ok();
    // What the dead process left running is ended by resuming its run.
    project.ci(&["resume", &run, "-q"]).ok();
    assert_eq!(crate::support::processes_of(&run), [0u32; 0]);
}

#[test]
fn a_newer_run_of_the_branch_replaces_the_older() {
    let project = Project::new(
        "version: 1\nname: super\njobs:\n  work:\n    steps:\n      - run: |\n          [ ! -f go ] || exit 0\n          touch begun\n          sleep 300\n",
    );
    let older = project.spawn(&["run", "-q", "--branch", "main"]);
    until("the job runs", || project.path().join("begun").exists());
    project.write("go", "");
    project
        .ci(&["run", "-q", "--branch", "main", "--supersede"])
        .ok();
    let output = older.wait_with_output().expect("it ends");
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let page = project.ci(&["runs", "--format", "json"]).ok().json();
    assert_eq!(page["data"][1]["outcome"], "canceled");
}
