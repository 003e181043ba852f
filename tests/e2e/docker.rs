//! Vendors' files whose jobs run in containers, with services and test results, on a real engine.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::support::{Project, job};

/// An image of busybox that says that it listens on port 8080.
const IMAGE: &str = "ci-core-e2e";

/// The engine of these tests, with the image in it.
///
/// # Panics
/// If `CI` is set and there is none.
pub(crate) fn engine() -> Option<&'static str> {
    static ENGINE: OnceLock<Option<String>> = OnceLock::new();
    ENGINE
        .get_or_init(|| {
            let set = |name| std::env::var(name).ok().filter(|it| !it.is_empty());
            let host = set("CI_CORE_DOCKER_HOST").or_else(|| set("DOCKER_HOST"));
            let host = host.unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
            if !docker(&host, &["version"]) {
                assert!(set("CI").is_none(), "no Docker Engine answers at {host}");
                return None;
            }
            if !docker(&host, &["image", "inspect", IMAGE]) {
                import(&host);
            }
            Some(host)
        })
        .as_deref()
}

pub(crate) fn docker(host: &str, words: &[&str]) -> bool {
    let mut docker = Command::new("docker");
    docker.args(["--host", host]).args(words);
    let done = docker.stdout(Stdio::null()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}

/// Makes the image of this machine's busybox.
fn import(host: &str) {
    let script = r#"
set -e
mkdir -p "$1/bin" "$1/etc" "$1/root"
for at in /bin/busybox /usr/bin/busybox; do [ ! -x $at ] || cp $at "$1/bin/busybox"; done
for name in $("$1/bin/busybox" --list); do
  [ "$name" = busybox ] || ln -s busybox "$1/bin/$name"
done
echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
tar -C "$1" -c . | docker --host "$2" import -c 'EXPOSE 8080/tcp' - "$3"
"#;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut made = Command::new("sh");
    made.args(["-c", script, "sh"])
        .arg(dir.path())
        .args([host, IMAGE]);
    assert!(
        made.status().expect("sh").success(),
        "the image was not made"
    );
}

/// The names of what a run left on the engine.
pub(crate) fn left(host: &str, run: &str) -> String {
    let label = format!("label=ci-core.run={run}");
    let list = |words: &[&str]| {
        let mut docker = Command::new("docker");
        docker.args(["--host", host]).args(words);
        let output = docker.args(["--quiet", "--filter", &label]).output();
        String::from_utf8(output.expect("docker").stdout).expect("text")
    };
    list(&["ps", "--all"]) + &list(&["network", "ls"]) + &list(&["volume", "ls"])
}

const CIRCLECI: &str = r#"version: 2.1
jobs:
  test:
    docker:
      - {image: cimg/base:stable, environment: {COLOR: blue}}
      - {image: cimg/web:1, command: [httpd, -f, -p, "8080", -h, /etc]}
    shell: /bin/sh -e
    steps:
      - checkout
      - run: wget -q -O - http://localhost:8080/passwd; pwd; ls; echo "color=$COLOR"
      - run: |
          . "$HOME/.circleci/bash_env"
          circleci tests glob "*.txt" "none/**/*" | circleci tests split
          echo 'filled=$COLOR' | circleci env subst
      - run: mkdir -p out; echo '<testsuite><testcase classname="a" name="b" time="0.1"/></testsuite>' >out/r.xml
      - store_test_results: {path: out}
  plain:
    machine: true
    steps: [run: echo "on this machine"]
workflows: {main: {jobs: [test, plain]}}
"#;

#[test]
fn circleci_jobs_run_in_their_images_with_their_services() {
    let Some(host) = engine() else { return };
    let project = Project::of_vendor(".circleci/config.yml", CIRCLECI);
    project.write("one.txt", "1");
    project.commit("one.txt");
    let ci = |words: &[&str]| {
        let image = format!("cimg/*={IMAGE}");
        let all = [words, &["--image", &image]].concat();
        let mut command = project.command(&all);
        command.env("DOCKER_HOST", host);
        crate::support::Done::new(&all, command.output().expect("ci starts"))
    };
    let listed = ci(&["list", "--format", "json"]).ok().json();
    let jobs = &listed["workflows"][0]["jobs"];
    assert_eq!(jobs[0]["executor"], "docker");
    assert_eq!(
        jobs[0]["executor_why"],
        "it asks for an image, and an engine for containers answers"
    );
    assert_eq!(jobs[1]["executor"], "local");

    let told = ci(&["run", "-q"]).ok().stderr;
    assert!(told.contains("on docker: test"), "{told}");
    let run = ci(&["run", "--format", "json"]).ok();
    let finished = run.finished();
    assert_eq!(job(&finished, "test")["outcome"], "success");
    assert_eq!(job(&finished, "plain")["outcome"], "success");
    let log = project.ci(&["logs", "last", "test"]).ok().stdout;
    for words in [
        "service ci-core-e2e is ready",
        "root:x:0:0",
        "/root/project\n",
        "color=blue",
        "one.txt\n",
        "filled=blue",
    ] {
        assert!(log.contains(words), "{words} is not in:\n{log}");
    }
    assert!(
        run.stdout.contains("\"test_results\""),
        "no test results: {}",
        run.stdout
    );
    let id = finished["run"].as_str().expect("a run has an id");
    assert_eq!(left(host, id), "");
}

const GITLAB: &str = r#"stages: [test]
unit:
  stage: test
  image: registry.example/base:1
  services:
    - {name: registry.example/web:1, alias: web, command: [httpd, -f, -p, "8080", -h, /etc]}
  variables: {GREETING: hello}
  script:
    - wget -q -O - http://web:8080/passwd
    - echo "$GREETING from $PWD" && ls
    - mkdir -p out && echo '<testsuite><testcase classname="a" name="b"/></testsuite>' > out/r.xml
  artifacts: {reports: {junit: out/r.xml}}
"#;

#[test]
fn gitlab_jobs_run_in_their_images_with_their_services() {
    let Some(host) = engine() else { return };
    let project = Project::of_vendor(".gitlab-ci.yml", GITLAB);
    let image = format!("registry.example/*={IMAGE}");
    let words = [
        "run",
        "--format",
        "json",
        "--image",
        &image,
        "--executor",
        "docker",
    ];
    let mut command = project.command(&words);
    command.env("DOCKER_HOST", host);
    let run = crate::support::Done::new(&words, command.output().expect("ci starts")).ok();
    let finished = run.finished();
    assert_eq!(job(&finished, "unit")["outcome"], "success");
    let log = project.ci(&["logs", "last", "unit"]).ok().stdout;
    for words in ["root:x:0:0", "hello from /work", "ci-core-e2e is ready"] {
        assert!(log.contains(words), "{words} is not in:\n{log}");
    }
    assert!(
        run.stdout.contains("\"test_results\""),
        "no test results: {}",
        run.stdout
    );
    let id = finished["run"].as_str().expect("a run has an id");
    assert_eq!(left(host, id), "");
}

#[test]
fn a_job_is_written_as_a_compose_file_that_gives_its_services_back() {
    let project = Project::of_vendor(".gitlab-ci.yml", GITLAB);
    let image = format!("registry.example/*={IMAGE}");
    let words = ["export", "compose", "unit", "--image", &image];
    let done = project.ci(&words).ok();
    assert!(
        done.stdout
            .starts_with("# The job unit: docker compose run --rm unit\n")
    );
    for line in ["services:", "httpd", "depends_on:", IMAGE] {
        assert!(done.stdout.contains(line), "{line}: {}", done.stdout);
    }
    let told = project.ci(&["export", "compose", "uint"]).exits(2).stderr;
    assert!(
        told.contains("no job `uint`") && told.contains("`unit`"),
        "{told}"
    );

    // Another project's job finds its service in the file.
    let Some(host) = engine() else { return };
    let workflow = format!(
        "version: 1\nname: composed\njobs:\n  fetch:\n    image: {IMAGE}\n    executor: docker\n    \
         extra: {{docker: {{compose: compose.yaml}}}}\n    \
         steps:\n      - run: wget -q -O - http://web:8080/passwd\n"
    );
    let other = Project::new(&workflow);
    other.write("compose.yaml", &done.stdout);
    let words = ["run", "--format", "json"];
    let mut command = other.command(&words);
    command.env("DOCKER_HOST", host);
    let run = crate::support::Done::new(&words, command.output().expect("ci starts")).ok();
    let log = other.ci(&["logs", "last", "fetch"]).ok().stdout;
    assert!(log.contains("root:x:0:0"), "{log}");
    let finished = run.finished();
    assert_eq!(left(host, finished["run"].as_str().expect("an id")), "");
}

#[test]
fn an_executor_that_there_is_not_is_told_with_those_there_are() {
    let project = Project::of_vendor(".gitlab-ci.yml", GITLAB);
    let told = project
        .ci(&["list", "--executor", "dcoker"])
        .exits(2)
        .stderr;
    assert!(
        told.contains("`dcoker`") && told.contains("`docker`"),
        "{told}"
    );
}

#[test]
fn options_of_containers_are_in_the_schema_and_checked() {
    let project = Project::of_vendor(".gitlab-ci.yml", GITLAB);
    let schema = project.ci(&["schema", "settings"]).ok().json();
    let executor = &schema["$defs"]["ExecutorSettings"];
    for (choice, kind, name) in [(0, "docker", "DockerOptions"), (1, "swarm", "SwarmOptions")] {
        let choice = &executor["allOf"][choice];
        assert_eq!(choice["if"]["properties"]["type"]["const"], kind);
        let place = &choice["then"]["properties"]["options"]["$ref"];
        assert_eq!(place, &format!("#/$defs/{name}"));
        assert!(schema["$defs"][name]["properties"]["pull"].is_object());
    }
    let wrong = "version: 1\nexecutors: {farm: {type: docker, options: {pul: never}}}\n";
    project.write(".ci/settings.yml", wrong);
    let told = project.ci(&["run"]).exits(2).stderr;
    assert!(told.contains("farm") && told.contains("`pul`"), "{told}");
}

#[test]
fn nothing_to_reap_is_fine_and_no_engine_is_told() {
    let project = Project::of_vendor(".gitlab-ci.yml", GITLAB);
    let told = project.ci(&["reap", "--docker"]).exits(3).stderr;
    assert!(told.contains("docker"), "{told}");
    let Some(host) = engine() else { return };
    let words = ["reap", "--docker", "--format", "json"];
    let mut command = project.command(&words);
    command.env("DOCKER_HOST", host);
    let done = crate::support::Done::new(&words, command.output().expect("ci starts")).ok();
    assert!(done.json()["left"].as_array().is_some_and(Vec::is_empty));
}
