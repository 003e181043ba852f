//! Jobs on a swarm of one engine: what they get, what they wait for, and what is left of them.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that fails has failed"
)]

#[path = "support/engine.rs"]
mod engine;
mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ci_core::clock::Clock;
use ci_core::executor::{Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapScope};
use ci_core::id::RunId;
use ci_core::job::{JobSpec, ServiceSpec};
use ci_core::session::{
    Command, ExecIo, ExitStatus, LogSink, Output, OutputChunk, OutputOptions, Session,
    SessionErrorKind,
};
use ci_core::step::StepSpec;
use ci_docker::{SwarmExecutor, SwarmOptions};
use engine::OwnEngine;
use serde_json::json;
use support::Log;
use tokio_util::sync::CancellationToken;

/// How long anything may take that should be quick: test machines are busy.
const PATIENCE: Duration = Duration::from_mins(1);

const WEB: &str = "ci-core-web";

fn executor(host: &str, more: serde_json::Value) -> SwarmExecutor {
    let mut options: BTreeMap<String, serde_json::Value> = serde_json::from_value(more).unwrap();
    options.insert("host".to_owned(), json!(host));
    options
        .entry("image".to_owned())
        .or_insert(json!(engine::IMAGE));
    options.insert("pull".to_owned(), json!("never"));
    let options = SwarmOptions::from_settings(&options).unwrap();
    SwarmExecutor::with_options(options).grace(support::GRACE)
}

async fn said(session: &dyn Session, script: &str) -> String {
    let log = Log::default();
    let ended = session.exec(&Command::sh(script), log.io()).await.unwrap();
    assert_eq!(ended, ExitStatus::Code(0), "{}", log.text());
    log.text()
}

/// What is left in the swarm and on its engine.
fn left(engine: &OwnEngine) -> Vec<String> {
    let of = |words: &[&str]| -> Vec<String> {
        let text = engine.docker(words);
        text.lines().map(str::to_owned).collect()
    };
    let label = "label=ci-core.run";
    let mut left = of(&["service", "ls", "-q"]);
    left.extend(of(&["secret", "ls", "-q", "--filter", label]));
    left.extend(of(&["ps", "-aq"]));
    left.extend(of(&["volume", "ls", "-q", "--filter", label]));
    left.extend(of(&["network", "ls", "-q", "--filter", label]));
    left
}

async fn nothing_is_left(engine: &OwnEngine) {
    let began = Instant::now();
    while !left(engine).is_empty() {
        assert!(began.elapsed() < PATIENCE, "{:?}", left(engine));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_a_service_with_its_limits_its_secrets_and_its_services() {
    let Some(engine) = OwnEngine::start() else {
        return;
    };
    engine.init_swarm("127.0.0.1");
    let place = engine.place().await;
    support::import_web(&place, WEB).await;
    let node = engine.docker(&["node", "ls", "-q"]);
    engine.docker(&["node", "update", "--label-add", "disk=ssd", &node]);
    let file = engine.dir().join("shared");
    std::fs::write(&file, "known to all").unwrap();
    engine.docker(&["secret", "create", "shared", &file.display().to_string()]);
    let executor = executor(
        &place.host,
        json!({
            "constraints": ["node.labels.disk==ssd"],
            "secrets": ["shared"],
            "container": {"pids": 99, "tmpfs": {"/fast": "size=1m"}},
        }),
    );
    let mut web = ServiceSpec::new(WEB, "web");
    web.command = ["httpd", "-f", "-p", "8080", "-h", "/etc"]
        .map(str::to_owned)
        .to_vec();
    let mut job = JobSpec::new("swarm")
        .service(web)
        .step(StepSpec::run("true").image(WEB));
    let options = Arc::make_mut(&mut job.options);
    options.requires.cpu_milli = Some(500);
    options.requires.memory_mib = Some(96);
    let extra = json!({"secret_variables": ["TOKEN"], "constraints": ["node.role==manager"]});
    options.extra.insert("swarm".to_owned(), extra);
    let env = BTreeMap::from([
        ("TOKEN".to_owned(), "only mine".to_owned()),
        ("OPEN".to_owned(), "seen".to_owned()),
    ]);
    let mut request = PrepareRequest::new(RunId::new(), &job, &env);
    let project = tempfile::tempdir().unwrap();
    std::fs::write(project.path().join("file"), "of the project").unwrap();
    request.project_dir = Some(project.path().to_owned());
    let session = executor.prepare(request).await.unwrap();

    let script =
        "cat /run/secrets/TOKEN /run/secrets/shared; echo; echo $OPEN${TOKEN-no}; cat file";
    let secrets = said(&*session, script).await;
    let page = said(&*session, "wget -q -O - http://web:8080/passwd").await;
    let fast = said(&*session, "df -k /fast | tail -n 1").await;
    let mut beside =
        Command::sh("echo more >>file; wget -q -O - http://localhost:8080/passwd | wc -l");
    beside.image = Some(WEB.to_owned());
    let log = Log::default();
    let ended = session.exec(&beside, log.io()).await.unwrap();
    let both = said(&*session, "cat file").await;
    let inspected = engine.docker(&["service", "ls", "-q"]);
    let inspected = engine.docker(&[
        "service",
        "inspect",
        "--format",
        "{{json .Spec}}",
        &inspected,
    ]);
    session.teardown().await.unwrap();
    nothing_is_left(&engine).await;

    assert_eq!(secrets, "only mineknown to all\nseenno\nof the project");
    assert!(page.contains("root:x:0:0"), "{page}");
    assert!(fast.contains(" 1024 "), "{fast}");
    assert_eq!(ended, ExitStatus::Code(0), "{}", log.text());
    assert_eq!(both, "of the projectmore\n");
    let spec: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    let task = &spec["TaskTemplate"];
    assert_eq!(spec["Mode"], json!({"Replicated": {"Replicas": 1}}));
    assert_eq!(task["RestartPolicy"]["Condition"], "none");
    assert_eq!(task["Resources"]["Limits"]["NanoCPUs"], 500_000_000);
    assert_eq!(task["Resources"]["Limits"]["Pids"], 99);
    assert_eq!(task["Resources"]["Reservations"]["MemoryBytes"], 96 << 20);
    let constraints = json!(["node.labels.disk==ssd", "node.role==manager"]);
    assert_eq!(task["Placement"]["Constraints"], constraints);
    assert!(
        !inspected.contains("only mine"),
        "a secret is no part of a service"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_cannot_start_says_why_and_leaves_nothing() {
    let Some(engine) = OwnEngine::start() else {
        return;
    };
    let place = engine.place().await;
    let env = BTreeMap::new();
    let job = JobSpec::new("stuck");
    let prepare = async |job: &JobSpec, options: serde_json::Value| {
        let executor = executor(&place.host, options);
        let request = PrepareRequest::new(RunId::new(), job, &env);
        executor.prepare(request).await.map(|_| ()).unwrap_err()
    };
    let error = prepare(&job, json!({})).await;
    assert!(
        error.to_string().contains("no manager of a swarm"),
        "{error}"
    );

    engine.init_swarm("127.0.0.1");
    let mut why = String::new();
    for seconds in [2, 10, 60] {
        let constraints = ["node.labels.disk==tape"];
        let impossible = json!({"queue_timeout": seconds, "constraints": constraints});
        let error = prepare(&job, impossible).await;
        assert_eq!(error.kind(), ExecutorErrorKind::Capacity, "{error}");
        why = error.to_string();
        // A swarm that is new and busy may say nothing yet.
        if why.contains("no suitable node") {
            break;
        }
    }
    assert!(why.contains("no suitable node"), "{why}");

    let missing = job.clone().image("127.0.0.1:9/not-there:1");
    let error = prepare(&missing, json!({})).await;
    assert_eq!(error.kind(), ExecutorErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("No such image"), "{error}");

    let mut foreign = job.clone();
    Arc::make_mut(&mut foreign.options).requires.platform = Some("linux/s390x".to_owned());
    let error = prepare(&foreign, json!({"unmet": "skip"})).await;
    assert_eq!(error.kind(), ExecutorErrorKind::Skipped, "{error}");

    let error = prepare(&job, json!({"container": {"gpus": "all"}})).await;
    assert!(
        error.to_string().contains("no swarm knows `gpus`"),
        "{error}"
    );

    let mut hidden = job.clone();
    let extra = json!({"secret_variables": ["NOT_SET"]});
    let options = Arc::make_mut(&mut hidden.options);
    options.extra.insert("swarm".to_owned(), extra);
    let error = prepare(&hidden, json!({})).await;
    assert!(error.to_string().contains("`NOT_SET`"), "{error}");

    // Canceled while it waits for a node.
    let executor = executor(
        &place.host,
        json!({"constraints": ["node.labels.disk==tape"]}),
    );
    let cancel = CancellationToken::new();
    let mut request = PrepareRequest::new(RunId::new(), &job, &env);
    request.cancel = cancel.clone();
    let (error, ()) = tokio::join!(executor.prepare(request), async {
        let began = Instant::now();
        while engine.docker(&["service", "ls", "-q"]).is_empty() {
            assert!(began.elapsed() < PATIENCE, "no service was made");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cancel.cancel();
    });
    let error = error.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ExecutorErrorKind::Canceled, "{error}");
    nothing_is_left(&engine).await;
}

/// Counts what is written.
#[derive(Debug, Clone, Default)]
struct Count(Arc<AtomicU64>);

impl LogSink for Count {
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()> {
        let length = chunk.bytes.len() as u64;
        self.0.fetch_add(length, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_output_is_lost_and_an_end_from_outside_is_no_exit_code() {
    const MUCH: u64 = 64 << 20;
    let Some(engine) = OwnEngine::start() else {
        return;
    };
    engine.init_swarm("127.0.0.1");
    let place = engine.place().await;
    let executor = executor(&place.host, json!({}));
    let (job, env) = (JobSpec::new("ended"), BTreeMap::new());
    let request = PrepareRequest::new(RunId::new(), &job, &env);
    let session = executor.prepare(request).await.unwrap();

    let count = Count::default();
    let options = OutputOptions::new(Arc::default(), Clock::system());
    let output = Output::new(&options, Box::new(count.clone()));
    let io = ExecIo::new(output.clone(), CancellationToken::new());
    let script = format!("yes 'a line as programs write them' | head -c {MUCH}");
    let ended = session.exec(&Command::sh(script), io).await.unwrap();
    output.finish().await.unwrap();
    assert_eq!(ended, ExitStatus::Code(0));
    assert_eq!(count.0.load(Ordering::Relaxed), MUCH);

    let remove = async {
        let service = engine.docker(&["service", "ls", "-q"]);
        engine.docker(&["service", "rm", &service]);
    };
    let (command, log) = (Command::sh("sleep 1000000"), Log::default());
    let (ended, ()) = tokio::join!(session.exec(&command, log.io()), remove);
    let error = ended.unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Lost, "{error}");
    session.teardown().await.unwrap();
    nothing_is_left(&engine).await;
}

/// Runs a command on the swarm of another test until it is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "an engine for the next test to kill"]
async fn engine_on_a_swarm_that_gets_killed() {
    let host = std::env::var("CI_DOCKER_TEST_SWARM").unwrap();
    let run: RunId = std::env::var("CI_DOCKER_TEST_RUN")
        .unwrap()
        .parse()
        .unwrap();
    let mut job = JobSpec::new("killed");
    let extra = json!({"secret_variables": ["TOKEN"]});
    Arc::make_mut(&mut job.options)
        .extra
        .insert("swarm".to_owned(), extra);
    let env = BTreeMap::from([("TOKEN".to_owned(), "mine".to_owned())]);
    let request = PrepareRequest::new(run, &job, &env);
    let session = executor(&host, json!({})).prepare(request).await.unwrap();
    support::say("running");
    let log = Log::default();
    let ended = session.exec(&Command::sh("sleep 1000000"), log.io()).await;
    panic!("the command ended: {ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_engine_ends_its_container_and_the_sweep_removes_the_service() {
    let Some(engine) = OwnEngine::start() else {
        return;
    };
    engine.init_swarm("127.0.0.1");
    let place = engine.place().await;
    let run = RunId::new();
    let mut child = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "engine_on_a_swarm_that_gets_killed"])
        .args(["--ignored", "--nocapture"])
        .env("CI_DOCKER_TEST_SWARM", &place.host)
        .env("CI_DOCKER_TEST_RUN", run.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    assert!(said.lines().any(|line| line.unwrap() == "running"));
    let executor = executor(&place.host, json!({}));
    let early = executor.reap(&ReapScope::Abandoned).await.unwrap();
    assert_eq!(early.removed, Vec::<String>::new(), "its owner lives");
    child.kill().unwrap();
    child.wait().unwrap();
    let began = Instant::now();
    while !engine.docker(&["ps", "-q"]).is_empty() {
        assert!(began.elapsed() < PATIENCE, "the container runs on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    support::say(&format!("the container ended after {:?}", began.elapsed()));
    let report = executor.reap(&ReapScope::Abandoned).await.unwrap();
    assert_eq!(report.left, Vec::<String>::new());
    let removed = report.removed.join(" ");
    assert!(
        removed.contains("service `") && removed.contains("secret `"),
        "{removed}"
    );
    nothing_is_left(&engine).await;
}

/// What came of a job that waits for what no node has: it is done `meanwhile` as soon as the job says
/// that it waits.
async fn waited(
    (engine, executor): (&OwnEngine, &SwarmExecutor),
    job: &JobSpec,
    meanwhile: &[&str],
) -> (Result<Box<dyn Session>, ExecutorError>, String) {
    let (env, log) = (BTreeMap::new(), Log::default());
    let mut request = PrepareRequest::new(RunId::new(), job, &env);
    request.output = log.io().output;
    let (prepared, ()) = tokio::join!(executor.prepare(request), async {
        let began = Instant::now();
        while !log.text().contains("waiting") {
            assert!(began.elapsed() < PATIENCE, "said: {}", log.text());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        engine.docker(meanwhile);
    });
    (prepared, log.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_for_a_node_until_there_is_one_or_its_time_is_over() {
    let Some(engine) = OwnEngine::start() else {
        return;
    };
    engine.init_swarm("127.0.0.1");
    let place = engine.place().await;
    let node = engine.docker(&["node", "ls", "-q"]);
    let options = |seconds: u64| {
        json!({
            "unmet": "wait", "queue_timeout": seconds, "constraints": ["node.labels.disk==tape"],
        })
    };
    let job = JobSpec::new("patient");

    // What it says meanwhile is looked at below: here it may not have the time to say it.
    let (short, env) = (executor(&place.host, options(2)), BTreeMap::new());
    let request = PrepareRequest::new(RunId::new(), &job, &env);
    let error = short.prepare(request).await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ExecutorErrorKind::Capacity, "{error}");

    let long = executor(&place.host, options(120));
    let label = ["node", "update", "--label-add", "disk=tape", &node];
    let (session, said) = waited((&engine, &long), &job, &label).await;
    let session = session.unwrap();
    assert!(
        said.contains("waiting for a node: no suitable node"),
        "{said}"
    );
    assert_eq!(self::said(&*session, "echo ran").await, "ran\n");
    session.teardown().await.unwrap();

    // What no swarm can ever have is looked at again and again, until the job is stopped.
    let mut foreign = job.clone();
    Arc::make_mut(&mut foreign.options).requires.platform = Some("linux/s390x".to_owned());
    let (env, log, cancel) = (BTreeMap::new(), Log::default(), CancellationToken::new());
    let mut request = PrepareRequest::new(RunId::new(), &foreign, &env);
    (request.output, request.cancel) = (log.io().output, cancel.clone());
    let (error, ()) = tokio::join!(long.prepare(request), async {
        let began = Instant::now();
        while !log.text().contains("because of what there is not") {
            assert!(began.elapsed() < PATIENCE, "said: {}", log.text());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cancel.cancel();
    });
    let error = error.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ExecutorErrorKind::Canceled, "{error}");
    nothing_is_left(&engine).await;
}
