//! CircleCI configurations from end to end.

use serde_json::json;

use crate::support::{Project, job};

const CONFIG: &str = r#"version: 2.1
executors:
  base:
    docker: [{image: cimg/base:current}]
    environment: {FROM_EXECUTOR: yes please}
commands:
  greet:
    parameters: {who: {type: string, default: world}}
    steps: [run: echo "hello << parameters.who >>"]
jobs:
  test:
    executor: base
    parallelism: 2
    parameters: {py: {type: string}}
    environment: {PY: << parameters.py >>}
    steps:
      - checkout
      - greet: {who: << parameters.py >>}
      - restore_cache: {keys: ["deps-{{ checksum \"lock\" }}", "deps-"]}
      - run: echo "export FROM_STEP=kept" >> "$BASH_ENV"; mkdir -p deps "out/$CIRCLE_NODE_INDEX-$PY"
      - run: circleci tests glob "lo*" ".circleci/*.yml" | circleci tests split --split-by=name
      - run: echo "step=$FROM_STEP executor=$FROM_EXECUTOR node=$CIRCLE_NODE_INDEX/$CIRCLE_NODE_TOTAL"
      - save_cache: {key: "deps-{{ checksum \"lock\" }}", paths: [deps]}
      - run: echo "<testsuite/>" > "out/$CIRCLE_NODE_INDEX-$PY/r.xml"
      - store_test_results: {path: out}
      - persist_to_workspace: {root: ., paths: [out]}
  halted:
    executor: base
    steps:
      - run: circleci step halt; echo still here
      - run: echo must not show; exit 1
      - run: {command: print("must not show"), shell: /usr/bin/env python3}
      - save_cache: {key: halted, paths: [missing]}
  broken:
    executor: base
    steps:
      - run: exit 3
      - run: {command: echo always shown, when: always}
      - run: {command: echo shown after failure, when: on_fail}
      - run: echo never shown
  deploy:
    machine: true
    steps:
      - attach_workspace: {at: ws}
      - run: find ws -name r.xml | sort
workflows:
  main:
    jobs:
      - test:
          matrix: {parameters: {py: ["3.9", "3.10"]}}
      - halted
      - broken
      - cleanup: {type: no-op, requires: [broken: [failed]]}
      - deploy: {requires: [test, halted], filters: {branches: {only: /ma.*/}}}
      - never: {type: approval, filters: {branches: {only: release}}}
  nightly:
    triggers: [{schedule: {cron: "0 0 * * *", filters: {branches: {only: main}}}}]
    jobs: [halted]
  odd:
    when: {not: true}
    jobs: [halted]
"#;

fn project() -> Project {
    let project = Project::of_vendor(".circleci/config.yml", CONFIG);
    project.write("lock", "1");
    project.commit("lock");
    project
}

#[test]
fn a_configuration_runs_as_at_the_vendor() {
    let project = project();
    let run = project.ci(&["run", "--format", "json"]).exits(1);
    let finished = run.finished();
    for name in [
        "test-3.9 (1/2)",
        "test-3.9 (2/2)",
        "test-3.10 (1/2)",
        "test-3.10 (2/2)",
    ] {
        assert_eq!(job(&finished, name)["outcome"], "success", "{name}");
        let log = project.ci(&["logs", "last", name]).ok().stdout;
        assert!(log.contains("step=kept executor=yes please node="), "{log}");
    }
    for (name, outcome) in [
        ("halted", "success"),
        ("broken", "failed"),
        ("cleanup", "success"),
        ("deploy", "success"),
    ] {
        assert_eq!(job(&finished, name)["outcome"], outcome, "{name}");
    }
    let log = |name: &str| project.ci(&["logs", "last", name]).ok().stdout;
    let (one, other) = (log("test-3.9 (1/2)"), log("test-3.9 (2/2)"));
    assert!(one.contains("hello 3.9"));
    // Each node has one of the two files.
    let has = |log: &str, file: &str| log.lines().any(|line| line.ends_with(file));
    for file in [" lock", ".circleci/config.yml"] {
        let file = file.trim();
        assert!(has(&one, file) != has(&other, file), "{file}: {one}{other}");
    }
    let halted = log("halted");
    assert!(halted.contains("still here") && !halted.contains("must not show"));
    let broken = log("broken");
    assert!(broken.contains("always shown") && broken.contains("shown after failure"));
    assert!(!broken.contains("never shown"));
    let found = log("deploy");
    for file in ["0-3.10/r.xml", "0-3.9/r.xml", "1-3.10/r.xml", "1-3.9/r.xml"] {
        assert!(found.contains(&format!("ws/out/{file}")), "{found}");
    }
}

#[test]
fn what_runs_and_what_differs_can_be_asked() {
    let project = project();
    let listed = project.ci(&["list", "--format", "json"]).ok().json();
    let workflow = &listed["workflows"][0];
    assert_eq!(workflow["name"], "main");
    assert_eq!(workflow["jobs"].as_array().map(Vec::len), Some(8));
    assert_eq!(
        workflow["skipped"],
        json!([{"name": "never", "why": "filter: the branch `main` is not among `only`"}])
    );
    let others = listed["workflows"].as_array().map(|it| &it[1..]);
    assert_eq!(
        others,
        Some(
            &[
                json!({
                    "name": "nightly", "runs": false, "why": "no job runs", "jobs": [],
                    "skipped": [{"name": "halted", "why": "trigger: the workflow runs on a schedule only"}],
                }),
                json!({
                    "name": "odd", "runs": false, "why": "condition: its `when` in line 60 does not hold",
                    "jobs": [], "skipped": [],
                }),
            ][..]
        )
    );
    let explained = project.ci(&["explain", "--format", "json"]).ok().json();
    assert_eq!(explained["data"][0]["key"], "image: cimg/base:current");
    assert_eq!(explained["data"][0]["level"], "approximated");
    let compiled = project.ci(&["compile", "--format", "json"]).ok().json();
    assert_eq!(compiled["version"], 2);
    assert_eq!(
        compiled["jobs"]["test-3.9"]["steps"][1],
        json!({"run": {"command": "echo \"hello 3.9\""}})
    );
    let yaml = project.ci(&["compile", "--format", "yaml"]).ok().stdout;
    assert!(yaml.starts_with("version: 2"), "{yaml}");
}

#[test]
fn a_wrong_configuration_is_told_with_its_places() {
    let project = project();
    let wrong = CONFIG
        .replace("who: << parameters.py >>", "hwo: << parameters.py >>")
        .replace("- halted\n      - broken", "- haltd\n      - broken");
    project.write(".circleci/config.yml", &wrong);
    let told = project.ci(&["validate"]).exits(2).stderr;
    assert!(told.starts_with(".circleci/config.yml:18:17: "), "{told}");
    for words in [
        "config.yml:18:17: the command `greet` has no parameter `hwo`",
        "did you mean `who`?",
        "config.yml:51:9: there is no job `haltd`",
        "did you mean `halted`?",
    ] {
        assert!(told.contains(words), "{words} is not in:\n{told}");
    }
}

#[test]
fn a_key_that_nobody_knows_is_told() {
    let project = project();
    let odd = CONFIG.replace(
        "    machine: true\n",
        "    machine: true\n    resource_clas: large\n",
    );
    project.write(".circleci/config.yml", &odd);
    let explained = project.ci(&["explain"]).ok().stdout;
    assert!(
        explained.contains(
            "`resource_clas` is ignored: no such key is known (did you mean `resource_class`?)"
        ),
        "{explained}"
    );
}

#[test]
fn the_repository_fills_the_values_of_the_pipeline_and_odd_jobs_warn() {
    let text = r#"version: 2.1
jobs:
  build:
    machine: true
    steps:
      - run: echo "<< pipeline.project.slug >> << pipeline.git.branch.is_default >> $CIRCLE_PROJECT_USERNAME/$CIRCLE_PROJECT_REPONAME"
  spare:
    machine: true
    steps: [chekout]
"#;
    let project = Project::of_vendor(".circleci/config.yml", text);
    project.git(&["remote", "add", "origin", "git@host.example:org/app.git"]);
    project.git(&["tag", "v1"]);
    project.ci(&["run", "-q"]).ok();
    let log = project.ci(&["logs", "last", "build"]).ok().stdout;
    assert!(log.contains("org/app true org/app"), "{log}");
    let told = project.ci(&["validate"]).ok().stderr;
    let warning = ".circleci/config.yml:9:13: warning: there is no step or command `chekout`";
    assert!(told.contains(warning), "{told}");
}
