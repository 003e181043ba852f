//! The deploy example: blue and green, an approval, health checks and the way back.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::quickstart::copy;
use crate::support::{Done, Project, job, until};

/// The example in a directory of its own, with its service.
struct Site {
    project: Project,
    service: Child,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

impl Site {
    fn start() -> Self {
        let project = Project::new("");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/pipelines/deploy");
        copy(&source, project.path());
        let _ = std::fs::remove_dir_all(project.path().join("site"));
        let mut service = Command::new("python3")
            .arg("service.py")
            .current_dir(project.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        // It says where it is when it listens.
        let mut line = String::new();
        let stdout = service.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("read");
        assert!(line.starts_with("http://127.0.0.1:"), "{line}");
        Self { project, service }
    }

    /// What the live side shows.
    fn page(&self) -> String {
        let asked = Command::new("python3")
            .args(["scripts/ask.py", "/"])
            .current_dir(self.project.path())
            .output()
            .expect("python3");
        String::from_utf8(asked.stdout)
            .expect("UTF-8")
            .trim()
            .to_owned()
    }

    /// Deploys a release, and approves it.
    fn deploy(&self, text: &str, health: &str) -> Value {
        self.project.write("release/index.html", text);
        self.project.write("release/health", health);
        let before = self.runs();
        let run = self.project.spawn(&["run", "--format", "json"]);
        until("the run is there", || self.runs() > before);
        self.project.ci(&["approve", "last", "approve"]).ok();
        let args = ["run", "--format", "json"];
        Done::new(&args, run.wait_with_output().expect("ended")).finished()
    }

    fn runs(&self) -> u64 {
        let page = self.project.ci(&["runs", "--format", "json"]).ok().json();
        page["total"].as_u64().expect("a number")
    }
}

fn outcome<'a>(finished: &'a Value, name: &str) -> &'a str {
    job(finished, name)["outcome"].as_str().expect("an outcome")
}

#[test]
fn a_healthy_release_goes_live_after_the_approval() {
    let site = Site::start();
    assert_eq!(site.page(), "blue: the first release");
    let run = site.deploy("two", "ok");
    assert_eq!(run["outcome"], "success");
    assert_eq!(site.page(), "green: two");
    for name in ["rollback", "discard"] {
        assert_eq!(outcome(&run, name), "not_run", "{name}");
    }
    let run = site.deploy("three", "ok");
    assert_eq!(run["outcome"], "success");
    assert_eq!(site.page(), "blue: three");
}

#[test]
fn a_release_that_breaks_when_it_is_live_is_rolled_back() {
    let site = Site::start();
    let run = site.deploy("two", "ok until live");
    assert_eq!(run["outcome"], "failed");
    assert_eq!(outcome(&run, "check"), "success");
    assert_eq!(outcome(&run, "verify"), "failed");
    assert_eq!(outcome(&run, "rollback"), "success");
    assert_eq!(site.page(), "blue: the first release");
}

#[test]
fn a_bad_release_is_never_live() {
    let site = Site::start();
    site.project.write("release/health", "broken");
    let done = site.project.ci(&["run", "--format", "json"]).exits(1);
    let run = done.finished();
    assert_eq!(outcome(&run, "check"), "failed");
    assert_eq!(outcome(&run, "discard"), "success");
    assert_eq!(outcome(&run, "switch"), "not_run");
    assert_eq!(site.page(), "blue: the first release");
    assert!(!site.project.path().join("site/green").exists());
}
