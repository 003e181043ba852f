//! Includes and inputs.

use super::{MemoryFiles, Options, Project, names};
use crate::config::fidelity::Level;
use crate::config::gitlab::{Compiled, Sources};
use crate::yaml::problem::ConfigError;

fn load(files: &[(&str, &str)], options: &Options) -> Result<Compiled, ConfigError> {
    let files: MemoryFiles = files.iter().copied().collect();
    Project::load(&files, options)
}

#[track_caller]
fn merged(files: &[(&str, &str)], options: &Options, expected: &str) {
    let compiled = load(files, options).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(serde_json::to_string(compiled.merged()).unwrap(), expected);
}

#[track_caller]
fn bad(files: &[(&str, &str)], options: &Options, expected: &str) {
    assert_eq!(load(files, options).unwrap_err().to_string(), expected);
}

#[test]
fn later_files_win_and_the_including_one_wins_over_all() {
    let files = [
        (
            ".gitlab-ci.yml",
            "include: [a.yml, {local: /sub/*.yml}]\njob: {script: own}\n",
        ),
        (
            "a.yml",
            "include: b.yml\njob: {script: a, tags: [t], variables: {A: a}}\n",
        ),
        ("b.yml", "job: {script: b, variables: {A: b, B: b}}\n"),
        ("sub/c.yml", "job: {tags: [u, v]}\n"),
        ("sub/deep/d.yml", "job: {tags: [no]}\n"),
    ];
    merged(
        &files,
        &Options::new(),
        r#"{"job":{"script":"own","variables":{"A":"a","B":"b"},"tags":["u","v"]}}"#,
    );
}

#[test]
fn includes_have_rules() {
    let files = [
        (
            ".gitlab-ci.yml",
            "include:\n\
             - {local: a.yml, rules: [{if: $CI_COMMIT_BRANCH == 'main'}]}\n\
             - {local: b.yml, rules: [{exists: [none]}]}\n\
             - {local: c.yml, rules: [{if: $CI, when: never}]}\n",
        ),
        ("a.yml", "a: {script: x}"),
        ("b.yml", "b: {script: x}"),
        ("c.yml", "c: {script: x}"),
    ];
    assert_eq!(names(&load(&files, &Options::new()).unwrap()), ["a"]);
}

#[test]
fn what_is_not_at_hand_is_named_or_left_out() {
    let text = "include:\n  - project: g/lib\n    file: [/x.yml]\n  - component: $CI_SERVER_FQDN/g/c/lint@1\njob: {extends: .x, stage: odd}\nreal: {script: x}\n";
    let files = [(".gitlab-ci.yml", text)];
    let hint = "hint: say where it is with `--include-map FROM=PATH` or `includes` in \
                `.ci/settings.yml`, or go on without it with `--stub-missing`";
    let error = load(&files, &Options::new()).unwrap_err().to_string();
    assert!(error.starts_with(&format!(
        ".gitlab-ci.yml:3:12: include: the file `x.yml` of project `g/lib` is not at hand\n  {hint}\n\
         .gitlab-ci.yml:4:16: include: the component `localhost/g/c/lint@1` is not at hand\n  {hint}"
    )), "{error}");
    let compiled = load(&files, &Options::new().stub_missing()).unwrap();
    assert_eq!(names(&compiled), ["real"]);
    let missing = compiled
        .fidelity()
        .rows()
        .iter()
        .filter(|row| row.level == Level::Missing);
    let keys: Vec<_> = missing.map(|row| row.key.as_str()).collect();
    assert_eq!(keys, ["include", "include", "script", "extends", "stage"]);
}

#[test]
fn files_of_others_come_from_the_caller() {
    let lib = MemoryFiles::from_iter([
        ("x.yml", "include: y.yml\n.x: {script: x}\n"),
        ("y.yml", ".y: {tags: [y]}\n"),
        (
            "templates/lint.yml",
            "spec:\n  inputs:\n    stage: {default: test}\n    tool:\n---\nlint-$[[ inputs.tool ]]: {stage: '$[[ inputs.stage ]]', script: '$[[ inputs.tool | truncate(0,2) ]] .'}\n",
        ),
    ]);
    let sources = Sources::new()
        .project("g/lib", lib)
        .remote("https://x.example/r.yml", "remote: {script: r}\n")
        .templates(MemoryFiles::from_iter([(
            "T.gitlab-ci.yml",
            "t: {script: t}\n",
        )]));
    let text = "\
include:
  - {project: g/lib, file: x.yml}
  - https://x.example/r.yml
  - template: T.gitlab-ci.yml
  - component: $CI_SERVER_FQDN/g/lib/lint@1.0
    inputs: {tool: ruff}
job: {extends: [.x, .y]}
";
    merged(
        &[(".gitlab-ci.yml", text)],
        &Options::new().sources(sources),
        r#"{"remote":{"script":"r"},"t":{"script":"t"},"lint-ruff":{"stage":"test","script":"ru ."},"job":{"script":"x","tags":["y"]}}"#,
    );
}

#[test]
fn inputs_have_types_options_and_patterns() {
    let text = "\
spec:
  inputs:
    flag: {type: boolean, default: false}
    count: {type: number, default: 2}
    list: {type: array, default: [a, b]}
    kind: {options: [x, y], default: x}
    version: {regex: '^v\\d'}
---
job:
  script: $[[ inputs.list ]]
  interruptible: $[[ inputs.flag ]]
  parallel: $[[ inputs.count ]]
  variables: {V: '$[[ inputs.kind ]]-$[[ inputs.version ]]'}
";
    let files = [(".gitlab-ci.yml", text)];
    merged(
        &files,
        &Options::new().input("version", "v1").input("flag", "true"),
        r#"{"job":{"script":["a","b"],"interruptible":true,"parallel":2,"variables":{"V":"x-v1"}}}"#,
    );
    let error = |options: &Options| {
        load(&files, options).unwrap_err().problems()[0]
            .message
            .clone()
    };
    assert_eq!(
        error(&Options::new()),
        "`version` input: required value has not been provided"
    );
    let options = || Options::new().input("version", "1");
    assert_eq!(
        error(&options()),
        "`version` input: `1` does not match the pattern `^v\\d`"
    );
    let options = || Options::new().input("version", "v1");
    assert_eq!(
        error(&options().input("count", "many")),
        "`count` input: provided value is not a number"
    );
    assert!(error(&options().input("kind", "z")).contains("not in the list of allowed options"));
    assert_eq!(error(&options().input("knid", "z")), "unknown input `knid`");
}

#[test]
fn components_of_the_project_itself_are_at_hand() {
    let files = [
        (
            ".gitlab-ci.yml",
            "include: {component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/lint@$CI_COMMIT_SHA}\n",
        ),
        ("templates/lint/template.yml", "lint: {script: x}\n"),
    ];
    assert_eq!(names(&load(&files, &Options::new()).unwrap()), ["lint"]);
    let files = [(".gitlab-ci.yml", "include: none.yml\n")];
    bad(
        &files,
        &Options::new(),
        ".gitlab-ci.yml:1:10: include: local file `none.yml` does not exist\n  \
         hint: go on without it with `--stub-missing`",
    );
}

#[test]
fn the_jobs_of_a_child_pipeline_follow_the_job_that_starts_it() {
    let files = [
        (
            ".gitlab-ci.yml",
            "stages: [one, two, three]\n\
             first: {stage: one, script: x}\n\
             child: {stage: two, variables: {GO: '1'}, trigger: {include: sub/child.yml, strategy: depend}}\n\
             last: {stage: three, script: x}\n",
        ),
        (
            "sub/child.yml",
            "a: {stage: build, script: x, rules: [{if: $GO && $CI_PIPELINE_SOURCE == 'parent_pipeline'}]}\n\
             b: {script: x}\n\
             c: {script: x, when: manual}\n",
        ),
    ];
    let compiled = load(&files, &Options::new()).unwrap();
    let child = &compiled.children()[0];
    assert_eq!((&*child.job, child.waits), ("child", true));
    let workflow = compiled.workflow().unwrap();
    let needs = |name: &str| {
        let job = workflow.jobs.iter().find(|job| &*job.name == name).unwrap();
        job.needs.iter().map(|need| &*need.job).collect::<Vec<_>>()
    };
    assert_eq!(needs("child / a"), ["child"]);
    assert_eq!(needs("child / b"), ["child / a", "child"]);
    assert_eq!(needs("last"), ["child", "child / a", "child / b"]);
    assert_eq!(
        workflow.jobs[3].options.env["CI_PIPELINE_SOURCE"],
        "parent_pipeline"
    );
}

#[test]
fn files_that_include_each_other_are_refused() {
    let files = [
        (".gitlab-ci.yml", "include: a.yml\njob: {script: x}\n"),
        ("a.yml", "include: .gitlab-ci.yml\n"),
    ];
    bad(
        &files,
        &Options::new(),
        "a.yml:1:10: the files include each other: .gitlab-ci.yml -> a.yml -> .gitlab-ci.yml",
    );
    let options = &Options::new();
    bad(
        &[],
        options,
        ".gitlab-ci.yml:1:1: cannot read `.gitlab-ci.yml`: entity not found",
    );
}

#[test]
fn a_file_that_includes_two_hundred_is_refused() {
    let list: Vec<String> = (0..200).map(|_| "a.yml".to_owned()).collect();
    let text = format!("include: [{}]\njob: {{script: x}}\n", list.join(", "));
    let files = [(".gitlab-ci.yml", text.as_str()), ("a.yml", ".a: {}\n")];
    let error = load(&files, &Options::new()).unwrap_err().to_string();
    assert!(
        error.contains("maximum of 150 nested includes are allowed"),
        "{error}"
    );
}

#[test]
fn inputs_have_their_types() {
    let typed = "spec: {inputs: {n: {type: number, default: 1}, s: {default: a}, l: {type: array, default: [], options: [x, y]}}}\n---\njob: {script: 'echo $[[ inputs.n ]] $[[ inputs.s ]] $[[ inputs.l ]]'}\n";
    let with = |inputs: &str| format!("include: {{local: t.yml, inputs: {inputs}}}\n");
    for (inputs, expected) in [
        (
            "{n: many}",
            "1:37: `n` input: provided value is not a number",
        ),
        ("{s: 1}", "1:37: `s` input: provided value is not a string"),
        (
            "{l: [x, z]}",
            "1:37: `l` input: `z` cannot be used because it is not in the list of allowed options",
        ),
    ] {
        let own = with(inputs);
        let files = [(".gitlab-ci.yml", own.as_str()), ("t.yml", typed)];
        bad(
            &files,
            &Options::new(),
            &format!(".gitlab-ci.yml:{expected}"),
        );
    }
    // What somebody types is text, and stands for what the type asks for.
    let options = Options::new().input("n", "2").input("s", "3");
    let own = [(".gitlab-ci.yml", typed)];
    merged(&own, &options, r#"{"job":{"script":"echo 2 3 []"}}"#);
    // A header makes blocks count, even one that declares nothing.
    let files = [(
        ".gitlab-ci.yml",
        "spec: {}\n---\na: {script: '$[[ inputs.x ]]'}\n",
    )];
    let told = load(&files, &Options::new()).unwrap_err().to_string();
    assert!(told.contains("unknown interpolation key: `x`"), "{told}");
}

#[test]
fn a_remote_file_is_compared_with_its_hash() {
    let sources = Sources::new().remote("https://h/x.yml", "job: {script: x}\n");
    let with =
        |hash: &str| format!("include: {{remote: 'https://h/x.yml', integrity: '{hash}'}}\n");
    let read = |hash: &str| {
        let text = with(hash);
        let files = [(".gitlab-ci.yml", text.as_str())];
        load(&files, &Options::new().sources(sources.clone()))
    };
    let told = read("sha256-AAAA").unwrap_err().to_string();
    let (_, hash) = told
        .rsplit_once('`')
        .map_or(("", ""), |(rest, _)| rest.rsplit_once('`').unwrap());
    assert!(
        told.contains(":1:49: include:integrity: the file has another hash than `sha256-AAAA`"),
        "{told}"
    );
    assert_eq!(names(&read(hash).unwrap()), ["job"]);
    let told = read("md5-x").unwrap_err().to_string();
    assert!(told.contains("`integrity` begins with `sha256-`"), "{told}");
}

#[test]
fn a_component_knows_its_name() {
    let files = [
        (
            ".gitlab-ci.yml",
            "include: {component: $CI_SERVER_HOST/$CI_PROJECT_PATH/lint@1.2}\n",
        ),
        (
            "templates/lint.yml",
            "spec: {component: [name, version]}\n---\njob: {script: '$[[ component.name ]] $[[ component.version ]]'}\n",
        ),
    ];
    merged(&files, &Options::new(), r#"{"job":{"script":"lint 1.2"}}"#);
}
