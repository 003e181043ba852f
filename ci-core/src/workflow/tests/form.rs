//! The written form: what is read, what is refused and why, and that nothing is lost.

use crate::job::JobSpec;
#[cfg(feature = "yaml")]
use crate::outcome::OutcomeSet;
use crate::step::{Action, StepSpec, step_fn};
use crate::workflow::{SpecError, SpecErrorKind, WorkflowSpec};

#[test]
fn a_step_that_is_code_becomes_its_name() {
    let step = step_fn("mine", |_| async { Ok::<_, std::io::Error>(()) });
    let spec = WorkflowSpec::builder("ci")
        .job(JobSpec::new("a").step(StepSpec::code(step)))
        .build()
        .expect("good");
    let json = spec.to_json().expect("JSON");
    assert!(json.contains(r#""code": "mine""#), "{json}");
    let read = WorkflowSpec::from_json(&json).expect("what was written");
    match &read.jobs[0].steps[0].action {
        Action::Custom(custom) => {
            assert_eq!((&*custom.step, custom.with.is_null()), ("mine", true));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_schema_knows_every_field_of_the_form() {
    let schema = WorkflowSpec::json_schema();
    assert_eq!(schema["additionalProperties"], false);
    let job = &schema["$defs"]["JobFields"];
    assert_eq!(job["additionalProperties"], false);
    for field in [
        "needs",
        "when",
        "always",
        "matrix",
        "steps",
        "no_output_timeout",
    ] {
        assert!(job["properties"][field].is_object(), "{field}");
    }
    let step = &schema["$defs"]["StepFields"]["properties"];
    for field in ["run", "checkout", "use", "wait_for", "store_coverage"] {
        assert!(step[field].is_object(), "{field}");
    }
}

#[test]
fn a_file_is_read_by_its_ending_and_errors_name_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ci.json");
    let error = WorkflowSpec::from_path(&path).expect_err("no file");
    assert_eq!(error.kind(), SpecErrorKind::Unreadable);
    assert!(std::error::Error::source(&error).is_some());

    std::fs::write(&path, "{\"version\": 1,\n \"name\": 5}").expect("written");
    let error = WorkflowSpec::from_path(&path).expect_err("bad");
    let shown = error.to_string();
    assert_eq!(
        shown.strip_prefix(&path.display().to_string()),
        Some(":2:10: invalid type: integer `5`, expected a string")
    );
    assert_eq!(error.kind(), SpecErrorKind::Form);

    let hints = |error: &SpecError| error.hints().join("; ");
    assert!(hints(&error).is_empty());
    std::fs::write(&path, b"{\"version\": 1, \"name\": \"\xff\"").expect("written");
    let error = WorkflowSpec::from_path(&path).expect_err("no text");
    assert_eq!(hints(&error), "save the file as UTF-8");

    let form = r#"{"version": 1, "name": "ci", "jobs": {"a": {}}}"#;
    std::fs::write(&path, form).expect("written");
    assert_eq!(&*WorkflowSpec::from_path(&path).expect("good").name, "ci");
}

/// Every field of the form, most in the shortest of their shapes.
#[cfg(feature = "yaml")]
const WHOLE: &str = r#"
version: 1
name: whole
env: {RUST_BACKTRACE: 1}
timeout: 1h30m
fail_fast: true
group: {name: pipeline, limit: 2}
budgets: [{stage: fast, limit: 5m, over: fail}]
jobs:
  lint:
    stage: fast
    steps:
      - checkout
      - run: cargo fmt --check
      - run: true
      - run: [cargo, clippy]
      - {name: Test, run: cargo test, shell: [bash, -c], dir: sub, env: {A: b}, timeout: 2m,
         no_output_timeout: 30s, when: always, allow_failure: true, background: true}
      - {checkout: {source: ../x, revision: main, path: ., submodules: true, depth: 1}}
      - {restore_cache: {keys: [a, b], lookup: newest_by_prefix}}
      - {save_cache: {key: k, paths: target}}
      - {persist_workspace: {root: ., paths: [dist]}}
      - {attach_workspace: {root: .}}
      - {store_artifacts: {paths: dist, exclude: ["*.tmp"], destination: x}}
      - {store_test_results: {paths: [junit.xml]}}
      - {store_coverage: {paths: [lcov.info]}}
      - {store_metrics: {paths: [metrics.json]}}
      - {store_findings: {paths: [gl-sast-report.json]}}
      - {wait_for: {tcp: "localhost:5432", deadline: 30s, interval: 1s}}
      - {approval: Really?}
      - approval:
      - {use: mine, with: {level: 3}}
  test:
    matrix: {dimensions: {OS: [linux, mac], V: [1.10, 2]}, exclude: [{OS: mac, V: 2}]}
    parallelism: 4
    retry: 2
    groups: [db, {name: ports, limit: 3}]
    priority: 5
    image: rust:1
    services: [redis, {image: postgres, aliases: [db], env: {P: x}, command: [run]}]
    resource_class: large
    labels: [fast]
    platform: linux/arm64
    executor: docker
    cpu: 1.5
    memory: 2GiB
    contexts: [aws]
    shell: [bash, -c]
    working_dir: ~/project
    only_after_failure: true
    private_home: false
    extra: {shm: 64}
    timeout: 10m
    step_timeout: 300
    no_output_timeout: 0.5
  deploy:
    needs: [lint, {job: test, accept: [success, failed], optional: true}]
    when: {any: [{branch: {is: main}}, {tag: {regex: "v.*"}}, {not: {changed: ["docs/**"]}},
                 {variable: {name: X, matches: {glob: "a*"}}}]}
    manual: {prompt: Deploy?, optional: true, deadline: 1h}
    allow_failure: {exit_codes: [75]}
    retry: {max: 2, backoff: {initial: 1s, factor: 3, limit: 1m, jitter: 0.5},
            on: [{class: infrastructure}, {exit_code: 137}, {signal: 9}]}
  teardown:
    needs: [deploy, {job: lint, accept: [success]}]
    always: true
    delayed: 5s
    allow_failure: true
"#;

#[cfg(feature = "yaml")]
#[test]
fn every_field_is_read_and_kept() {
    let spec = WorkflowSpec::from_yaml(WHOLE).expect("the whole form");
    spec.validate().expect("a good workflow");
    let json = spec.to_json().expect("JSON");
    assert_eq!(
        WorkflowSpec::from_json(&json).expect("what was written"),
        spec
    );
    insta::assert_snapshot!(json);
}

#[cfg(feature = "yaml")]
#[test]
fn needs_of_a_teardown_job_accept_any_outcome_unless_they_say_which() {
    let spec = WorkflowSpec::from_yaml(WHOLE).expect("the whole form");
    let accepts = |job: usize, need: usize| spec.jobs[job].needs[need].accept;
    assert_eq!(accepts(3, 0), OutcomeSet::ANY);
    assert_eq!(accepts(3, 1), OutcomeSet::SUCCESS);
    assert_eq!(accepts(2, 0), OutcomeSet::SUCCESS);
}

#[cfg(feature = "yaml")]
#[test]
fn anchors_and_merge_keys_are_read() {
    let text = "version: 1\nname: ci\njobs:\n  a: &a\n    timeout: 5m\n    steps: [{run: x}]\n  \
                b:\n    <<: *a\n    needs: [a]\n";
    let spec = WorkflowSpec::from_yaml(text).expect("a good file");
    assert_eq!(spec.jobs[1].steps, spec.jobs[0].steps);
    assert_eq!(spec.jobs[1].options, spec.jobs[0].options);
}
