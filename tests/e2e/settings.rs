//! What the settings file says about places and executors.

use crate::support::{Project, job};

const WORKFLOW: &str = "version: 1
name: ci
jobs:
  here: {steps: [run: pwd]}
  apart: {executor: apart, steps: [run: pwd]}
";

fn project(settings: &str) -> Project {
    let project = Project::new(WORKFLOW);
    project.write(".ci/settings.yml", settings);
    project
}

#[test]
fn a_named_executor_works_as_its_options_say() {
    let project =
        project("version: 1\nexecutors: {apart: {type: local, options: {work_in: own}}}\n");
    let run = project.ci(&["run", "--format", "json"]).ok();
    assert_eq!(job(&run.finished(), "apart")["outcome"], "success");
    let log = |name: &str| project.ci(&["logs", "last", name]).ok().stdout;
    let own = project
        .path()
        .canonicalize()
        .expect("a path")
        .display()
        .to_string();
    assert!(log("here").contains(&own), "{}", log("here"));
    assert!(!log("apart").contains(&own), "{}", log("apart"));
}

#[test]
fn an_executor_that_there_is_not_is_told() {
    let told = |settings: &str| project(settings).ci(&["run"]).exits(2).stderr;
    let unknown = told("version: 1\nexecutors: {apart: {type: cloud}}\n");
    assert!(unknown.contains("of the type `cloud`"), "{unknown}");
    let option = told("version: 1\nexecutors: {apart: {type: local, options: {slots: 1}}}\n");
    assert!(option.contains("unknown field `slots`"), "{option}");
}

#[test]
fn old_runs_are_forgotten() {
    let project = Project::new("version: 1\nname: ci\njobs: {a: {steps: [run: \"true\"]}}\n");
    project.write(
        ".ci/settings.yml",
        "version: 1\nstore: {retention: {max_runs: 2}}\n",
    );
    for _ in 0..4 {
        project.ci(&["run"]).ok();
    }
    let runs = project.ci(&["runs", "--format", "json"]).ok().json();
    assert_eq!(runs["total"], 2);
}
