//! Where in a file the problems of its workflow are told to be.

use crate::workflow::{RunFacts, SpecSource};

fn told(file: &str, text: &str) -> String {
    let source = SpecSource::new(file, text);
    let spec = source.spec().expect("a good form");
    let error = spec.plan(&RunFacts::default()).expect_err("no good jobs");
    assert_eq!(
        source.locate(&error).problems().len(),
        error.problems().len()
    );
    source.locate(&error).to_string()
}

const MANY: &str = r#"version: 1
name: " ci"
env: {1A: x}
budgets:
  - {stage: fast, limit: 5m}
  - {stage: fats, limit: 5m}
jobs:
  build:
    stage: fast
    needs:
      - biuld
      - {job: deploy, accept: [success]}
  deploy: {needs: [build]}
  " bad": {steps: [{run: "x"}], parallelism: 0}
  never:
    needs: [{job: main, accept: []}]
  main: {when: {branch: {is: main}}}
  after:
    env: {OK: "9Z", "9Z": y}
    needs: [main, {job: never, optional: true}]
    steps:
      - checkout: {}
      - save_cache:
          key: " "
          paths: [a]
      - attach_workspace: {root: w, from: [main, zzz]}
  shards:
    needs: [nothing]
    parallelism: 2
  again: {matrix: {dimensions: {V: ["1", "1"]}}}
"#;

#[test]
fn each_problem_of_a_yaml_file_has_its_line() {
    insta::assert_snapshot!(told("wf.yml", MANY));
}

#[test]
fn a_json_file_is_told_the_same_way() {
    let text = "{\n\t\"version\": 1,\n\t\"name\": \"ci\",\n\t\"jobs\": {\n\t\t\"a\": {\"needs\": [\n\t\t\t\
                \"b\"\n\t\t]},\n\t\t\"c\": {\"parallelism\": 0}\n\t}\n}\n";
    assert_eq!(
        told("wf.json", text),
        "wf.json:6:4: `a` needs `b`, which is no job\n\
         wf.json:8:3: job `c`: its parallelism is zero"
    );
}

#[test]
fn what_comes_from_an_anchor_stands_where_the_anchor_is() {
    let text = "version: 1\nname: ci\njobs:\n  a: &a\n    needs: [zzz]\n  b: *a\n  c: {<<: *a, priority: 1}\n";
    assert_eq!(
        told("wf.yml", text),
        "wf.yml:5:13: `a` needs `zzz`, which is no job\n\
         wf.yml:5:13: `b` needs `zzz`, which is no job\n\
         wf.yml:5:13: `c` needs `zzz`, which is no job"
    );
}

#[test]
fn what_the_file_does_not_say_has_no_place() {
    let source = SpecSource::new("wf.yml", "version: 1\nname: ci\njobs: {a: {}}\n");
    let plan = source.spec().expect("good").plan(&RunFacts::default());
    let error = plan
        .expect("good")
        .restrict(&["b"], true)
        .expect_err("no such job");
    assert_eq!(source.locate(&error).to_string(), "there is no job `b`");
}

#[test]
fn a_file_without_a_job_is_a_mistake() {
    for (file, text, place) in [
        ("wf.yml", "version: 1\nname: ci\njobs: {}\n", "3:1"),
        ("wf.yml", "version: 1\nname: ci\njobs:\n", "3:1"),
        (
            "wf.json",
            r#"{"version": 1, "name": "ci", "jobs": {}}"#,
            "1:30",
        ),
    ] {
        let error = SpecSource::new(file, text).spec().expect_err("no job");
        assert_eq!(
            error.to_string(),
            format!("{file}:{place}: the workflow has no job")
        );
        assert!(!error.hints().is_empty());
    }
}
