//! What is typed: what is refused, with what there is; what is printed to be typed next; what programs
//! are told.

use serde_json::json;

use crate::support::Project;

const WORKFLOW: &str = r"
version: 1
name: typed
jobs:
  a: {steps: [{run: echo one}, {run: echo two}]}
  b: {needs: [a], steps: [{run: exit 3}]}
  c: {needs: [b], always: true, steps: [{run: echo swept}]}
";

/// A project with a run that failed.
fn failed() -> Project {
    let project = Project::new(WORKFLOW);
    project.ci(&["run", "-q"]).exits(1);
    project
}

#[test]
fn what_a_run_does_not_have_is_refused_and_what_it_has_is_said() {
    let project = failed();
    let refused: [(&[&str], &str, &str); 6] = [
        (&["artifacts", "last", "x"], "no job `x`", "`a`, `b`, `c`"),
        (
            &["logs", "last", "a", "--step", "2"],
            "the job `a` does not have a step 2",
            "the steps 0 to 1",
        ),
        (
            &["logs", "last", "--step", "9"],
            "no job of the run has a step 9",
            "the steps 0 to 1",
        ),
        (
            &["logs", "last", "b", "--attempt", "2"],
            "the job `b` does not have an attempt 2",
            "the attempt 1",
        ),
        (
            &["logs", "last", "b", "--attempt", "0"],
            "an attempt 0",
            "the attempt 1",
        ),
        (&["approve", "last", "x"], "no job `x`", "`a`, `b`, `c`"),
    ];
    for (words, what, hint) in refused {
        let said = project.ci(words).exits(2).stderr;
        assert!(said.contains(what), "{words:?}: {said}");
        assert!(said.contains("hint: "), "{words:?}: {said}");
        assert!(said.contains(hint), "{words:?}: {said}");
    }
    let two = project.ci(&["logs", "last", "a", "--step", "1", "--attempt", "1"]);
    assert_eq!(two.ok().stdout, "two\n");
    project.ci(&["artifacts", "last", "a"]).ok();
}

#[test]
fn names_that_are_empty_are_refused() {
    let project = Project::new(WORKFLOW);
    let said = project.ci(&["run", "--var", "=x"]).exits(2).stderr;
    assert!(said.contains("nothing before the `=`"), "{said}");
    for command in ["run", "list", "runs", "show"] {
        let said = project.ci(&[command, "--branch", ""]).exits(2).stderr;
        assert!(said.contains("--branch"), "{said}");
    }
    // An empty value is one.
    project.ci(&["list", "--var", "X="]).ok();
}

#[test]
fn a_graph_is_data_for_programs() {
    let project = Project::new(WORKFLOW);
    let graph = project.ci(&["graph", "--format", "json"]).ok().json();
    let node = |name: &str, when: &str| json!({ "name": name, "stage": null, "when": when, "skipped": null });
    assert_eq!(graph["workflow"], "typed");
    assert_eq!(
        graph["nodes"],
        json!([
            node("a", "on_success"),
            node("b", "on_success"),
            node("c", "always")
        ])
    );
    assert_eq!(graph["edges"][0]["from"], "a");
    assert_eq!(graph["edges"][0]["to"], "b");
    assert_eq!(graph["edges"][0]["accept"], json!(["success"]));
    let both = project.ci(&["graph", "--as", "svg", "--format", "json"]);
    assert!(both.exits(2).stderr.contains("`--as`"));
}

#[test]
fn requests_and_removals_tell_programs_what_they_did() {
    let project = Project::new(
        r"
version: 1
name: hold
jobs:
  deploy:
    manual: true
    steps:
      - save_cache: {key: k1, paths: [.ci]}
",
    );
    let run = project.ci(&["run", "--hold", "finish", "--format", "json"]);
    let run = run.ok().finished()["run"].clone();
    let words = [
        "approve", "last", "deploy", "--by", "ann", "--format", "json",
    ];
    let approved = project.ci(&words).ok().json();
    let expected = json!({
        "run": run, "request": "approve", "job": "deploy", "by": "ann", "approved": true, "active": false,
    });
    assert_eq!(approved, expected);
    project.ci(&["resume", "-q"]).ok();
    let removed = project.ci(&["cache", "rm", "--all", "--format", "json"]);
    assert_eq!(removed.ok().json(), json!({ "removed": ["k1"] }));
}

#[test]
fn a_cancellation_tells_programs_what_it_asked_for() {
    let project = Project::new("version: 1\nname: long\njobs: {a: {steps: [{run: sleep 60}]}}\n");
    let engine = project.spawn(&["run", "-q"]);
    crate::support::until("the run is kept", || {
        project.store().is_file() && project.last_run()["active"] == true
    });
    let asked = project.ci(&["cancel", "--format", "json"]).ok().json();
    let expected = json!({
        "run": project.last_id(), "request": "cancel", "job": null, "by": "the command line",
    });
    assert_eq!(asked, expected);
    let ended = engine.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(1));
}

#[test]
fn commands_to_type_next_carry_the_store_that_was_given() {
    let project = failed();
    let id = project.last_id();
    // What the environment says need not be typed.
    let said = project.ci(&["show"]).ok().stderr;
    assert!(said.contains(&format!("`ci logs {id} b`")), "{said}");
    let given = ["--store", "my runs.db", "--storage", "kept"];
    let with = |words: &[&str]| project.ci(&[words, &given].concat());
    let options = "ci --store 'my runs.db' --storage kept";
    let said = with(&["runs"]).ok().stderr;
    assert_eq!(said, "there is no run store `my runs.db` yet\n");
    let said = with(&["show"]).exits(2).stderr;
    assert!(said.contains(&format!("`{options} run`")), "{said}");
    let said = with(&["run"]).exits(1).stderr;
    assert!(said.contains(&format!("  {options} rerun ")), "{said}");
    assert!(said.contains(&format!("  {options} logs ")), "{said}");
    for words in [&["show"][..], &["show", "--failed"]] {
        let said = with(words).ok().stderr;
        assert!(said.contains(&format!("`{options} logs ")), "{said}");
    }
    let said = with(&["show", "nosuch"]).exits(2).stderr;
    assert!(said.contains(&format!("`{options} runs`")), "{said}");
}

#[test]
fn a_resumed_run_counts_its_lines_anew_and_its_journal_goes_on() {
    let project = Project::new(
        "version: 1\nname: hold\njobs: {a: {steps: [{run: echo a}]}, b: {needs: [a], manual: true}}\n",
    );
    let words = ["run", "--hold", "finish", "--format", "json"];
    let mut parts = vec![project.ci(&words).ok().events()];
    project.ci(&["approve", "last", "b"]).ok();
    parts.push(project.ci(&["resume", "--format", "json"]).ok().events());
    for (place, events) in parts.iter().enumerate() {
        assert_eq!(events[0]["type"], "run_started");
        assert_eq!(events[0]["resumed"], place == 1);
        for (number, event) in (1..).zip(events) {
            assert_eq!(event["seq"], number);
        }
    }
    let shown = project.ci(&["show", "--format", "json"]).ok().json();
    let journal = shown["events"].as_array().expect("the journal");
    assert!(journal.iter().all(|event| event["type"] != "output"));
    let numbers = journal.iter().map(|event| event["seq"].as_u64());
    assert!(numbers.eq((1..=journal.len() as u64).map(Some)));
}

#[test]
fn help_shows_what_to_type() {
    let project = Project::new(WORKFLOW);
    for command in [
        "run",
        "resume",
        "rerun",
        "graph",
        "runs",
        "show",
        "logs",
        "cancel",
        "approve",
        "artifacts",
        "cache",
    ] {
        let help = project.ci(&[command, "--help"]).ok().stdout;
        let (_, examples) = help.split_once("Examples:\n").expect(command);
        for line in examples.lines() {
            let typed = line.trim_start();
            assert!(
                typed.starts_with(&format!("ci {command}")) || typed.starts_with("ci approve"),
                "{line}"
            );
        }
    }
}
