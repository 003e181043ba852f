//! An engine that is killed at any moment leaves nothing that a sweep does not find; and many jobs at
//! once leave nothing at all.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that fails has failed"
)]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ci_core::executor::{Executor, PrepareRequest, ReapScope};
use ci_core::id::RunId;
use ci_core::job::{JobSpec, ServiceSpec};
use ci_core::outcome::OutcomeKind;
use ci_core::run::{RunOptions, start};
use ci_core::session::Command;
use ci_core::step::StepSpec;
use ci_core::workflow::WorkflowSpec;
use ci_docker::PullPolicy;
use support::Log;

/// How long anything may take that should be quick: test machines are busy.
const PATIENCE: Duration = Duration::from_mins(1);

const WEB: &str = "ci-core-web";

/// Does one job again and again, saying what it does, until it is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "an engine for the next test to kill"]
async fn engine_that_gets_killed() {
    let Some(place) = support::place().await else {
        return;
    };
    let variable = |name: &str| std::env::var(name).unwrap();
    let run: RunId = variable("CI_DOCKER_TEST_RUN").parse().unwrap();
    let phase = variable("CI_DOCKER_TEST_PHASE");
    let env = BTreeMap::new();
    let mut service = ServiceSpec::new(WEB, "web");
    service.command = ["httpd", "-f", "-p", "8080"].map(str::to_owned).to_vec();
    let step = StepSpec::run("true").image(WEB);
    let mut job = JobSpec::new("killed").service(service).step(step);
    let mut executor = place.executor();
    if phase == "pull" {
        job = job.image(variable("CI_DOCKER_TEST_IMAGE"));
        executor = executor.pull(PullPolicy::IfMissing);
    }
    if matches!(phase.as_str(), "pull" | "create") {
        support::say(&phase);
    }
    let session = executor.prepare(PrepareRequest::new(run, &job, &env)).await;
    let session = session.unwrap();
    if phase == "exec" {
        support::say(&phase);
        let script = "trap '' TERM; setsid sleep 1000000009 & sleep 1000000009";
        let mut beside = Command::sh("sleep 1000000009");
        beside.image = Some(WEB.to_owned());
        let (one, other) = (Command::sh(script), Log::default());
        let both = tokio::join!(
            session.exec(&one, other.io()),
            session.exec(&beside, other.io())
        );
        panic!("both commands ended: {both:?}");
    }
    if phase == "upload" {
        support::say(&phase);
        // An archive that never ends: a header of a large file, and zeros.
        let mut header = tar::Header::new_gnu();
        header.set_path("large").unwrap();
        header.set_size(1 << 40);
        header.set_mode(0o644);
        header.set_cksum();
        let archive = std::io::Cursor::new(header.as_bytes().to_vec());
        let archive = std::io::Read::chain(archive, std::io::repeat(0));
        let copied = session.copy_in(Box::new(archive), "deep/down").await;
        panic!("copied all of it: {copied:?}");
    }
    support::say(&phase);
    session.teardown().await.unwrap();
    std::thread::sleep(PATIENCE);
}

/// The engine of the test above, once it is where it shall be killed.
fn engine(run: RunId, phase: &str, image: &str) -> Child {
    let mut engine = Process::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "engine_that_gets_killed",
            "--ignored",
            "--nocapture",
        ])
        .env("CI_DOCKER_TEST_RUN", run.to_string())
        .env("CI_DOCKER_TEST_PHASE", phase)
        .env("CI_DOCKER_TEST_IMAGE", image)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(engine.stderr.take().unwrap());
    let there = said.lines().any(|line| line.unwrap() == phase);
    assert!(there, "{phase}: {:?}", engine.wait());
    engine
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_killed_engine_is_left_after_a_sweep() {
    let Some(place) = support::place().await else {
        return;
    };
    support::import_web(&place, WEB).await;
    // A registry that takes calls and never answers.
    let registry = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let image = format!("{}/never:1", registry.local_addr().unwrap());
    let executor = place.executor();
    for (phase, wait) in [
        ("pull", 300),
        ("create", 0),
        ("create", 60),
        ("create", 250),
        ("create", 600),
        ("create", 1200),
        ("exec", 500),
        ("upload", 500),
        ("teardown", 0),
        ("teardown", 150),
        ("teardown", 500),
    ] {
        let run = RunId::new();
        let mut engine = engine(run, phase, &image);
        // The moment is the point: it falls somewhere in what the phase does.
        std::thread::sleep(Duration::from_millis(wait));
        engine.kill().unwrap();
        engine.wait().unwrap();
        let began = Instant::now();
        loop {
            let report = executor.reap(&ReapScope::Abandoned).await.unwrap();
            let left = place.everything(run).await;
            if left.is_empty() {
                break;
            }
            let late = began.elapsed() > PATIENCE;
            assert!(!late, "{phase} after {wait} ms left {left:?}: {report:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_jobs_share_two_places() {
    let Some(place) = support::place().await else {
        return;
    };
    let jobs = (0..50).map(|number| {
        let script = format!("echo job {number} >file; test \"$(cat file)\" = \"job {number}\"");
        JobSpec::new(format!("job-{number}"))
            .executor("docker")
            .run(script)
    });
    let workflow = WorkflowSpec::builder("many").jobs(jobs).build().unwrap();
    let executor = Arc::new(place.executor().limit(2));
    let options = RunOptions::new().executor(executor).slots(50);
    let handle = start(workflow, options).await.unwrap();
    let run = handle.id();
    let most = async {
        let mut most = 0;
        loop {
            most = place.containers(run).await.len().max(most);
            // Beside the two there are the ended ones that the engine is still removing.
            assert!(most <= 2 + 4, "{most} containers at once");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let report = tokio::select! {
        report = handle.wait() => report.unwrap(),
        () = most => unreachable!("it looks on for ever"),
    };
    assert_eq!(report.outcome, OutcomeKind::Success);
    assert_eq!(place.everything(run).await, Vec::<String>::new());
}
