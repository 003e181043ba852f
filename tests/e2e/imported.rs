//! `ci import`: what it writes compiles and runs.

use crate::support::{Project, job};

const GITHUB: &str = "name: Build
on:
  push: {branches: [main]}
env:
  GREETING: hello
jobs:
  test:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        shape: [round, square]
        exclude: [{shape: square}]
        include: [{shape: flat, size: large}]
    steps:
      - uses: actions/checkout@v4
      - name: Greet
        run: |
          echo \"$GREETING ${{ matrix.shape }} ${{ matrix.size }} on ${{ github.ref_name }}\" | tee greeting.txt
      - if: matrix.shape == 'flat'
        run: echo only flat
      - if: failure()
        run: echo only after a failure
      - uses: somebody/unknown-action@v2
  after:
    needs: test
    if: github.ref == 'refs/heads/main'
    runs-on: ubuntu-latest
    defaults: {run: {working-directory: sub}}
    steps:
      - uses: actions/checkout@v4
      - run: test \"$(basename \"$PWD\")\" = sub && echo in $(basename $PWD) of \"$STAGE\"
        env: {STAGE: \"${{ github.ref_name }}-stage\"}
";

const JENKINS: &str = "pipeline {
  agent any
  environment { GREETING = 'hello' }
  stages {
    stage('Build') { steps { sh 'echo \"$GREETING\" > built.txt; cat built.txt' } }
    stage('Checks') {
      parallel {
        stage('One') { steps { echo \"one on ${env.BRANCH_NAME}\" } }
        stage('Two') {
          when { branch 'nowhere' }
          steps { sh 'exit 9' }
        }
      }
    }
    stage('Last') {
      steps { dir('sub') { sh 'basename $PWD' } }
      post { always { sh 'echo cleaned up' } }
    }
  }
}
";

/// Imports, compiles and runs; gives the events and what was listed.
fn imported(kind: &str, source: &str, to: &str) -> (String, Vec<serde_json::Value>) {
    let project = Project::of_vendor("source", source);
    project.write("sub/file", "");
    project.commit("sub/file");
    let done = project.ci(&["import", kind, "source", "--to", to]).ok();
    project.ci(&["compile"]).ok();
    let run = project.ci(&["run", "--executor", "local", "--format", "json"]);
    let events = run.ok().events();
    (done.stderr, events)
}

fn output(events: &[serde_json::Value]) -> String {
    let texts = events.iter().filter(|event| event["type"] == "output");
    texts.filter_map(|event| event["text"].as_str()).collect()
}

#[test]
fn a_github_workflow_runs_in_both_forms() {
    for to in ["circleci", "gitlab"] {
        let (listed, events) = imported("github", GITHUB, to);
        assert!(
            listed.contains("source:23: the action `somebody/unknown-action@v2`"),
            "{listed}"
        );
        assert!(
            listed.contains("6 of 7 steps converted, 1 listed above"),
            "{listed}"
        );
        let printed = output(&events);
        assert!(printed.contains("hello round  on main"), "{to}: {printed}");
        assert!(
            printed.contains("hello flat large on main"),
            "{to}: {printed}"
        );
        assert!(!printed.contains("square"), "{to}: {printed}");
        assert!(printed.contains("in sub of main-stage"), "{to}: {printed}");
        assert_eq!(printed.matches("only flat").count(), 1, "{to}: {printed}");
        assert!(!printed.contains("only after a failure"), "{to}: {printed}");
        assert!(
            printed.contains("not converted: uses somebody/unknown-action@v2"),
            "{to}"
        );
    }
}

#[test]
fn a_jenkins_file_runs_in_both_forms() {
    for to in ["circleci", "gitlab"] {
        let (listed, events) = imported("jenkins", JENKINS, to);
        let printed = output(&events);
        assert!(printed.contains("one on main"), "{to}: {printed}\n{listed}");
        assert!(printed.contains("cleaned up"), "{to}: {printed}");
        assert!(printed.contains("sub"), "{to}: {printed}");
        let finished = events.last().expect("events");
        for name in ["build", "one", "two", "last"] {
            assert_eq!(job(finished, name)["outcome"], "success", "{to} {name}");
        }
    }
}

#[test]
fn a_file_that_is_there_is_not_written_over() {
    let project = Project::of_vendor("source", GITHUB);
    project.ci(&["import", "github", "source"]).ok();
    let done = project.ci(&["import", "github", "source"]).exits(2);
    assert!(done.stderr.contains("--force"), "{}", done.stderr);
    project.ci(&["import", "github", "source", "--force"]).ok();
    let done = project.ci(&["import", "github", "source", "-o", "-"]).ok();
    assert!(done.stdout.contains("version: 2.1"), "{}", done.stdout);
    let broken = Project::of_vendor("source", "pipeline { stages {");
    let done = broken.ci(&["import", "jenkins", "source"]).exits(2);
    assert!(done.stderr.contains("source:1:"), "{}", done.stderr);
}
