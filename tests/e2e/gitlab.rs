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

#[test]
fn includes_from_elsewhere_are_mapped() {
    let config = "include:
  - {project: acme/library, file: /lint.yml}
  - {component: gitlab.com/acme/parts/test@1.0, inputs: {n: 2}}
  - {template: Base.gitlab-ci.yml}
  - {remote: 'https://example.org/x.yml'}
";
    let project = project(config);
    project.write("library/lint.yml", "lint: {script: [echo linted]}\n");
    let component = "spec: {inputs: {n: {type: number}}}\n---\ntest: {script: ['echo $[[ inputs.n ]] of $[[ component.name ]]']}\n";
    project.write("parts/templates/test.yml", component);
    project.write(
        "templates/Base.gitlab-ci.yml",
        "base: {script: [echo base]}\n",
    );
    project.write("x.yml", "remote: {script: [echo far]}\n");
    let told = project.ci(&["validate"]).exits(2).stderr;
    assert!(told.contains("--include-map FROM=PATH"), "{told}");
    let settings = "version: 1\nincludes: {acme/library: library, templates: templates}\n";
    project.write(".ci/settings.yml", settings);
    let maps = [
        "gitlab.com/acme/parts=parts",
        "https://example.org/x.yml=x.yml",
    ];
    let words = [
        "run",
        "-v",
        "--include-map",
        maps[0],
        "--include-map",
        maps[1],
    ];
    let told = project.ci(&words).ok().stderr;
    for line in ["linted", "2 of test", "base", "far"] {
        assert!(told.contains(&format!("| {line}")), "{line}: {told}");
    }
}

#[test]
fn a_file_variable_is_a_path_and_a_manual_job_starts_when_named() {
    let config = "a: {script: ['cat \"$KEY\"', 'echo \"$COPY\"'], variables: {COPY: at $KEY}, when: manual}\n";
    let project = project(config);
    project.write("key.txt", "it's the $key\n");
    let words = ["run", "-v", "--job", "a", "--var-file", "KEY=key.txt"];
    let told = project.ci(&words).ok().stderr;
    assert!(told.contains("| it's the $key"), "{told}");
    assert!(
        told.contains("/.gitlab-files/KEY") && told.contains("| at /"),
        "{told}"
    );
}

#[test]
fn completions_know_the_jobs() {
    let project = project(CONFIG);
    let names = project.ci(&["shim", "jobs", "run", "--job"]).ok().stdout;
    let names: Vec<&str> = names.lines().collect();
    assert_eq!(
        names,
        ["lint", "test: [3.9]", "test: [3.10]", "bad", "release"]
    );
    let ci = crate::support::ci_path();
    let dir = ci.parent().expect("a directory").display().to_string();
    let script = "source <(ci completions bash); COMP_WORDS=(ci run --job te); COMP_CWORD=3; \
                  _ci_with_jobs ci te --job; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = std::process::Command::new("bash")
        .args(["-c", script])
        .current_dir(project.path())
        .env(
            "PATH",
            format!("{dir}:{}", std::env::var("PATH").unwrap_or_default()),
        )
        .output()
        .expect("bash");
    let completed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        completed.lines().count(),
        2,
        "{completed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        completed
            .lines()
            .all(|line| line.starts_with("test:\\ \\[3.")),
        "{completed}"
    );
}

const OF_THE_REPOSITORY: &str = r#"
about:
  script: ['echo "$CI_PROJECT_PATH $CI_DEFAULT_BRANCH $CI_COMMIT_TITLE by $CI_COMMIT_AUTHOR"']
urgent:
  script: ['true']
  rules: [{if: '$CI_COMMIT_MESSAGE =~ /^more/'}]
review:
  script: ['echo "from $CI_MERGE_REQUEST_SOURCE_BRANCH_NAME to $CI_MERGE_REQUEST_TARGET_BRANCH_NAME"']
  rules: [{if: '$CI_PIPELINE_SOURCE == "merge_request_event"'}]
tagged:
  script: ['true']
  only: [tags]
"#;

#[test]
fn a_file_of_any_name_is_known_and_the_repository_fills_its_variables() {
    let project = Project::of_vendor("pipeline.yml", OF_THE_REPOSITORY);
    project.git(&[
        "remote",
        "add",
        "origin",
        "https://me:secret@host.example/group/sub/app.git",
    ]);
    // A tag at the commit does not make it a pipeline of the tag.
    project.git(&["tag", "v1"]);
    let names = |words: &[&str]| {
        let all = [&["list", "pipeline.yml", "--format", "json"], words].concat();
        let list = project.ci(&all).ok().json();
        let jobs = list["workflows"][0]["jobs"].as_array().cloned();
        let names = jobs.into_iter().flatten().map(|job| job["name"].clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["about", "urgent"]);
    assert_eq!(names(&["--tag", "v1"]), ["about", "urgent", "tagged"]);
    assert_eq!(names(&["--event", "mr"]), ["urgent", "review"]);
    project.ci(&["run", "pipeline.yml", "-q"]).ok();
    let log = project.ci(&["logs", "last", "about"]).ok().stdout;
    assert!(log.contains("group/sub/app main more by a <a@b>"), "{log}");
    let words = [
        "run",
        "pipeline.yml",
        "-q",
        "--event",
        "mr",
        "--branch",
        "topic",
    ];
    project
        .ci(&[&words[..], &["--target", "trunk"]].concat())
        .ok();
    let log = project.ci(&["logs", "last", "review"]).ok().stdout;
    assert!(log.contains("from topic to trunk"), "{log}");
}
