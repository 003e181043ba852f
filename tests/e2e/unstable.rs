//! Every commit of a repository on a step runner that crashes, hangs and drops connections, while the
//! watching program is killed.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Project, program, until, until_within};

/// A step runner that is started again whenever it crashes.
struct Runner {
    port: u16,
    stop: Arc<AtomicBool>,
    starts: Arc<AtomicU32>,
    log: Arc<Mutex<String>>,
    guard: Option<JoinHandle<()>>,
}

impl Runner {
    fn start(words: &'static [&'static str]) -> Self {
        // Another process may take the free port first: then the step runner ends again and again, and
        // another port is tried.
        let started = (0..5).find_map(|_| Self::listen(words));
        started.expect("a step runner that starts")
    }

    fn listen(words: &'static [&'static str]) -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let mut runner = Self {
            port,
            stop: Arc::default(),
            starts: Arc::default(),
            log: Arc::default(),
            guard: None,
        };
        let (stop, starts) = (Arc::clone(&runner.stop), Arc::clone(&runner.starts));
        let log = Arc::clone(&runner.log);
        let guard = std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                starts.fetch_add(1, Ordering::SeqCst);
                let mut child = serve(port, words);
                let mut stderr = child.stderr.take().expect("piped");
                let reader = std::thread::spawn(move || {
                    let mut text = String::new();
                    let _ = stderr.read_to_string(&mut text);
                    text
                });
                while child.try_wait().expect("a child").is_none() {
                    if stop.load(Ordering::SeqCst) {
                        child.kill().expect("SIGKILL");
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                log.lock()
                    .expect("no panic")
                    .push_str(&reader.join().expect("read"));
            }
        });
        runner.guard = Some(guard);
        // No `lint` crashes it.
        let mut answers = false;
        until("the step runner answers", || {
            answers = runner.ask("lint", "x").is_some();
            answers || runner.starts.load(Ordering::SeqCst) > 1
        });
        answers.then_some(runner)
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Asks for a step as a program that knows nothing of the engine does: status and body.
    fn ask(&self, step: &str, commit: &str) -> Option<(u16, Value)> {
        let mut stream = TcpStream::connect(self.address()).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let body =
            json!({"step_name": step, "repo_path": "/repo", "commit_hash": commit}).to_string();
        let request = format!(
            "POST /step/trigger HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let body = answer.split_once("\r\n\r\n")?.1;
        Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(guard) = self.guard.take() {
            let _ = guard.join();
        }
    }
}

fn serve(port: u16, words: &[&str]) -> Child {
    Command::new(program("step_runner"))
        .args(words)
        .env("STEP_RUNNER_SERVER_ADDR", format!("127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the step runner starts")
}

const CALM: [&str; 12] = [
    "--crash-rate",
    "0",
    "--hang-rate",
    "0",
    "--drop-rate",
    "0",
    "--error-rate",
    "0",
    "--max-ms",
    "0",
    "--verdicts",
    "7",
];

#[test]
fn the_documented_answers_are_given() {
    let runner = Runner::start(&CALM);
    let (status, body) = runner.ask("lint", "c0ffee").expect("an answer");
    assert_eq!(status, 200);
    let expected =
        json!({"status": "success", "step_name": "lint", "commit_hash": "c0ffee", "exit_code": 0});
    assert_eq!(body, expected);
    let (status, body) = runner.ask("deploy", "c0ffee").expect("an answer");
    assert_eq!((status, &body["status"]), (400, &json!("error")));
    let failed = (0..100).filter_map(|commit| runner.ask("test", &commit.to_string()));
    let failed = failed.filter(|(status, body)| *status == 200 && body["status"] == "failure");
    assert!((5..50).contains(&failed.count()));
}

#[test]
fn real_commands_run_on_the_files_of_the_commit() {
    let project = Project::of_vendor("code.sh", "echo hello from the commit; exit 3\n");
    let runner = Runner::start(&[
        "--exec",
        "--lint",
        "cat code.sh",
        "--build",
        "sh code.sh",
        "--test",
        "false",
    ]);
    project.write("code.sh", "not committed");
    let address = runner.address();
    let words = [
        "watch",
        ".",
        "--once",
        "--first",
        "everything",
        "--step-runner",
        &address,
    ];
    let told = project.ci(&words).exits(1).stderr;
    assert!(
        told.contains("build failed: exit code 3; test failed: exit code 1"),
        "{told}"
    );
    let log = project.ci(&["logs", "last", "build"]).ok().stdout;
    assert!(log.contains("hello from the commit"), "{log}");
}

#[test]
fn an_outage_is_no_failed_test() {
    let project = Project::of_vendor("code.sh", "");
    let words = [
        "watch",
        ".",
        "--once",
        "--first",
        "everything",
        "--step-runner",
        "127.0.0.1:1",
        "--budget",
        "1s",
    ];
    let told = project.ci(&words).exits(1).stderr;
    assert!(
        told.contains("test infrastructure_failure: the step runner at"),
        "{told}"
    );
    assert_eq!(project.last_run()["outcome"], "infrastructure_failure");
}

/// How many commits there are, and how often the watching program is killed.
const COMMITS: u32 = 200;
const KILLS: u32 = 10;

#[test]
fn every_step_of_every_commit_is_decided_truly_whatever_breaks() {
    let project = Project::of_vendor("code.sh", "");
    project.ci(&["watch", ".", "--once"]).ok();
    let runner = Runner::start(&[
        "--crash-rate",
        "0.2",
        "--hang-rate",
        "0.05",
        "--drop-rate",
        "0.1",
        "--error-rate",
        "0.1",
        "--max-ms",
        "30",
        "--verdicts",
        "7",
    ]);
    let address = runner.address();
    let words = [
        "watch",
        ".",
        "--step-runner",
        &address,
        "--reply-timeout",
        "400ms",
        "--runs",
        "6",
    ];
    let mut watch = project.spawn(&words);
    for number in 0..COMMITS {
        project.write("code.sh", &number.to_string());
        project.commit("code.sh");
        if number % (COMMITS / KILLS) == 1 {
            std::thread::sleep(Duration::from_millis(u64::from(number * 37 % 300)));
            watch.kill().expect("SIGKILL");
            watch.wait().expect("gone");
            watch = project.spawn(&words);
        }
    }
    let runs = || -> Vec<Value> {
        let page = project
            .ci(&["runs", "-n", "1000", "--format", "json"])
            .ok()
            .json();
        page["data"].as_array().expect("runs").clone()
    };
    let long = Duration::from_mins(12);
    until_within(long, "every commit has a run that ended", || {
        let runs = runs();
        runs.len() >= COMMITS as usize && runs.iter().all(|run| !run["finished"].is_null())
    });
    watch.kill().expect("SIGKILL");
    watch.wait().expect("gone");
    let crashes = runner.starts.load(Ordering::SeqCst) - 1;
    drop(runner);
    let calm = Runner::start(&CALM);
    let mut seen = BTreeSet::new();
    for run in runs() {
        let commit = run["revision"].as_str().expect("a commit").to_owned();
        let shown = project
            .ci(&[
                "show",
                run["id"].as_str().expect("an id"),
                "--format",
                "json",
            ])
            .ok()
            .json();
        for step in ["lint", "build", "test"] {
            let jobs = shown["jobs"].as_array().expect("jobs").iter();
            let mut jobs = jobs.filter(|job| job["name"] == step);
            let job = jobs
                .next()
                .unwrap_or_else(|| panic!("{step} of {commit} is decided"));
            let (status, truth) = calm.ask(step, &commit).expect("an answer");
            assert_eq!(status, 200);
            let expected = if truth["status"] == "success" {
                "success"
            } else {
                "failed"
            };
            assert_eq!(job["outcome"], expected, "{step} of {commit}: {job}");
        }
        assert!(seen.insert(commit), "a commit ran twice");
    }
    assert_eq!(seen.len(), COMMITS as usize);
    assert!(
        crashes > 0,
        "a step runner that never crashed shows nothing"
    );
}
