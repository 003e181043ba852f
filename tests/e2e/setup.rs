//! CircleCI setup workflows from end to end: what they ask for is what the pipeline goes on with.
#![expect(
    clippy::print_stdout,
    reason = "what was compared, or that nothing was, is told"
)]

use std::path::Path;

use crate::support::{Project, job};

/// A setup whose job posts the continuation as published orbs do, and tries it twice.
const SETUP: &str = r#"version: 2.1
setup: true
parameters: {who: {type: string, default: world}}
commands:
  continue:
    parameters: {config: {type: string}, parameters: {type: string, default: "{}"}}
    steps:
      - run: |
          jq -n --rawfile config << parameters.config >> --arg key "$CIRCLE_CONTINUATION_KEY" \
            --argjson parameters '<< parameters.parameters >>' \
            '{"continuation-key": $key, configuration: $config, parameters: $parameters}' > "$HOME/body.json"
          post() {
            curl -s -o /dev/null -w '%{http_code}' -X POST -H 'Content-Type: application/json' \
              --data @"$HOME/body.json" "https://circleci.com/api/v2/pipeline/continue"
          }
          [ "$(post)" = 200 ]
          echo "again: $(post)"
jobs:
  make:
    docker: [{image: cimg/base:current}]
    steps:
      - checkout
      - continue: {config: next.yml, parameters: '{"run-it": true}'}
workflows:
  prepare: {jobs: [make]}
"#;

const NEXT: &str = r#"version: 2.1
parameters:
  run-it: {type: boolean, default: false}
  who: {type: string, default: world}
jobs:
  greet:
    docker: [{image: cimg/base:current}]
    steps: [run: echo "hello << pipeline.parameters.who >>"]
  other:
    docker: [{image: cimg/base:current}]
    steps: [run: exit 1]
workflows:
  main: {when: << pipeline.parameters.run-it >>, jobs: [greet]}
  never: {unless: << pipeline.parameters.run-it >>, jobs: [other]}
"#;

fn project(next: &str) -> Project {
    let project = Project::of_vendor(".circleci/config.yml", SETUP);
    project.write("next.yml", next);
    project.commit("next.yml");
    project
}

#[test]
fn the_pipeline_goes_on_with_what_the_setup_made() {
    let project = project(NEXT);
    let run = project
        .ci(&["run", "--format", "json", "--param", "who=moon"])
        .ok();
    let finished = run.finished();
    assert_eq!(job(&finished, "greet")["outcome"], "success");
    assert_eq!(finished["jobs"].as_array().map(Vec::len), Some(1));
    let log = project.ci(&["logs", "last", "greet"]).ok().stdout;
    assert!(log.contains("hello moon"), "{log}");
    // The setup is a run of its own, which took the request once.
    let runs = project.ci(&["runs", "--format", "json"]).ok().json();
    let setup = runs["data"][1]["id"].as_str().expect("two runs").to_owned();
    let log = project.ci(&["logs", &setup, "make"]).ok().stdout;
    assert!(log.contains("again: 400"), "{log}");
}

#[test]
fn a_job_of_the_continuation_can_be_asked_for() {
    let next = NEXT.replace("jobs: [greet]}", "jobs: [greet, other]}");
    let project = project(&next);
    let finished = project
        .ci(&["run", "--format", "json", "--job", "greet"])
        .ok()
        .finished();
    let outcome = |name| job(&finished, name)["outcome"].as_str().map(str::to_owned);
    assert_eq!(outcome("greet").as_deref(), Some("success"));
}

#[test]
fn a_wrong_continuation_is_told_with_its_place() {
    let project = project(&NEXT.replace("jobs: [greet]}", "jobs: [great]}"));
    let told = project.ci(&["run"]).exits(2).stderr;
    assert!(
        told.contains("(continued):13:57: there is no job `great`"),
        "{told}"
    );
    assert!(told.contains("did you mean `greet`?"), "{told}");
}

/// The published orbs, where the corpus with their sources is beside the project. What they need beside
/// bash and git stands in for them: `cue` prints its file, and path-filtering's own version of the
/// continuation orb is the one that there is.
#[test]
fn published_orbs_continue_a_pipeline() {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/configs/orb-registry");
    let Ok(continuation) =
        std::fs::read_to_string(root.join("circleci/continuation/1.0.0/orb.yml"))
    else {
        println!(
            "there is no orb registry at {}: no orb is run",
            root.display()
        );
        return;
    };
    let config = "version: 2.1
setup: true
orbs: {filter: circleci/path-filtering@0.1.5}
workflows:
  prepare:
    jobs:
      - filter/filter: {base-revision: main, config-path: next.yml, mapping: 'next.yml run-it true'}
";
    let project = Project::of_vendor(".circleci/config.yml", config);
    project.write(
        ".circleci/orbs/circleci/continuation/0.2.0/orb.yml",
        &continuation,
    );
    project.write(
        "bin/cue",
        "#!/bin/sh\ncat \"$(printf %s \"$2\" | tr -d '\"' | sed 's/ *$//')\"\n",
    );
    project.write("next.yml", NEXT);
    project.commit(".");
    let bin = project.path().join("bin");
    let made = std::process::Command::new("chmod")
        .arg("+x")
        .arg(bin.join("cue"))
        .status();
    assert!(made.expect("chmod").success());
    let path = std::env::var("PATH").unwrap_or_default();
    let orbs = root.display().to_string();
    let output = project
        .command(&["run", "-v", "--orbs", &orbs])
        .env("PATH", format!("{}:{path}", bin.display()))
        .output()
        .expect("ci starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("hello world"), "{told}");
}
