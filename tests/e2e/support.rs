//! What the end-to-end tests share: the `ci` program, a project of its own for each test, and looking
//! at processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The `ci` program that was built with these tests.
pub(crate) fn ci_path() -> PathBuf {
    program("ci")
}

/// A program that was built with these tests.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let ci = test
        .parent()
        .and_then(Path::parent)
        .expect("target/PROFILE/deps")
        .join(name);
    assert!(
        ci.is_file(),
        "`{}` is not built: cargo build --workspace --all-targets",
        ci.display()
    );
    ci
}

/// The Python with the packages of other makers that tests ask; `tests/run.sh` makes it.
pub(crate) fn python() -> PathBuf {
    let usual = || {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        tests.join("../target/python/e2e/bin/python")
    };
    let python = std::env::var_os("CI_CORE_TEST_PYTHON").map_or_else(usual, PathBuf::from);
    assert!(
        python.is_file(),
        "`{}` is not there: tests/python.sh makes it",
        python.display()
    );
    python
}

/// A project in a directory of its own, with a store and a storage of its own.
pub(crate) struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    /// A project with this workflow.
    pub(crate) fn new(workflow: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let project = Self { dir };
        project.write(".ci/workflow.yml", workflow);
        project
    }

    /// A project whose only workflow is this file of a vendor, in a git repository on `main`.
    pub(crate) fn of_vendor(file: &str, config: &str) -> Self {
        let project = Self::new("");
        std::fs::remove_file(project.path().join(".ci/workflow.yml")).expect("removed");
        project.write(file, config);
        project.git(&["init", "-q", "-b", "main"]);
        project.commit(file);
        project
    }

    /// Commits a file.
    pub(crate) fn commit(&self, file: &str) {
        self.git(&["add", file]);
        self.git(&[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit",
            "-qm",
            "more",
        ]);
    }

    pub(crate) fn git(&self, words: &[&str]) {
        let done = Command::new("git")
            .args(words)
            .current_dir(self.path())
            .status();
        assert!(done.expect("git").success(), "git {words:?}");
    }

    /// The commit that is checked out.
    pub(crate) fn head(&self) -> String {
        let done = Command::new("git")
            .args(["rev-parse", "HEAD"])
            .current_dir(self.path())
            .output()
            .expect("git");
        let text = String::from_utf8(done.stdout).expect("UTF-8");
        text.trim().to_owned()
    }

    /// The project's directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a file has a directory")).expect("created");
        std::fs::write(path, text).expect("written");
    }

    /// A file of the project; empty if it is not there.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_default()
    }

    /// The store's file.
    pub(crate) fn store(&self) -> PathBuf {
        self.path().join(".state/runs.db")
    }

    /// `ci ARGS` in the project, not yet started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(ci_path());
        command
            .args(args)
            .current_dir(self.path())
            .env("CI_STORE", self.store())
            .env("CI_STORAGE", self.path().join(".storage"))
            .env("NO_COLOR", "1")
            // No engine answers there: what runs does not depend on the machine.
            .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
            .stdin(Stdio::null());
        command
    }

    /// Runs `ci ARGS` to its end.
    pub(crate) fn ci(&self, args: &[&str]) -> Done {
        let output = self.command(args).output().expect("ci starts");
        Done::new(args, output)
    }

    /// Starts `ci ARGS`.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ci starts")
    }

    /// The store's only or newest run, as `ci runs --format json` shows it.
    pub(crate) fn last_run(&self) -> Value {
        let page = self.ci(&["runs", "--format", "json"]).ok().json();
        page["data"][0].clone()
    }

    /// The id of the newest run.
    pub(crate) fn last_id(&self) -> String {
        self.last_run()["id"]
            .as_str()
            .expect("a run has an id")
            .to_owned()
    }
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Done {
    what: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    pub(crate) fn new(args: &[&str], output: Output) -> Self {
        Self {
            what: format!("ci {}", args.join(" ")),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// It succeeded.
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    /// It ended with this exit code.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "{}\n{}\n{}",
            self.what,
            self.stdout,
            self.stderr
        );
        self
    }

    /// The one JSON document it printed.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("one JSON document")
    }

    /// The events it printed.
    pub(crate) fn events(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
            .collect()
    }

    /// The last event: how the run ended.
    pub(crate) fn finished(&self) -> Value {
        let last = self.events().pop().expect("a run prints events");
        assert_eq!(last["type"], "run_finished", "{}", self.stderr);
        last
    }
}

/// A job of a `run_finished` event.
pub(crate) fn job<'a>(finished: &'a Value, name: &str) -> &'a Value {
    let jobs = finished["jobs"].as_array().expect("jobs");
    jobs.iter()
        .find(|job| job["name"] == name)
        .unwrap_or_else(|| panic!("no job `{name}`"))
}

/// The processes that carry the mark of a run.
pub(crate) fn processes_of(run: &str) -> Vec<u32> {
    let mark = format!("CI_CORE_RUN={run}");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("proc").flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // A process that ends while it is looked at has no environment any more.
        let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environ
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes())
        {
            found.push(pid);
        }
    }
    found
}

/// Waits until `condition` holds, and fails when it does not within half a minute.
pub(crate) fn until(what: &str, condition: impl FnMut() -> bool) {
    until_within(Duration::from_secs(30), what, condition);
}

/// Waits until `condition` holds, and fails when it does not within `limit`.
pub(crate) fn until_within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
