//! `extends`, `!reference`, defaults and what they come to.

use std::fmt::Write as _;

use super::{bad, good};

#[track_caller]
fn merged(text: &str, expected: &str) {
    let compiled = good(text);
    assert_eq!(serde_json::to_string(compiled.merged()).unwrap(), expected);
}

#[test]
fn extends_merges_maps_and_replaces_lists() {
    merged(
        "\
.base: {variables: {A: 1, B: 1}, script: [x, y], tags: [t]}
.other: {extends: .base, variables: {B: 2}, image: i}
job:
  extends: [.base, .other]
  variables: {C: 3}
  script: z
  tags: null
",
        r#"{"job":{"variables":{"A":1,"B":2,"C":3},"script":"z","image":"i"}}"#,
    );
}

#[test]
fn a_chain_of_eleven_extends_is_as_long_as_it_may_be() {
    let chain = |links: usize| {
        let mut text = "j0: {script: x}\n".to_owned();
        for link in 1..=links {
            let _ = writeln!(text, "j{link}: {{extends: j{}}}", link - 1);
        }
        text
    };
    good(&chain(10));
    assert!(bad(&chain(11)).contains("j11: nesting too deep in `extends`"));
    assert!(bad(&chain(200)).contains("nesting too deep"));
}

#[test]
fn loops_of_extends_are_spelled_out() {
    assert_eq!(
        bad(".a: {extends: .b}\n.b: {extends: .a}\nj: {script: x, extends: .a}\n"),
        "2:15: .b: circular dependency detected in `extends`: .a -> .b -> .a"
    );
    assert_eq!(
        bad("j: {script: x, extends: .tets}\n.test: {}\n"),
        "1:25: j: unknown keys in `extends` (.tets)\n  hint: did you mean `.test`?"
    );
}

#[test]
fn references_bring_nodes_and_flatten_in_lists() {
    merged(
        "\
.setup:
  script: [a, b]
  rules: [{if: $CI}]
  more: [!reference [.setup, script], c]
job:
  script:
    - !reference [.setup, more]
    - d
  rules:
    - !reference [.setup, rules]
  variables: {X: !reference [.vars, X, 1]}
.vars: {X: [0, 1]}
",
        r#"{"job":{"script":["a","b","c","d"],"rules":[{"if":"$CI"}],"variables":{"X":1}}}"#,
    );
}

#[test]
fn references_that_lead_nowhere_or_in_a_circle_are_refused() {
    assert_eq!(
        bad("job: {script: !reference [.a, script]}\n"),
        "1:26: `!reference [\".a\", \"script\"]` could not be found"
    );
    let text = "job: {script: [!reference [a, x]]}\n.a: {}\na: {x: !reference [b, y]}\nb: {y: !reference [a, x]}\n";
    assert!(bad(text).contains("`!reference [\"a\", \"x\"]` is part of a circular chain"));
}

#[test]
fn defaults_are_copied_where_a_job_lacks_the_key() {
    let compiled = good(
        "\
default: {image: d, before_script: [b], retry: 1}
image: old
services: [s]
a: {script: x}
b: {script: x, image: own, inherit: {default: [retry]}}
",
    );
    let workflow = compiled.workflow().unwrap();
    let image = |job: usize| workflow.jobs[job].options.requires.image.as_deref();
    assert_eq!((image(0), image(1)), (Some("d"), Some("own")));
    assert_eq!(workflow.jobs[0].options.requires.services.len(), 1);
    assert!(workflow.jobs[1].options.requires.services.is_empty());
    assert_eq!(workflow.jobs[1].options.retry.max, 1);
}
