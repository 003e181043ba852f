//! The pipelines under examples/pipelines that are CircleCI's, as their folders' READMEs run them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::docker::{docker, engine};
use crate::quickstart::copy;
use crate::registry::{Registry, USER};
use crate::support::{Done, Project, ci_path, job};

/// A copy of an example, committed on a branch.
fn example(name: &str, branch: &str) -> Project {
    let project = Project::new("");
    std::fs::remove_dir_all(project.path().join(".ci")).expect("removed");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/pipelines");
    copy(&root.join(name), project.path());
    project.git(&["init", "-q", "-b", branch]);
    project.commit(".");
    project
}

/// The names of the jobs of a run, each of which succeeded.
fn succeeded(finished: &Value) -> Vec<&str> {
    let jobs = finished["jobs"].as_array().expect("jobs");
    assert!(
        jobs.iter().all(|job| job["outcome"] == "success"),
        "{jobs:#?}"
    );
    let names = jobs.iter().filter_map(|job| job["name"].as_str());
    names.collect()
}

/// The names of the jobs of a workflow that run, of `ci list`.
fn listed(list: &Value, workflow: &str) -> Vec<String> {
    let workflows = list["workflows"].as_array().expect("workflows");
    let found = workflows.iter().find(|it| it["name"] == workflow);
    let jobs = found.expect("the workflow")["jobs"].as_array();
    let names = jobs.expect("jobs").iter();
    names
        .map(|job| job["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// The counts of the test results that a run told of a job.
fn tests_of(run: &Done, name: &str) -> Option<(u64, u64)> {
    let of_job = |event: &&Value| event["type"] == "test_results" && event["job"] == name;
    let events = run.events();
    let event = events.iter().find(of_job)?;
    let count = |key: &str| event["counts"][key].as_u64();
    Some((count("tests")?, count("failed")?))
}

/// The Phoenix example with images of its own that stand for the vendor's, as long as it lives.
struct Phoenix {
    project: Project,
    host: &'static str,
    image: String,
}

impl Phoenix {
    /// Nothing without an engine.
    fn new(branch: &str) -> Option<Self> {
        let host = engine()?;
        let project = example("phoenix", branch);
        let image = format!("ci-core-e2e-phoenix-{}", std::process::id());
        let made = Command::new("sh")
            .args(["standin/image.sh", &image])
            .current_dir(project.path())
            .env("DOCKER_HOST", host)
            .output()
            .expect("sh");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{said}");
        Some(Self {
            project,
            host,
            image,
        })
    }

    /// `ci` with these images.
    fn ci(&self, words: &[&str]) -> Done {
        let images = [
            format!("cimg/elixir:*={}", self.image),
            format!("cimg/postgres:*={}-db", self.image),
        ];
        let all = [words, &["--image", &images[0], "--image", &images[1]]].concat();
        let mut command = self.project.command(&all);
        command.env("DOCKER_HOST", self.host);
        Done::new(&all, command.output().expect("ci starts"))
    }
}

impl Drop for Phoenix {
    fn drop(&mut self) {
        for image in [self.image.clone(), format!("{}-db", self.image)] {
            docker(self.host, &["image", "rm", "--force", &image]);
        }
    }
}

#[test]
fn the_phoenix_pipeline_runs_in_its_images_beside_a_database() {
    let Some(phoenix) = Phoenix::new("main") else {
        return;
    };
    let run = phoenix.ci(&["run", "--workflow", "ci", "--format", "json"]);
    let shards = ["--param", "parallel_tests=2"];
    let again = [
        &["run", "--workflow", "ci", "--format", "json"],
        &shards[..],
    ]
    .concat();
    let again = phoenix.ci(&again);
    let run = run.ok();
    let finished = run.finished();
    let names = succeeded(&finished);
    let expected = [
        "setup",
        "deps",
        "lint",
        "security",
        "dialyzer",
        "test (1/4)",
        "test (2/4)",
        "test (3/4)",
        "test (4/4)",
        "build_release",
    ];
    assert_eq!(names, expected);
    assert_eq!(finished["outcome"], "success");
    let ran: u64 = (1..=4)
        .filter_map(|node| tests_of(&run, &format!("test ({node}/4)")))
        .map(|(tests, _)| tests)
        .sum();
    assert_eq!(ran, 7, "{}", run.stdout);
    // The second run has other shards, and the caches of the first.
    let finished = again.ok().finished();
    assert_eq!(job(&finished, "test (2/2)")["outcome"], "success");
    let log = phoenix.project.ci(&["logs", "last", "test (1/2)"]);
    let log = log.ok().stdout;
    for words in [
        "brought back the cache `mix-v1-1.19.0-node-",
        "127.0.0.1:5432 - accepting connections",
        "covered: 8 of 8 lines, 100.0%, at least 85%",
    ] {
        assert!(log.contains(words), "{words} is not in:\n{log}");
    }
}

#[test]
fn the_release_of_the_phoenix_pipeline_pushes_an_image_and_waits_for_approval() {
    let Some(phoenix) = Phoenix::new("main") else {
        return;
    };
    let registry = Registry::with_lock();
    let project = &phoenix.project;
    let (user, password) = USER;
    let origin = format!("https://example.invalid/{user}/net_auto.git");
    project.git(&["remote", "add", "origin", &origin]);
    project.write(
        "contexts.json",
        &json!({ "netauto-ci": { "GHCR_PAT": password } }).to_string(),
    );
    let at = format!("registry={}", registry.host);
    let base = format!("base_image={}", phoenix.image);
    let held = phoenix.ci(&[
        "run",
        "--workflow",
        "release",
        "--tag",
        "v1.2.0",
        "--param",
        &at,
        "--param",
        &base,
        "--context",
        "contexts.json",
        "--hold",
        "finish",
        "--format",
        "json",
    ]);
    let held = held.finished();
    assert_eq!(job(&held, "docker_build_push")["outcome"], "success");
    assert_eq!(job(&held, "deploy_gate")["outcome"], "on_hold");
    let image = format!("{user}/net_auto:{}", project.head());
    assert!(registry.raw(&image).is_some(), "{image} was not pushed");

    project.ci(&["approve", "last", "deploy_gate"]).ok();
    let mut resume = project.command(&["resume", "last", "--format", "json"]);
    resume.env("DOCKER_HOST", phoenix.host);
    let done = Done::new(&["resume"], resume.output().expect("ci starts"));
    let done = done.ok().finished();
    assert_eq!(job(&done, "deploy_stub")["outcome"], "success");
    let log = project.ci(&["logs", "last", "deploy_stub"]).ok().stdout;
    assert!(log.contains("deploying v1.2.0"), "{log}");
}

#[test]
fn the_workflows_of_the_phoenix_pipeline_are_told_apart() {
    let project = example("phoenix", "topic");
    let list = |words: &[&str]| {
        let all = [&["list", "--format", "json"], words].concat();
        project.ci(&all).ok().json()
    };
    let push = list(&[]);
    assert_eq!(listed(&push, "ci").len(), 10);
    assert!(listed(&push, "nightly").is_empty() && listed(&push, "release").is_empty());
    let nightly = list(&[
        "--event",
        "schedule",
        "--branch",
        "main",
        "--workflow",
        "nightly",
    ]);
    let nodes = listed(&nightly, "nightly");
    assert_eq!(nodes.iter().filter(|name| name.ends_with("/8)")).count(), 8);
    let release = list(&["--tag", "v1.2.0"]);
    let jobs = listed(&release, "release");
    assert!(
        jobs.iter().any(|name| name.ends_with("deploy_gate")),
        "{jobs:?}"
    );
    assert!(listed(&release, "ci").is_empty());
    let pushed = list(&["--param", "docker_push=true"]);
    assert!(listed(&pushed, "image").contains(&"docker_build_push".to_owned()));
    let gate = &release["workflows"].as_array().expect("workflows")[2]["jobs"];
    let gate = gate.as_array().into_iter().flatten();
    let mut gate = gate.filter(|job| job["name"] == "deploy_gate");
    assert_eq!(gate.next().map(|job| &job["when"]), Some(&json!("manual")));
    let explained = explained(&project, &["--tag", "v1.2.0", "--executor", "docker"]);
    insta::assert_snapshot!("phoenix_explained", explained);
}

/// What `ci explain` says of the example.
fn explained(project: &Project, words: &[&str]) -> String {
    project.ci(&[&["explain"], words].concat()).ok().stdout
}

/// The tools of the Python project, installed once for its requirements.
fn python_tools() -> PathBuf {
    let ci = ci_path();
    let target = ci
        .parent()
        .and_then(Path::parent)
        .expect("target/PROFILE/ci");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/pipelines");
    let requirements = root.join("deep_learning/requirements-dev.txt");
    let wanted = std::fs::read_to_string(&requirements).expect("requirements");
    let tools = target.join("python-tools");
    let marker = tools.join("installed.txt");
    if std::fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return tools.join("bin");
    }
    let run = |command: &mut Command| {
        let output = command.output().expect("python3 starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {told}");
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&tools));
    run(Command::new(tools.join("bin/pip"))
        .args(["install", "-q", "-r"])
        .arg(&requirements));
    std::fs::write(&marker, wanted).expect("written");
    tools.join("bin")
}

#[test]
fn the_deep_learning_pipeline_runs_its_three_stages() {
    let project = example("deep_learning", "feature/gpu-kernels");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", python_tools().display());
    let ci = |words: &[&str]| {
        let mut command = project.command(words);
        command.env("PATH", &path);
        Done::new(words, command.output().expect("ci starts"))
    };
    let run = ci(&["run", "--format", "json"]).ok();
    let finished = run.finished();
    let names = succeeded(&finished);
    let expected = [
        "lint",
        "unit-tests",
        "security-scan",
        "integration-tests",
        "model-validation",
        "e2e-tests (1/2)",
        "e2e-tests (2/2)",
        "performance-benchmarks",
        "gpu-compatibility",
    ];
    assert_eq!(names, expected);
    assert_eq!(tests_of(&run, "unit-tests"), Some((7, 0)));
    assert_eq!(tests_of(&run, "integration-tests"), Some((3, 0)));
    let kept = project.ci(&["artifacts", "last"]).ok().stdout;
    for file in [
        "coverage.xml",
        "bandit.json",
        "benchmarks.json",
        "model-report.txt",
    ] {
        assert!(kept.contains(file), "{kept}");
    }
    // A gate that nobody can pass, and a test that fails.
    let words = [
        "run",
        "--job",
        "unit-tests",
        "--param",
        "coverage=101",
        "--format",
        "json",
    ];
    ci(&words).exits(1);
    let log = project.ci(&["logs", "last", "unit-tests"]).ok().stdout;
    assert!(
        log.contains("unit-tests failed on feature/gpu-kernels"),
        "{log}"
    );
    let list = |branch: &str| {
        let words = ["list", "--format", "json", "--branch", branch];
        listed(&project.ci(&words).ok().json(), "pipeline")
    };
    let main = list("main");
    for name in [
        "docker-build",
        "deploy-staging",
        "approve-production",
        "deploy-production",
    ] {
        assert!(main.iter().any(|it| it == name), "{main:?}");
    }
    assert!(
        !list("topic")
            .iter()
            .any(|it| it == "gpu-compatibility" || it == "docker-build")
    );
    let explained = explained(&project, &["--branch", "main"]);
    insta::assert_snapshot!("deep_learning_explained", explained);
}
