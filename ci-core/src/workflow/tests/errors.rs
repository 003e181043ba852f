//! What is said about text that is no workflow. The YAML reader is given the same JSON, too.

use std::fmt::Write as _;

use crate::workflow::{SpecError, WorkflowSpec};

const HEAD: &str = "version: 1\nname: ci\njobs:\n";

/// The error for YAML under the usual head, with its hints.
fn yaml(jobs: &str) -> String {
    report(WorkflowSpec::from_yaml(&format!("{HEAD}{jobs}")))
}

fn report(read: Result<WorkflowSpec, SpecError>) -> String {
    let error = read.expect_err("no workflow");
    let mut shown = error.to_string();
    for hint in error.hints() {
        let _ = write!(shown, "\n  hint: {hint}");
    }
    shown
}

#[test]
fn errors_in_yaml_say_where_and_what() {
    let cases = [
        ("an unknown field", "  a: {stepz: []}"),
        (
            "an unknown field of a step",
            "  a:\n    steps:\n      - runn: x",
        ),
        ("a bare command", "  a:\n    steps:\n      - cargo test"),
        ("nothing to do", "  a:\n    steps:\n      - name: x"),
        (
            "two things to do",
            "  a:\n    steps:\n      - {run: x, use: y}",
        ),
        (
            "with alone",
            "  a:\n    steps:\n      - {checkout: , with: {}}",
        ),
        (
            "shell for a list",
            "  a:\n    steps:\n      - {run: [x], shell: [sh]}",
        ),
        (
            "dir alone",
            "  a:\n    steps:\n      - {checkout: {}, dir: x}",
        ),
        ("a number as a script", "  a:\n    steps:\n      - run: 5"),
        ("a bad duration", "  a:\n    timeout: soon"),
        ("months", "  a:\n    timeout: 1M"),
        ("yes", "  a:\n    manual: yes"),
        (
            "manual and delayed",
            "  a:\n    manual: true\n    delayed: 5m",
        ),
        (
            "a bad outcome",
            "  a:\n    needs: [{job: b, accept: [sucess]}]",
        ),
        ("a bad condition", "  a:\n    when: {brnch: {is: x}}"),
        (
            "a bad failure class",
            "  a:\n    retry: {max: 1, on: [{class: infra}]}",
        ),
        (
            "two probes",
            "  a:\n    steps:\n      - wait_for: {tcp: 'a:1', http: b, deadline: 5s}",
        ),
        ("bad memory", "  a:\n    memory: 2GB"),
        ("a job twice", "  a: {}\n  a: {}"),
        ("a list of jobs", "  - a"),
        ("no YAML", "  a: 'x"),
    ];
    let mut all = String::new();
    for (what, jobs) in cases {
        let _ = writeln!(all, "{what}\n  {}", yaml(jobs));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn the_top_of_the_file_is_checked() {
    let mut all = String::new();
    for text in [
        "",
        "name: ci\njobs: {}",
        "version: 2\njobs: {}",
        "version: one",
        "version: 1\nname: ci\njob: {}",
        "version: 1\nname: ci",
        "[]",
        "version: 1\nname: ci\njobs: {}\n---\nversion: 1",
    ] {
        let _ = writeln!(all, "{text:?}\n  {}", report(WorkflowSpec::from_yaml(text)));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn errors_in_json_say_where_and_what() {
    let mut all = String::new();
    for text in [
        "",
        "{\"version\": 1,",
        "{\"version\": 3}",
        "{\"name\": \"ci\", \"jobs\": {}}",
        "{\"version\": 1, \"name\": \"ci\", \"jobs\": {\"a\": {\"stepz\": []}}}",
        "{\"version\": 1, \"name\": \"ci\", \"jobs\": {\"a\": {}, \"a\": {}}}",
        "{\"version\": 1, \"name\": \"ci\", \"jobs\": {\"a\": {\"steps\": [\"x\"]}}}",
        "{\"version\": 1, \"name\": \"ci\", \"jobs\": {\"a\": {\"env\": {\"A\": 1}}}}",
    ] {
        let _ = writeln!(all, "{text}\n  {}", report(WorkflowSpec::from_json(text)));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn deep_nesting_is_refused() {
    let deep = "{\"not\": ".repeat(100_000);
    let json = format!(r#"{{"version": 1, "name": "ci", "jobs": {{"a": {{"when": {deep}"#);
    assert!(WorkflowSpec::from_json(&json).is_err());
    assert!(WorkflowSpec::from_yaml(&json).is_err());
}

#[test]
fn nesting_up_to_the_limit_is_read() {
    let (deep, ends) = ("{\"not\": ".repeat(120), "}".repeat(120));
    let when = format!("{deep}{{branch: {{is: main}}}}{ends}");
    let spec = WorkflowSpec::from_yaml(&format!("{HEAD}  a: {{when: {when}}}\n"));
    assert!(spec.is_ok(), "{spec:?}");
}
