//! Which jobs are in a pipeline, how they start and what they wait for.

use super::{Facts, bad, good, load_for, names, needs};
use crate::config::gitlab::When;

const RULES: &str = "\
a:
  script: x
  rules:
    - if: $CI_COMMIT_TAG
      when: never
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
      when: manual
    - changes: ['src/**/*.rs']
      allow_failure: true
b: {script: x, rules: []}
c: {script: x, only: [tags, /^release-.*$/], except: [release-0]}
d: {script: x, only: {refs: [branches], variables: [$GO]}}
";

#[track_caller]
fn in_pipeline(facts: Facts, expected: &[&str]) {
    let compiled = load_for(RULES, facts).unwrap();
    assert_eq!(names(&compiled), expected);
}

#[test]
fn the_first_rule_that_holds_decides() {
    in_pipeline(Facts::branch("main"), &["a", "b"]);
    in_pipeline(Facts::tag("v1"), &["b", "c"]);
    in_pipeline(Facts::branch("release-1").changed(["x"]), &["b", "c"]);
    in_pipeline(
        Facts::branch("release-0").changed(["src/a/b.rs"]),
        &["a", "b"],
    );
    in_pipeline(
        Facts::branch("x").changed(["y"]).variable("GO", "1"),
        &["b", "d"],
    );
    in_pipeline(Facts::merge_request("x", "main").changed(["y"]), &[]);
}

#[test]
fn jobs_that_are_left_out_say_why() {
    let compiled = load_for(RULES, Facts::tag("v1")).unwrap();
    let skipped: Vec<_> = compiled
        .skipped()
        .iter()
        .map(|job| job.why.as_str())
        .collect();
    assert_eq!(
        skipped,
        [
            "rule 1 says never (.gitlab-ci.yml:4:7)",
            "its `only` does not hold (.gitlab-ci.yml:12:22)",
        ]
    );
    let request = load_for(RULES, Facts::merge_request("x", "main").changed(["y"])).unwrap();
    assert_eq!(request.why(), Some("no job is in it"));
}

#[test]
fn manual_jobs_hold_the_pipeline_only_where_a_rule_made_them_manual() {
    let compiled = good(
        "\
by-job: {script: x, when: manual}
by-rule: {script: x, rules: [{when: manual}]}
codes: {script: x, allow_failure: {exit_codes: [3, 4]}}
next: {stage: deploy, script: x}
",
    );
    let allowed: Vec<_> = compiled
        .jobs()
        .iter()
        .map(|job| (job.when, job.allow_failure))
        .collect();
    assert_eq!(
        allowed,
        [
            (When::Manual, true),
            (When::Manual, false),
            (When::OnSuccess, true),
            (When::OnSuccess, false)
        ]
    );
    assert_eq!(needs(&compiled, "next"), ["by-rule", "codes"]);
}

#[test]
fn the_rules_of_the_workflow_decide_and_give_variables() {
    let text = "\
variables: {X: global}
workflow:
  name: 'for $CI_COMMIT_BRANCH'
  rules:
    - if: $CI_COMMIT_BRANCH == 'main'
      variables: {X: from-workflow}
    - if: $CI_PIPELINE_SOURCE == 'merge_request_event'
a: {script: x, rules: [{if: $X == 'from-workflow'}]}
b: {script: x}
";
    let main = load_for(text, Facts::branch("main")).unwrap();
    assert_eq!(
        (names(&main), main.name()),
        (vec!["a", "b"], Some("for main"))
    );
    let other = load_for(text, Facts::branch("x")).unwrap();
    assert_eq!(other.why(), Some("none of the workflow's rules holds"));
    assert_eq!(other.skipped().len(), 2);
    let request = load_for(text, Facts::merge_request("x", "main")).unwrap();
    assert_eq!(
        names(&request),
        ["b"],
        "with workflow rules, jobs without rules are in"
    );
}

#[test]
fn a_commit_message_may_ask_for_no_pipeline() {
    let mut facts = Facts::branch("main");
    facts.message = Some("typo\n\n[Skip CI]".to_owned());
    let skipped = load_for("a: {script: x}", facts.clone()).unwrap();
    assert_eq!(skipped.why(), Some("the commit message says `[skip ci]`"));
    assert!(
        load_for("a: {script: x}", facts.source("web"))
            .unwrap()
            .runs()
    );
}

#[test]
fn a_job_by_stages_waits_for_all_before_it() {
    let compiled = good(
        "\
stages: [one, two, three, four]
a: {stage: one, script: x}
b: {stage: one, script: x}
c: {stage: two, script: x, needs: []}
d: {stage: three, script: x}
e: {stage: four, script: x}
f: {stage: four, script: x, when: on_failure}
last: {stage: .post, script: x, when: always}
first: {stage: .pre, script: x}
",
    );
    assert_eq!(needs(&compiled, "a"), ["first"]);
    assert_eq!(needs(&compiled, "c"), [""; 0]);
    assert_eq!(needs(&compiled, "d"), ["a", "b", "c"]);
    assert_eq!(needs(&compiled, "e"), ["d"]);
    assert_eq!(needs(&compiled, "f"), ["first", "a", "b", "c", "d"]);
    assert_eq!(needs(&compiled, "last"), ["e", "f"]);
}

#[test]
fn parallel_jobs_are_named_as_gitlab_names_them_and_needed_one_by_one_or_all() {
    let compiled = good(
        "\
build:
  script: x
  parallel:
    matrix:
      - OS: [linux, mac]
        V: 1
      - OS: win
        V: [1, 2]
'build: [win, 2]': {script: own}
shards: {script: x, parallel: 2}
all: {script: x, needs: [build]}
one: {script: x, needs: ['build: [mac, 1]', 'shards 2/2']}
by: {script: x, needs: [{job: build, parallel: {matrix: [{OS: [linux, win], V: 1}]}}]}
",
    );
    assert_eq!(
        names(&compiled)[..6],
        [
            "build: [linux, 1]",
            "build: [mac, 1]",
            "build: [win, 1]",
            "build: [win, 2]",
            "shards 1/2",
            "shards 2/2"
        ]
    );
    assert_eq!(needs(&compiled, "all").len(), 3);
    assert_eq!(needs(&compiled, "one"), ["build: [mac, 1]", "shards 2/2"]);
    assert_eq!(
        needs(&compiled, "by"),
        ["build: [linux, 1]", "build: [win, 1]"]
    );
    let workflow = compiled.workflow().unwrap();
    assert_eq!(workflow.jobs[1].options.env["OS"], "mac");
    assert_eq!(workflow.jobs[5].options.env["CI_NODE_INDEX"], "2");
}

#[test]
fn a_pipeline_that_needs_a_job_which_is_not_in_it_cannot_be_created() {
    let compiled = good(
        "a: {script: x, rules: [{when: never}]}\n\
         b: {script: x, needs: [a]}\n\
         c: {script: x, needs: [{job: a, optional: true}]}\n",
    );
    assert!(needs(&compiled, "c").is_empty());
    assert_eq!(
        compiled.workflow().unwrap_err().to_string(),
        ".gitlab-ci.yml:2:24: jobs:b:needs: 'b' job needs 'a' job, but it was not added to the pipeline\n  \
         hint: to need a job that sometimes is not in the pipeline, use `optional: true`"
    );
}

#[test]
fn needs_that_cannot_be_are_refused() {
    assert_eq!(
        bad("a: {script: x, needs: [biuld]}\nbuild: {script: x}\n"),
        "1:24: jobs:a:needs: undefined need: `biuld`\n  hint: did you mean `build`?"
    );
    assert_eq!(
        bad("a: {stage: build, script: x, needs: [b]}\nb: {script: x}\n"),
        "1:38: jobs:a:needs: need `b` is not defined in current or prior stages: it is in `test`"
    );
    assert_eq!(
        bad("a: {script: x, needs: [a]}\n"),
        "1:24: jobs:a:needs: job `a` cannot need itself"
    );
    let circle = good("a: {script: x, needs: [b]}\nb: {script: x, needs: [a]}\n");
    assert!(
        circle
            .workflow()
            .unwrap_err()
            .to_string()
            .contains("a -> b -> a")
    );
}

#[test]
fn a_need_may_name_the_values_of_its_own_matrix() {
    let text = |name: &str| {
        format!(
            "build: {{stage: build, script: x, parallel: {{matrix: [{{P: [aws, gcp]}}]}}}}\n\
         test:\n  script: x\n  parallel: {{matrix: [{{P: [aws, gcp]}}]}}\n  needs:\n    \
         - {{job: build, parallel: {{matrix: [{{P: '$[[ matrix.{name} ]]'}}]}}}}\n"
        )
    };
    let compiled = good(&text("P"));
    assert_eq!(needs(&compiled, "test: [gcp]"), ["build: [gcp]"]);
    assert!(bad(&text("X")).contains("`X` does not exist in matrix configuration"));
}

#[test]
fn only_the_first_and_last_stage_make_no_pipeline() {
    let compiled = good("a: {stage: .pre, script: x}\n");
    assert_eq!(
        compiled.why(),
        Some("only jobs of `.pre` and `.post` are in it")
    );
    assert!(compiled.workflow().unwrap().jobs.is_empty());
}
