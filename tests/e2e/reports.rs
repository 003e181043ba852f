//! Reports and splitting from the command line.

use serde_json::json;

use crate::support::Project;

const JUNIT: &str = r#"<testsuites><testsuite name="s">
  <testcase classname="a.B" name="fast" time="0.5"/>
  <testcase classname="a.B" name="slow" time="2.5"><failure message="too slow">at line 3</failure></testcase>
  <testcase classname="a.C" name="later"><skipped/></testcase>
</testsuite></testsuites>"#;

const LCOV: &str = "SF:src/a.rs\nDA:1,3\nDA:2,0\nDA:3,1\nDA:4,1\nend_of_record\n";

fn project() -> Project {
    let project = Project::new("");
    project.write("junit.xml", JUNIT);
    project.write("lcov.info", LCOV);
    project
}

#[test]
fn test_results_are_counted_and_listed() {
    let project = project();
    let report = project
        .ci(&[
            "report",
            "tests",
            "junit.xml",
            "--format",
            "json",
            "--cases",
        ])
        .ok()
        .json();
    assert_eq!(
        (
            &report["tests"],
            &report["passed"],
            &report["failed"],
            &report["skipped"]
        ),
        (&json!(3), &json!(1), &json!(1), &json!(1))
    );
    assert_eq!(report["files"][0]["format"], "junit");
    assert_eq!(report["files"][0]["cases"][1]["message"], "too slow");
    let text = project.ci(&["report", "tests", "junit.xml"]).ok().stdout;
    assert_eq!(
        text,
        "✗ a.B slow: too slow\n3 tests in 3.00 s: 1 passed (0 flaky), 1 failed, 0 errors, 1 skipped\n"
    );
    let junit = project
        .ci(&["report", "tests", "junit.xml", "--format", "junit"])
        .ok();
    project.write("again.xml", &junit.stdout);
    let again = project
        .ci(&["report", "tests", "again.xml", "--format", "json"])
        .ok()
        .json();
    assert_eq!(again["tests"], 3);
}

#[test]
fn coverage_is_judged() {
    let project = project();
    let args = [
        "report",
        "coverage",
        "lcov.info",
        "--format",
        "json",
        "--fail-under",
    ];
    let report = project.ci(&[&args[..], &["70"]].concat()).ok().json();
    assert_eq!(
        report["lines"],
        json!({"covered": 3, "total": 4, "percent": 75.0})
    );
    let failed = project.ci(&[&args[..], &["80"]].concat()).exits(1);
    assert!(
        failed.stderr.contains("less than 80 %"),
        "{}",
        failed.stderr
    );
}

#[test]
fn what_is_no_report_is_told() {
    let project = project();
    project.write("x.txt", "hello");
    let told = project
        .ci(&["report", "tests", "x.txt", "none.xml"])
        .exits(2)
        .stderr;
    assert!(told.contains("`x.txt` is no test report"), "{told}");
    assert!(told.contains("`none.xml`"), "{told}");
    project.ci(&["report", "coverage", "x.txt"]).exits(2);
    project
        .ci(&["report", "coverage", "lcov.info", "--format", "junit"])
        .exits(2);
}

#[test]
fn tests_are_shared_out_by_their_times() {
    let project = project();
    project.write("names", "a.B.fast a.B.slow a.C.later");
    let shard = |index: &str| {
        let args = [
            "split",
            "--index",
            index,
            "--total",
            "2",
            "--timings",
            "junit.xml",
            "--",
        ];
        project.ci(&[&args[..], &["names"]].concat()).ok().stdout
    };
    assert_eq!(shard("0"), "a.B.slow\n");
    assert_eq!(shard("1"), "a.B.fast\na.C.later\n");
    project
        .ci(&["split", "--index", "2", "--total", "2", "names"])
        .exits(2);
    let found = project.ci(&["glob", "*.xml", "**/*.yml"]).ok().stdout;
    assert_eq!(found, ".ci/workflow.yml\njunit.xml\n");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let project = project();
    for words in [
        ["report", "coverage", "lcov.info", "--format", "lcov"],
        ["report", "coverage", "lcov.info", "--format", "text"],
        ["report", "tests", "junit.xml", "--format", "junit"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = project.command(&words);
        let output = command.stdout(writer).output().expect("ci starts");
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
    }
}
