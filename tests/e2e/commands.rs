//! The command line's contract: JSON, exit codes, errors that say what to do.

use crate::support::{Project, job, until};

const MIXED: &str = r#"
version: 1
name: mixed
jobs:
  good: {steps: [{run: echo fine}]}
  bad: {steps: [{run: "echo broken >&2; exit 7"}]}
  after: {needs: [bad], steps: [{run: echo never}]}
  clean: {needs: [after], always: true, steps: [{run: echo swept}]}
  tolerated: {allow_failure: {exit_codes: [3]}, steps: [{run: exit 3}]}
"#;

#[test]
fn the_last_line_of_a_run_tells_how_every_job_ended() {
    let project = Project::new(MIXED);
    let finished = project.ci(&["run", "--format", "json"]).exits(1).finished();
    assert_eq!(finished["outcome"], "failed");
    assert!(finished["run"].is_string());
    assert_eq!(job(&finished, "good")["outcome"], "success");
    assert_eq!(job(&finished, "good")["exit_code"], 0);
    assert_eq!(job(&finished, "bad")["outcome"], "failed");
    assert_eq!(job(&finished, "bad")["exit_code"], 7);
    assert_eq!(job(&finished, "bad")["attempts"], 1);
    assert!(job(&finished, "bad")["duration"].is_f64());
    assert_eq!(job(&finished, "after")["outcome"], "not_run");
    assert_eq!(job(&finished, "after")["attempts"], 0);
    assert_eq!(job(&finished, "clean")["outcome"], "success");
    assert_eq!(job(&finished, "tolerated")["outcome"], "failed");
}

#[test]
fn runs_are_listed_newest_first_and_logs_are_kept_by_job() {
    let project = Project::new(MIXED);
    let first = project.ci(&["run", "--format", "json"]).exits(1).finished();
    let second = project.ci(&["run", "--format", "json"]).exits(1).finished();
    let page = project.ci(&["runs", "--format", "json"]).ok().json();
    assert_eq!(page["total"], 2);
    assert_eq!(page["data"][0]["id"], second["run"]);
    assert_eq!(page["data"][1]["id"], first["run"]);
    assert_eq!(page["data"][0]["outcome"], "failed");
    let logs = project.ci(&["logs", "last", "bad"]).ok();
    assert_eq!(logs.stdout, "broken\n");
    let unknown = project.ci(&["logs", "last", "baad"]).exits(2);
    assert!(
        unknown.stderr.contains("no job `baad`"),
        "{}",
        unknown.stderr
    );
    assert!(unknown.stderr.contains("`bad`"), "{}", unknown.stderr);
}

#[test]
fn rerun_from_failed_repeats_only_what_did_not_succeed() {
    let project = Project::new(
        r"
version: 1
name: again
jobs:
  build:
    steps:
      - run: echo build >> ran; mkdir -p out; echo built > out/file
      - persist_workspace: {root: out, paths: [file]}
  test:
    needs: [build]
    steps:
      - attach_workspace: {root: attached}
      - run: echo test >> ran; cat attached/file; rm -r attached; [ -f fixed ]
  report: {needs: [test], steps: [{run: echo report >> ran}]}
",
    );
    let first = project.ci(&["run", "--format", "json"]).exits(1).finished();
    assert_eq!(job(&first, "report")["outcome"], "not_run");
    project.write("fixed", "");
    let second = project
        .ci(&["rerun", "last", "--from-failed", "--format", "json"])
        .ok()
        .finished();
    assert_eq!(second["outcome"], "success");
    assert_ne!(first["run"], second["run"]);
    assert_eq!(project.read("ran"), "build\ntest\ntest\nreport\n");
    assert_eq!(project.last_run()["rerun_of"], first["run"]);
}

#[test]
fn an_approval_from_another_process_lets_a_held_job_go() {
    let project = Project::new(
        r#"
version: 1
name: gate
jobs:
  deploy: {manual: {prompt: "Deploy?"}, steps: [{run: touch deployed}]}
"#,
    );
    let engine = project.spawn(&["run", "-q"]);
    until("the run is kept", || {
        project.store().is_file() && project.last_run()["active"] == true
    });
    assert!(!project.path().join("deployed").exists());
    project
        .ci(&["approve", "last", "deploy", "--by", "ann"])
        .ok();
    let output = engine.wait_with_output().expect("it ends");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(project.path().join("deployed").exists());
    let shown = project
        .ci(&["show", "last", "--format", "json"])
        .ok()
        .json();
    let events = shown["events"].as_array().expect("events");
    assert!(
        events
            .iter()
            .any(|event| event["type"] == "job_approved" && event["by"] == "ann")
    );
}

#[test]
fn a_run_may_end_on_hold_and_be_resumed_after_the_decision() {
    let project = Project::new(
        r"
version: 1
name: hold
jobs:
  build: {steps: [{run: echo built >> ran}]}
  deploy: {needs: [build], manual: true, steps: [{run: echo deployed >> ran}]}
  after: {needs: [deploy], steps: [{run: echo after >> ran}]}
",
    );
    let held = project
        .ci(&["run", "--hold", "finish", "--format", "json"])
        .ok()
        .finished();
    assert_eq!(held["outcome"], "on_hold");
    assert_eq!(job(&held, "deploy")["outcome"], "on_hold");
    assert_eq!(job(&held, "after")["outcome"], "not_run");
    project.ci(&["approve", "last", "deploy"]).ok();
    let resumed = project
        .ci(&["resume", "last", "--format", "json"])
        .ok()
        .finished();
    assert_eq!(resumed["outcome"], "success");
    assert_eq!(project.read("ran"), "built\ndeployed\nafter\n");
}

#[test]
fn wrong_input_names_the_place_and_exits_2() {
    let project = Project::new("version: 1\nname: x\njobs:\n  a: {steps: [{rum: echo}]}\n");
    let wrong = project.ci(&["run"]).exits(2);
    assert!(wrong.stderr.contains("workflow.yml:4:"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("rum"), "{}", wrong.stderr);
    let cycle = Project::new(
        "version: 1\nname: x\njobs:\n  a: {needs: [b]}\n  b: {needs: [a]}\n  c: {needs: [d]}\n",
    );
    let wrong = cycle.ci(&["run"]).exits(2);
    assert_eq!(
        wrong.stderr,
        ".ci/workflow.yml:4:15: jobs wait for each other: a -> b -> a\n\
         .ci/workflow.yml:6:15: `c` needs `d`, which is no job\n"
    );
    let validated = cycle.ci(&["validate"]).exits(2);
    assert_eq!(validated.stderr, wrong.stderr);
    assert!(
        !cycle.store().exists()
            || cycle.ci(&["runs", "--format", "json"]).ok().json()["total"] == 0
    );
    project.ci(&["run", "nowhere"]).exits(2);
    project.ci(&["run", "--no-such-option"]).exits(2);
    project.ci(&["show", "last"]).exits(2);
}

#[test]
fn what_a_run_was_not_given_is_told_before_it_begins() {
    let project = Project::new(
        "version: 1\nname: x\njobs:\n  a: {steps: [{run: touch ran}]}\n  b:\n    needs: [a]\n    \
         contexts: [vualt]\n    steps:\n      - run: echo\n      - use: greet\n",
    );
    project.write("secrets.yml", "vault: {TOKEN: abcdefgh}");
    let wrong = project.ci(&["run", "--context", "secrets.yml"]).exits(2);
    let lines: Vec<&str> = wrong.stderr.lines().collect();
    assert_eq!(
        lines[0],
        ".ci/workflow.yml:7:16: job `b` takes the context `vualt`, which this run was not given (did \
         you mean `vault`?); given: `vault`"
    );
    assert!(lines[1].contains("hint: ") && lines[1].contains("--context FILE"));
    assert_eq!(
        lines[2],
        ".ci/workflow.yml:10:14: job `b`, step 2 (`greet`): no step is registered as `greet`; \
         registered: none"
    );
    assert!(!project.path().join("ran").exists());
    // Jobs that do not run ask for nothing.
    project.ci(&["run", "-q", "--job", "a"]).ok();
}

#[test]
fn a_file_that_is_no_workflow_is_told_with_what_to_do() {
    let project = Project::new("version: 1\nname: x\njobs: {}\n");
    let empty = project.ci(&["run"]).exits(2).stderr;
    assert!(
        empty.starts_with(".ci/workflow.yml:3:1: the workflow has no job\n"),
        "{empty}"
    );
    let mut hinted = vec![empty];
    project.write(
        "two.yml",
        "version: 2\nname: x\njobs:\n  a: {steps: [{run: x}]}\n",
    );
    let newer = project.ci(&["run", "two.yml"]).exits(2).stderr;
    assert!(
        newer.starts_with("two.yml:1:10: version `2` of the form is not known"),
        "{newer}"
    );
    hinted.push(project.ci(&["run", "nowhere.yml"]).exits(2).stderr);
    std::fs::write(
        project.path().join("bytes.yml"),
        b"version: 1\nname: \xff\n",
    )
    .expect("written");
    hinted.push(project.ci(&["validate", "bytes.yml"]).exits(2).stderr);
    assert!(hinted.iter().all(|it| it.contains("hint: ")), "{hinted:?}");
    // All jobs left out is no mistake.
    let out =
        "version: 1\nname: x\njobs:\n  a: {when: {branch: {is: none}}, steps: [{run: 'false'}]}\n";
    project.write(".ci/workflow.yml", out);
    project.ci(&["run", "-q"]).ok();
}

#[test]
fn an_unmapped_resource_class_is_diagnosed_not_guessed() {
    let project = Project::new(
        "version: 1\nname: x\njobs:\n  a: {resource_class: gigantic, steps: [{run: touch ran}]}\n",
    );
    let wrong = project.ci(&["run"]).exits(2);
    assert!(wrong.stderr.contains("gigantic"), "{}", wrong.stderr);
    assert!(!project.path().join("ran").exists());
    project.write(
        ".ci/settings.yml",
        "version: 1\nresource_classes:\n  gigantic: {executor: local, cpu: 1}\n",
    );
    project.ci(&["run", "-q"]).ok();
}

#[test]
fn graphs_are_drawn_in_three_languages() {
    let project = Project::new(MIXED);
    for (language, begins) in [
        ("dot", "digraph"),
        ("mermaid", "flowchart"),
        ("svg", "<svg"),
    ] {
        let drawn = project.ci(&["graph", "--as", language]).ok();
        assert!(
            drawn.stdout.trim_start().starts_with(begins),
            "{}",
            drawn.stdout
        );
        assert!(drawn.stdout.contains("tolerated"));
    }
}

#[test]
fn only_the_chosen_jobs_and_what_they_need_run() {
    let project = Project::new(
        r"
version: 1
name: some
jobs:
  a: {steps: [{run: echo a >> ran}]}
  b: {needs: [a], steps: [{run: echo b >> ran}]}
  c: {steps: [{run: echo c >> ran}]}
",
    );
    project.ci(&["run", "-q", "--job", "b"]).ok();
    assert_eq!(project.read("ran"), "a\nb\n");
    project.ci(&["run", "--job", "zzz"]).exits(2);
}

#[test]
fn completions_and_schemas_are_printed() {
    let project = Project::new(MIXED);
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            project
                .ci(&["completions", shell])
                .ok()
                .stdout
                .contains("rerun")
        );
    }
    for of in ["workflow", "settings", "events"] {
        assert!(project.ci(&["schema", of]).ok().json().is_object());
    }
}
