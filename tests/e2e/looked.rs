//! What people look at: what failed, the page of a run, findings, values and trends.

use serde_json::{Value, json};

use crate::support::Project;

/// `test` breaks if there is a file `broken`; its reports and its size are kept.
const WORKFLOW: &str = r#"
version: 1
name: ci
jobs:
  lint: {steps: [{run: echo fine}]}
  test:
    needs: [lint]
    steps:
      - name: Run the tests
        run: |
          echo starting
          if [ -f broken ]; then
            printf '<testsuite name="s"><testcase classname="Net" name="&lt;script&gt;alert(1)&lt;/script&gt;"><failure message="expected 2"/></testcase></testsuite>' > junit.xml
            echo 'src/net.sh:3: error: <b>expected</b> 2'; exit 3
          fi
          printf '{"size": 100}' > metrics.json
      - {store_test_results: {paths: [junit.xml]}, when: always}
      - {store_artifacts: {paths: [metrics.json]}, when: always}
  ship: {needs: [test], steps: [{run: echo shipped}]}
"#;

fn project() -> Project {
    let project = Project::new(WORKFLOW);
    project.write(".gitignore", ".state\n.storage\n");
    project.git(&["init", "-q", "-b", "main"]);
    project.commit(".");
    project
}

/// A run that went well, and after a commit one that did not.
fn broken() -> Project {
    let project = project();
    project.ci(&["run"]).ok();
    project.write("broken", "");
    project.commit("broken");
    project
        .ci(&["run", "--report", "pages/{run}.html"])
        .exits(1);
    project
}

#[test]
fn what_failed_in_the_last_run_is_on_one_screen() {
    let project = broken();
    let shown = project.ci(&["show", "--last", "--failed"]).ok().stdout;
    for part in [
        "1 of 3 jobs failed",
        "✗ test › Run the tests  failed: exit code 3",
        "src/net.sh:3: error: <b>expected</b> 2",
        "Net::<script>alert(1)</script>: expected 2",
        "did not run: ship",
        "1 commit since the last success",
        "more (a)",
    ] {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
    assert!(shown.lines().count() <= 24, "{shown}");

    let words = ["show", "--failed", "--branch", "main", "--format", "json"];
    let view = project.ci(&words).ok().json();
    assert_eq!(view["jobs"][0]["step"]["name"], "Run the tests");
    assert_eq!(view["jobs"][0]["tests"][0]["message"], "expected 2");
    assert_eq!(view["last_success"]["total_commits"], 1);
    project
        .ci(&["show", "--failed", "--branch", "other"])
        .exits(2);
    let all = project.ci(&["show", "--last"]).ok().stdout;
    assert!(all.contains("JOB") && all.contains("lint"), "{all}");
}

#[test]
fn a_page_is_written_of_every_run_that_asks() {
    let project = broken();
    let run = project.last_id();
    let page = project.read(&format!("pages/{run}.html"));
    assert!(page.starts_with("<!DOCTYPE html>"));
    assert_eq!(page.matches("<script").count(), 1, "only the page's own");
    assert!(page.contains("alert(1)"), "the test is named");
    assert!(page.contains("shipped") || page.contains("ship"));

    project
        .ci(&["report", "html", "last", "-o", "again.html"])
        .ok();
    assert_eq!(project.read("again.html"), page);
    let markdown = project.ci(&["report", "run", "--format", "markdown"]).ok();
    assert!(
        markdown.stdout.starts_with("### ✗ ci: failed"),
        "{}",
        markdown.stdout
    );
    assert!(!markdown.stdout.contains("<script"));
    let text = project.ci(&["report", "run"]).ok().stdout;
    assert!(text.contains("slowest path"), "{text}");
    let view = project
        .ci(&["report", "run", "--format", "json"])
        .ok()
        .json();
    assert_eq!(view["failure"]["run"], json!(run));

    project.write(
        ".ci/settings.yml",
        "version: 1\nreport: {html: 'site/{run}.html'}\n",
    );
    project.ci(&["run"]).exits(1);
    let run = project.last_id();
    assert!(project.read(&format!("site/{run}.html")).contains(&run));
}

const BANDIT: &str = r#"{"generated_at": "x", "metrics": {}, "results": [
  {"filename": "./a.py", "issue_severity": "HIGH", "issue_text": "Shell", "line_number": 3, "test_id": "B602"},
  {"filename": "./b.py", "issue_severity": "LOW", "issue_text": "Assert", "line_number": 9, "test_id": "B101"}]}"#;
const SARIF: &str = r#"{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "other"}}, "results": [
  {"ruleId": "B602", "level": "warning", "message": {"text": "shell"}, "locations": [{"physicalLocation":
   {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 3}}}]}]}]}"#;

#[test]
fn findings_of_several_tools_are_one_list_with_a_gate() {
    let project = Project::new("");
    project.write("bandit.json", BANDIT);
    project.write("scan.sarif", SARIF);
    let files = ["report", "findings", "bandit.json", "scan.sarif"];
    let ci = |more: &[&str]| project.ci(&[&files[..], more].concat());
    let all: Value = ci(&["--format", "json"]).ok().json();
    assert_eq!(all["findings"].as_array().map(Vec::len), Some(2));
    assert_eq!(all["findings"][0]["tools"], json!(["bandit", "other"]));
    ci(&["--fail-at", "high"]).exits(1);
    ci(&["--fail-at", "critical"]).ok();
    ci(&["--fail-at", "critical", "--deny-warnings"]).exits(1);
    ci(&["--baseline", "known.txt", "--update-baseline"]).ok();
    let gated = ci(&["--fail-at", "low", "--baseline", "known.txt"]).ok();
    assert!(gated.stderr.contains("2 known"), "{}", gated.stderr);
    project.write("broken.json", "{");
    project
        .ci(&[
            "report",
            "findings",
            "bandit.json",
            "broken.json",
            "--fail-at",
            "critical",
        ])
        .exits(2);
}

#[test]
fn values_are_judged_by_earlier_runs_and_trends_show_them() {
    let project = project();
    for _ in 0..3 {
        project.ci(&["run"]).ok();
    }
    let judge = |size: &str, more: &[&str]| {
        project.write("metrics.json", &format!("{{\"size\": {size}}}"));
        project.ci(&[&["report", "metrics", "metrics.json"], more].concat())
    };
    let regression = ["--max-regression", "5"];
    judge("104", &regression).ok();
    let worse = judge("120", &regression).exits(1);
    assert!(worse.stdout.contains("+20.0 %"), "{}", worse.stdout);
    judge("120", &["--limit", "size=110"]).exits(1);
    judge("120", &["--limit", "nothing=110"]).exits(2);

    let words = [
        "trends",
        "--artifact",
        "metrics.json",
        "--svg",
        "trends.svg",
    ];
    let table = project.ci(&words).ok().stdout;
    assert!(table.contains("main") && table.contains("100 %"), "{table}");
    assert!(table.contains("size") && table.contains("queue"), "{table}");
    assert!(project.read("trends.svg").contains("<polyline"));
    let trends = project.ci(&["trends", "--format", "json"]).ok().json();
    assert_eq!(trends["branches"][0]["runs"], 3);
}
