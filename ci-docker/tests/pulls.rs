//! Images from real registries: pulled once for many jobs, with credentials, and what a registry does
//! that is gone, refuses, or never answers. And one command that writes a lot.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that fails has failed"
)]

#[path = "support/registry.rs"]
mod registry;
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command as Process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ci_core::clock::Clock;
use ci_core::executor::{Executor, ExecutorErrorKind, PrepareRequest};
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_core::session::{Command, ExecIo, ExitStatus, LogSink, Output, OutputChunk, OutputOptions};
use ci_docker::{DockerExecutor, DockerOptions};
use registry::{TestRegistry, USER};
use serde_json::json;
use support::{Log, Place};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_mins(1);

fn with(place: &Place, image: &str, config: &Path) -> DockerExecutor {
    let options = json!({"image": image, "config": config});
    let options: BTreeMap<_, _> = serde_json::from_value(options).unwrap();
    DockerExecutor::with_options(DockerOptions::from_settings(&options).unwrap())
        .host(&place.host)
        .grace(support::GRACE)
}

fn docker(place: &Place, config: &Path, words: &[&str]) {
    let done = Process::new("docker")
        .args(["--config", &config.display().to_string()])
        .args(["--host", &place.host])
        .args(words)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "docker {words:?}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_with_a_lock_is_pulled_once_for_all_jobs_that_wait_for_it() {
    let Some(place) = support::place().await else {
        return;
    };
    let registry = TestRegistry::with_lock();
    let image = format!("{}/base:{}", registry.host, std::process::id());
    let (known, unknown) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let auth = BASE64_STANDARD.encode(format!("{}:{}", USER.0, USER.1));
    let config = json!({"auths": {&registry.host: {"auth": auth}}});
    std::fs::write(known.path().join("config.json"), config.to_string()).unwrap();
    docker(&place, known.path(), &["tag", &place.image, &image]);
    docker(&place, known.path(), &["push", "-q", &image]);
    docker(&place, known.path(), &["rmi", &image]);

    let (job, env) = (JobSpec::new("pull"), BTreeMap::new());
    let refused = with(&place, &image, unknown.path());
    let request = PrepareRequest::new(RunId::new(), &job, &env);
    let error = refused.prepare(request).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("could not pull"), "{error}");

    let (executor, log, run) = (
        with(&place, &image, known.path()),
        Log::default(),
        RunId::new(),
    );
    let jobs = (0..4).map(|_| {
        let mut request = PrepareRequest::new(run, &job, &env);
        request.output = log.io().output;
        executor.prepare(request)
    });
    let sessions = futures_util::future::try_join_all(jobs).await.unwrap();
    for session in sessions {
        let ended = session
            .exec(&Command::sh("true"), Log::default().io())
            .await;
        session.teardown().await.unwrap();
        assert_eq!(ended.unwrap(), ExitStatus::Code(0));
    }
    executor.settle(run).await.unwrap();
    docker(&place, known.path(), &["rmi", &image]);
    let pulls = log.text().matches("pulling the image").count();
    assert_eq!(pulls, 1, "{}", log.text());
    assert_eq!(place.everything(run).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_gone_is_told_and_one_that_never_answers_can_be_left() {
    let Some(place) = support::place().await else {
        return;
    };
    let config = tempfile::tempdir().unwrap();
    let (job, env, run) = (JobSpec::new("pull"), BTreeMap::new(), RunId::new());
    // The port was free a moment ago.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let executor = with(&place, &format!("{address}/gone:1"), config.path());
    let request = PrepareRequest::new(run, &job, &env);
    let error = executor.prepare(request).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(!error.hints().is_empty());

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let executor = with(&place, &format!("{address}/silent:1"), config.path());
    let (log, cancel) = (Log::default(), CancellationToken::new());
    let mut request = PrepareRequest::new(run, &job, &env);
    request.output = log.io().output;
    request.cancel = cancel.clone();
    let leaving = async {
        let began = Instant::now();
        while !log.text().contains("pulling the image") {
            assert!(began.elapsed() < PATIENCE, "it does not pull");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cancel.cancel();
        Instant::now()
    };
    let (error, left_at) = tokio::join!(executor.prepare(request), leaving);
    assert!(left_at.elapsed() < PATIENCE, "{:?}", left_at.elapsed());
    let error = error.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ExecutorErrorKind::Canceled, "{error}");
    assert_eq!(place.everything(run).await, Vec::<String>::new());
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
async fn a_gibibyte_of_output_arrives_as_a_whole() {
    const MUCH: u64 = 1 << 30;
    let Some(place) = support::place().await else {
        return;
    };
    let (job, env, run) = (JobSpec::new("loud"), BTreeMap::new(), RunId::new());
    let request = PrepareRequest::new(run, &job, &env);
    let session = place.executor().prepare(request).await.unwrap();
    let count = Count::default();
    let options = OutputOptions::new(Arc::default(), Clock::system());
    let output = Output::new(&options, Box::new(count.clone()));
    let io = ExecIo::new(output.clone(), CancellationToken::new());
    let script =
        format!("yes 'a line of sixty-four bytes as programs write them' | head -c {MUCH}");
    let ended = session.exec(&Command::sh(script), io).await;
    output.finish().await.unwrap();
    session.teardown().await.unwrap();
    assert_eq!(ended.unwrap(), ExitStatus::Code(0));
    assert_eq!(count.0.load(Ordering::Relaxed), MUCH);
}
