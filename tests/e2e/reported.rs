//! Test results and coverage of runs: kept, shown, judged, and looked at over many runs.

use serde_json::{Value, json};

use crate::support::{Project, job};

/// A command that writes a JUnit file with a test that passes and one that ends with this element.
fn junit(second: &str) -> String {
    format!(
        "printf '%s' '<testsuite name=\"s\"><testcase classname=\"a.B\" name=\"fast\" time=\"0.1\"/>\
         <testcase classname=\"a.B\" name=\"net\" time=\"2.5\">{second}</testcase></testsuite>' \
         > junit.xml"
    )
}

const FAILURE: &str = "<failure message=\"too slow\">at line 3</failure>";

/// A workflow of one job that runs tests, hides how they end, and keeps the results.
fn hiding(second: &str) -> String {
    json!({"version": 1, "name": "ci", "jobs": {"test": {"steps": [
        {"run": format!("{}; false || true", junit(second))},
        {"store_test_results": {"paths": ["junit.xml"]}, "when": "always"},
    ]}}})
    .to_string()
}

fn event<'a>(events: &'a [Value], kind: &str) -> &'a Value {
    events
        .iter()
        .find(|event| event["type"] == kind)
        .unwrap_or_else(|| panic!("no `{kind}`"))
}

#[test]
fn a_command_that_hides_its_failure_still_shows_failed_tests() {
    let project = Project::new(&hiding(FAILURE));
    let done = project.ci(&["run", "--format", "json"]).ok();
    let events = done.events();
    let results = event(&events, "test_results");
    assert_eq!(results["counts"]["tests"], 2);
    assert_eq!(results["counts"]["failed"], 1);
    assert_eq!(results["files"][0]["format"], "junit");
    assert_eq!(results["failed"][0]["name"], "net");
    let finished = done.finished();
    let counts = &job(&finished, "test")["reports"]["tests"];
    assert_eq!(counts["failed"], 1);
    let told = project.ci(&["run"]).ok().stderr;
    assert!(told.contains("✗ 2 tests: 1 passed, 1 failed"), "{told}");
    assert!(told.contains("a.B::net: too slow"), "{told}");
    let shown = project.ci(&["show"]).ok().stdout;
    assert!(shown.contains("2 tests: 1 passed, 1 failed"), "{shown}");
    assert!(shown.contains("✗ test: a.B::net: too slow"), "{shown}");
}

#[test]
fn failed_tests_fail_the_job_where_that_is_asked_for() {
    let project = Project::new(&hiding(FAILURE));
    let flag = ["run", "--format", "json", "--fail-on-failed-tests"];
    let finished = project.ci(&flag).exits(1).finished();
    let reason = job(&finished, "test")["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(reason, "1 of 2 tests failed: `a.B::net`");
    let settings = "version: 1\njobs: {test: {reports: {fail_on_failed_tests: true}}}\n";
    project.write(".ci/settings.yml", settings);
    project.ci(&["run"]).exits(1);
    // A known flaky test does not count.
    let quarantine = format!("{settings}quarantine: {{tests: ['a.*::net']}}\n");
    project.write(".ci/settings.yml", &quarantine);
    let told = project.ci(&["run"]).ok().stderr;
    assert!(
        told.contains("a.B::net (in quarantine): too slow"),
        "{told}"
    );
}

#[test]
fn a_failed_command_is_forgiven_if_only_quarantined_tests_failed() {
    let workflow = |last: &str| {
        json!({"version": 1, "name": "ci", "jobs": {"test": {"steps": [
            {"run": format!("{}; exit 3", junit(FAILURE))},
            {"store_test_results": {"paths": ["junit.xml"]}, "when": "always"},
            {"run": "echo more", "when": last},
        ]}}})
        .to_string()
    };
    let project = Project::new(&workflow("always"));
    project.ci(&["run"]).exits(1);
    let settings = "version: 1\nquarantine: {tests: ['a.B::net']}\n";
    project.write(".ci/settings.yml", settings);
    let told = project.ci(&["run"]).ok().stderr;
    assert!(told.contains("taken for a success"), "{told}");
    // What was left out cannot be made up for.
    project.write(".ci/workflow.yml", &workflow("on_success"));
    let told = project.ci(&["run"]).exits(1).stderr;
    assert!(told.contains("it stays a failure"), "{told}");
}

#[test]
fn what_is_no_report_is_told_and_breaks_nothing() {
    let workflow = json!({"version": 1, "name": "ci", "jobs": {"test": {"steps": [
        {"run": "echo hello > notes.txt; echo '<testsuite><testcase name=\"x\"/>' > cut.xml"},
        {"store_test_results": {"paths": ["notes.txt", "cut.xml"]}},
        {"store_coverage": {"paths": ["notes.txt"]}},
    ]}}});
    let project = Project::new(&workflow.to_string());
    let done = project.ci(&["run", "--format", "json"]).ok();
    let events = done.events();
    let results = event(&events, "test_results");
    assert_eq!(results["counts"]["tests"], 1, "what was complete counts");
    let files = results["files"].as_array().unwrap();
    let of = |path: &str| files.iter().find(|file| file["path"] == path).unwrap();
    assert_eq!(of("notes.txt")["format"], Value::Null);
    assert_eq!(of("cut.xml")["truncated"], true);
    assert!(!of("cut.xml")["diagnostics"].as_array().unwrap().is_empty());
    let coverage = event(&events, "coverage");
    assert_eq!(coverage["totals"]["lines"]["total"], 0);
    let told = done.finished().to_string();
    assert!(told.contains("\"outcome\":\"success\""), "{told}");
}

/// Two shards of which each covers other lines: 50 % each, 75 % together.
fn shards() -> String {
    let write = "if [ $CI_NODE_INDEX = 0 ]; then hit='DA:1,1\\nDA:2,1\\nDA:3,0\\nDA:4,0'; \
                 else hit='DA:1,0\\nDA:2,1\\nDA:3,1\\nDA:4,0'; fi; \
                 printf \"SF:$PWD/src/a.rs\\n$hit\\nend_of_record\\n\" > \"$HOME/lcov.info\"";
    json!({"version": 1, "name": "ci", "jobs": {"test": {"parallelism": 2, "steps": [
        {"run": write},
        {"store_coverage": {"paths": ["~/lcov.info"]}},
    ]}}})
    .to_string()
}

#[test]
fn coverage_of_all_shards_is_merged_before_its_gate() {
    let project = Project::new(&shards());
    let done = project
        .ci(&["run", "--format", "json", "--coverage-min", "75"])
        .ok();
    let judged = event(&done.events(), "coverage_judged").clone();
    assert_eq!(judged["shards"], json!(["test 1/2", "test 2/2"]));
    assert_eq!(judged["totals"]["lines"], json!({"covered": 3, "total": 4}));
    assert_eq!(judged["passed"], true);
    let reports = job(&done.finished(), "test 1/2")["reports"].clone();
    assert_eq!(reports["coverage"]["lines"]["covered"], 2);
    let args = [
        "run",
        "--format",
        "json",
        "--coverage-min",
        "76,functions=10",
    ];
    let finished = project.ci(&args).exits(1).finished();
    let jobs = finished["jobs"].as_array().unwrap();
    let failed: Vec<&Value> = jobs
        .iter()
        .filter(|job| job["outcome"] == "failed")
        .collect();
    assert_eq!(
        failed.len(),
        1,
        "only the shard that was done last: {jobs:?}"
    );
    let reason = failed[0]["reason"].as_str().unwrap();
    assert_eq!(
        reason,
        "2 shards together: 75.00 % of the lines are covered (3 of 4), less than 76 %"
    );
    // What failed runs again, and is judged with what the other shard had kept.
    let again = project
        .ci(&["rerun", "last", "--from-failed", "--format", "json"])
        .exits(1);
    let judged = event(&again.events(), "coverage_judged").clone();
    assert_eq!(judged["totals"]["lines"]["covered"], 3);
}

#[test]
fn changed_lines_have_a_gate_of_their_own() {
    let workflow = json!({"version": 1, "name": "ci", "jobs": {"test": {"steps": [
        {"run": "printf 'SF:a.py\\nDA:1,1\\nDA:2,1\\nDA:3,0\\nend_of_record\\n' > lcov.info"},
        {"store_coverage": {"paths": ["lcov.info"]}},
    ]}}});
    let project = Project::of_vendor("a.py", "one\ntwo\n");
    project.write(".ci/workflow.yml", &workflow.to_string());
    project.write("a.py", "one\ntwo\nthree\n");
    let min = |min: &'static str| ["run", "--coverage-min", min, "--base", "HEAD"];
    project.ci(&min("60")).ok();
    let told = project.ci(&min("60,changed-lines=50")).exits(1).stderr;
    assert!(
        told.contains("0.00 % of the changed lines are covered (0 of 1), less than 50 %"),
        "{told}"
    );
    // Without a base nobody knows which lines changed.
    let told = project
        .ci(&["run", "--coverage-min", "changed-lines=50"])
        .exits(1)
        .stderr;
    assert!(
        told.contains("no `base` says which lines changed"),
        "{told}"
    );
}

#[test]
fn gitlab_reports_and_coverage_patterns_feed_the_same() {
    let config = format!(
        "test:\n  script:\n    - {}\n    - 'echo \"Lines: 78.46% (510/650)\"'\n  \
         coverage: '/Lines: (\\d+\\.\\d+)%/'\n  artifacts: {{reports: {{junit: junit.xml}}}}\n",
        serde_json::to_string(&junit(FAILURE)).unwrap()
    );
    let project = Project::of_vendor(".gitlab-ci.yml", &config);
    let done = project.ci(&["run", "--format", "json"]).ok();
    let finished = done.finished();
    let reports = &job(&finished, "test")["reports"];
    assert_eq!(reports["tests"]["failed"], 1, "{}", done.stderr);
    assert_eq!(reports["coverage"]["stated"], 78.46);
    let told = project.ci(&["run", "--coverage-min", "80"]).exits(1).stderr;
    assert!(
        told.contains("the output states a coverage of 78.46 %, less than 80 %"),
        "{told}"
    );
}

#[test]
fn flaky_tests_are_found_over_runs_and_put_in_quarantine() {
    let project = Project::new(&hiding(FAILURE));
    project.ci(&["run"]).ok();
    project.write(".ci/workflow.yml", &hiding(""));
    for _ in 0..2 {
        project.ci(&["run", "--var", "A=1"]).ok();
    }
    let nothing = project.ci(&["flaky", "--format", "json"]).ok().json();
    assert_eq!(nothing["tests"], json!([]), "a change is no proof yet");
    // Of one revision, it fails and passes.
    for second in [FAILURE, ""] {
        project.write(".ci/workflow.yml", &hiding(second));
        project.ci(&["run", "--revision", "c0ffee"]).ok();
    }
    let list = project.path().join(".ci/quarantine.txt");
    let list = list.to_str().unwrap();
    let found = project
        .ci(&["flaky", "--format", "json", "--quarantine", list])
        .ok()
        .json();
    assert_eq!(found["runs"], 5);
    assert_eq!(found["tests"][0]["id"], "a.B::net");
    assert_eq!(found["tests"][0]["contradictions"], 1);
    assert_eq!(found["tests"].as_array().unwrap().len(), 1);
    assert!(project.read(".ci/quarantine.txt").ends_with("a.B::net\n"));
    let table = project.ci(&["flaky"]).ok().stdout;
    assert!(table.contains("a.B::net"), "{table}");
    let settings = "version: 1\nquarantine: {file: .ci/quarantine.txt}\n";
    project.write(".ci/settings.yml", settings);
    project.write(".ci/workflow.yml", &hiding(FAILURE));
    project.ci(&["run", "--fail-on-failed-tests"]).ok();
}

#[test]
fn failed_tests_are_listed_for_their_runner() {
    let project = Project::new(&hiding(FAILURE));
    project.ci(&["run"]).ok();
    let list = |runner: &str| {
        let args = ["report", "failed", "last", "--for", runner];
        project.ci(&args).ok().stdout
    };
    assert_eq!(list("lines"), "a.B::net\n");
    assert_eq!(list("pytest"), "a.py::B::net\n");
    assert_eq!(list("go"), "-run=^(net)$\na.B\n");
    assert_eq!(list("maven"), "-Dtest=a.B#net\n");
    let all = project.ci(&["report", "failed", "--format", "json"]).ok();
    assert_eq!(all.json()["tests"][0]["id"], "a.B::net");
    project.write(".ci/workflow.yml", &hiding(""));
    project.ci(&["run"]).ok();
    assert_eq!(list("lines"), "");
    project.ci(&["report", "failed", "0000"]).exits(2);
}

#[test]
fn tests_are_shared_out_by_the_times_in_the_store() {
    let project = Project::new(&hiding(""));
    project.write("names", "a.B.fast a.B.net a.C.new");
    let split = |more: &[&str]| {
        let args = ["split", "--index", "0", "--total", "2", "--explain"];
        project.ci(&[&args[..], more, &["names"]].concat()).ok()
    };
    let before = split(&[]);
    assert!(before.stderr.contains("by name"), "{}", before.stderr);
    project.ci(&["run"]).ok();
    let after = split(&[]);
    assert_eq!(after.stdout, "a.B.net\n", "{}", after.stderr);
    assert_eq!(split(&["--timings-from", "store"]).stdout, "a.B.net\n");
    assert!(split(&["--workflow", "other"]).stderr.contains("by name"));
    // A job finds the store, and takes only what was there before its run.
    let ci = crate::support::ci_path();
    let ask = format!(
        "printf 'a.B.fast\\na.B.net\\na.C.new\\n' | {} split --total 2",
        ci.display()
    );
    let workflow = json!({"version": 1, "name": "ci", "jobs": {"split": {"parallelism": 2, "steps": [
        {"run": ask},
    ]}}});
    project.write(".ci/workflow.yml", &workflow.to_string());
    project.ci(&["run"]).ok();
    let shard = |index: &str| {
        let name = format!("split {index}/2");
        project.ci(&["logs", "last", &name]).ok().stdout
    };
    assert_eq!(shard("1").trim(), "a.B.net");
    assert_eq!(shard("2").trim(), "a.B.fast\na.C.new");
}

#[test]
fn circleci_results_are_read_and_their_times_share_out_tests() {
    let config = json!({"version": 2.1, "jobs": {"test": {
        "machine": true,
        "parallelism": 2,
        "steps": [
            {"run": junit(FAILURE)},
            {"run": "printf 'a.B.fast\\na.B.net\\na.C.new\\n' | circleci tests split --split-by=timings --timings-type=classname"},
            {"store_test_results": {"path": "junit.xml"}},
        ],
    }}, "workflows": {"main": {"jobs": ["test"]}}});
    let project = Project::of_vendor(".circleci/config.yml", &config.to_string());
    let run = || {
        let finished = project.ci(&["run", "--format", "json"]).ok().finished();
        assert_eq!(
            job(&finished, "test (1/2)")["reports"]["tests"]["failed"],
            1
        );
        project.ci(&["logs", "last", "test (1/2)"]).ok().stdout
    };
    let by_name = run();
    assert!(by_name.contains("a.B.fast\na.C.new\n"), "{by_name}");
    let by_time = run();
    assert!(by_time.contains("a.B.net\n"), "{by_time}");
    assert!(!by_time.contains("a.C.new"), "{by_time}");
}

/// A job that measures this time and keeps what a scanner found.
fn measuring() -> String {
    json!({"version": 1, "name": "ci", "jobs": {"bench": {"steps": [
        {"run": "cat time > metrics.json; cat found > scan.json"},
        {"store_metrics": {"paths": ["metrics.json"]}},
        {"store_findings": {"paths": ["scan.json"]}},
    ]}}})
    .to_string()
}

/// A report in GitLab's form of code quality, with these findings.
fn quality(findings: &[(&str, &str)]) -> String {
    let entry = |(severity, name): &(&str, &str)| {
        json!({"description": format!("{name} is bad"), "check_name": name, "severity": severity,
               "fingerprint": name, "location": {"path": "src/a.py", "lines": {"begin": 3}}})
    };
    Value::Array(findings.iter().map(entry).collect()).to_string()
}

#[test]
fn values_are_judged_against_the_runs_of_the_base_branch() {
    let project = Project::of_vendor(".ci/workflow.yml", &measuring());
    project.write("found", "[]");
    let branch = |name: &str| project.git(&["checkout", "-q", "-B", name]);
    let settings = |better: &str| {
        let rule = format!("{{name: time, regression: 10, better: {better}}}");
        project.write(
            ".ci/settings.yml",
            &format!(
                "version: 1\njobs: {{bench: {{reports: {{metrics: {{base: trunk, values: [{rule}, {{name: 'size*', limit: 500}}]}}}}}}}}\n"
            ),
        );
    };
    let run = |time: f64, size: u32| {
        project.write(
            "time",
            &json!({"time": time, "size": size, "other": 1}).to_string(),
        );
        project.ci(&["run", "--format", "json"])
    };
    settings("lower");
    branch("trunk");
    for time in [100.0, 101.0, 99.0, 100.0] {
        run(time, 400).ok();
    }
    branch("work");
    let fine = run(109.0, 400).ok();
    let judged = event(&fine.events(), "metrics_judged").clone();
    assert_eq!(
        (&judged["passed"], &judged["base"]),
        (&json!(true), &json!("trunk"))
    );
    let gate = judged["gates"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == "time");
    let gate = gate.unwrap();
    assert_eq!(
        (&gate["median"], &gate["earlier"]),
        (&json!(100.0), &json!(4))
    );
    let reports = job(&fine.finished(), "bench")["reports"].clone();
    assert_eq!(reports["metrics"].as_array().unwrap().len(), 3);
    let slow = run(120.0, 600).exits(1);
    let reason = job(&slow.finished(), "bench")["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(reason.contains("`time`: 120 is worse than 100"), "{reason}");
    assert!(
        reason.contains("`size`: 600 is worse than the limit 500"),
        "{reason}"
    );
    let text = project.ci(&["report", "run", "last"]).ok().stdout;
    assert!(
        text.contains("bench: time = 120 (+20.0 %, median of 4 runs 100)"),
        "{text}"
    );
    let shown = project.ci(&["show", "--last", "--failed"]).ok().stdout;
    assert!(shown.contains("120 is worse than 100"), "{shown}");
    // The other way round the same value is a good one.
    settings("higher");
    run(120.0, 400).ok();
    let trends = project
        .ci(&["trends", "--branch", "trunk", "--by-job"])
        .ok()
        .stdout;
    assert!(
        trends.contains("bench") && trends.contains("time"),
        "{trends}"
    );
    let trends = project
        .ci(&["trends", "--job", "bench", "--format", "json"])
        .ok()
        .json();
    let of_trunk = trends["branches"].as_array().unwrap().iter();
    let of_trunk = of_trunk
        .filter(|it| it["branch"] == "trunk")
        .collect::<Vec<_>>();
    assert_eq!((of_trunk.len(), &of_trunk[0]["job"]), (1, &json!("bench")));
}

#[test]
fn new_findings_fail_the_job_and_known_ones_do_not() {
    let project = Project::new(&measuring());
    project.write("time", "{\"time\": 1}");
    let settings = |warnings: &str| {
        project.write(
            ".ci/settings.yml",
            &format!(
                "version: 1\njobs: {{bench: {{reports: {{findings: {{fail_at: high, warnings: {warnings}, baseline: known.txt}}}}}}}}\n"
            ),
        );
    };
    let run = || project.ci(&["run", "--format", "json"]);
    settings("allowed");
    project.write(
        "found",
        &quality(&[("critical", "old"), ("minor", "small")]),
    );
    let bad = run().exits(1);
    let judged = event(&bad.events(), "findings_judged").clone();
    assert_eq!(judged["passed"], false);
    assert_eq!(judged["blocking"][0]["rule"], "old");
    let reason = job(&bad.finished(), "bench")["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        reason.starts_with("1 new finding blocks, 1 warning, 0 known"),
        "{reason}"
    );
    let markdown = project
        .ci(&["report", "run", "last", "--format", "markdown"])
        .ok()
        .stdout;
    assert!(markdown.contains("| critical | old |"), "{markdown}");
    // What is known does not block.
    project.write("known.json", &quality(&[("critical", "old")]));
    let update = [
        "report",
        "findings",
        "known.json",
        "--baseline",
        "known.txt",
        "--update-baseline",
    ];
    project.ci(&update).ok();
    let fine = run().ok();
    let judged = event(&fine.events(), "findings_judged").clone();
    assert_eq!(
        (&judged["known"], &judged["new"]["low"]),
        (&json!(1), &json!(1))
    );
    let html = project.ci(&["report", "html", "last"]).ok().stdout;
    assert!(html.contains("id=\"gates\"") && html.contains("id=\"findings\""));
    // Warnings may be denied.
    settings("denied");
    run().exits(1);
    // A report that cannot be read does not pass for one without findings.
    settings("allowed");
    project.write("found", "no report");
    let unread = run().exits(1);
    let reason = job(&unread.finished(), "bench")["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(reason.contains("`scan.json` cannot be read"), "{reason}");
}

#[test]
fn the_page_of_a_run_is_one_of_its_artifacts_if_asked() {
    let project = Project::new(&measuring());
    project.write("time", "{\"time\": 1}");
    project.write("found", "[]");
    project.ci(&["run", "--keep-report"]).ok();
    let listed = project
        .ci(&["artifacts", "last", "--format", "json"])
        .ok()
        .stdout;
    assert!(
        listed.contains("run.html") && listed.contains("(run)"),
        "{listed}"
    );
    project
        .ci(&["artifacts", "last", "(run)", "-o", "kept"])
        .ok();
    let page = project.read("kept/run.html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("id=\"values\""));
    project.write(".ci/settings.yml", "version: 1\nreport: {artifact: true}\n");
    project.ci(&["run"]).ok();
    let listed = project
        .ci(&["artifacts", "last", "--format", "json"])
        .ok()
        .stdout;
    assert!(listed.contains("run.html"), "{listed}");
}
