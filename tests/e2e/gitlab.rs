//! GitLab CI configurations from end to end.

use serde_json::json;

use crate::support::{Project, job};

const CONFIG: &str = r#"stages: [lint, test, release]
default: {image: alpine}
variables: {GREETING: hello}
.base: {before_script: [echo before]}
lint:
  stage: lint
  extends: .base
  script: [echo "$GREETING lint on $CI_COMMIT_BRANCH"]
test:
  stage: test
  extends: .base
  parallel: {matrix: [{PY: ["3.9", "3.10"]}]}
  script: ['mkdir -p out && echo "py=$PY" > out/$PY.txt']
  after_script: [echo "status $CI_JOB_STATUS"]
  artifacts: {paths: [out]}
bad:
  stage: test
  script: [exit 7]
  allow_failure: {exit_codes: 7}
tagged:
  script: [echo no]
  rules: [{if: $CI_COMMIT_TAG}]
release:
  stage: release
  script: [cat out/3.9.txt out/3.10.txt]
"#;

fn project(config: &str) -> Project {
    Project::of_vendor(".gitlab-ci.yml", config)
}

#[test]
fn a_configuration_runs_as_at_the_vendor() {
    let project = project(CONFIG);
    let run = project.ci(&["run", "--format", "json"]).ok();
    let finished = run.finished();
    for (name, outcome) in [
        ("lint", "success"),
        ("test: [3.9]", "success"),
        ("test: [3.10]", "success"),
        ("bad", "failed"),
        ("release", "success"),
    ] {
        assert_eq!(job(&finished, name)["outcome"], outcome, "{name}");
    }
    let log = |name: &str| project.ci(&["logs", "last", name]).ok().stdout;
    assert!(log("lint").contains("before\n") && log("lint").contains("hello lint on main"));
    assert!(log("test: [3.9]").contains("status success"));
    assert!(log("release").contains("py=3.9\n") && log("release").contains("py=3.10\n"));
}

#[test]
fn what_runs_and_what_differs_can_be_asked() {
    let project = project(CONFIG);
    let listed = project.ci(&["list", "--format", "json"]).ok().json();
    let workflow = &listed["workflows"][0];
    assert_eq!(
        workflow["jobs"][4],
        json!({
            "name": "release",
            "stage": "release",
            "needs": ["test: [3.9]", "test: [3.10]", "bad"],
            "when": "on_success",
            "allow_failure": false,
            "executor": "local",
            "executor_why": "no engine for containers answers",
        })
    );
    assert_eq!(workflow["skipped"][0]["name"], "tagged");
    let explained = project.ci(&["explain"]).ok().stdout;
    assert!(
        explained.contains("`image: alpine` is approximated"),
        "{explained}"
    );
    let merged = project.ci(&["compile", "--format", "json"]).ok().json();
    assert_eq!(merged["lint"]["before_script"], json!(["echo before"]));
    assert_eq!(merged["tagged"]["rules"][0]["if"], "$CI_COMMIT_TAG");
}

#[test]
fn a_wrong_configuration_is_told_with_its_places() {
    let wrong = CONFIG.replace("extends: .base\n  script", "extends: .bas\n  scirpt");
    let told = project(&wrong).ci(&["validate"]).exits(2).stderr;
    assert!(told.contains(".gitlab-ci.yml:7:12"), "{told}");
    assert!(told.contains(".bas"), "{told}");
}
