//! Faults of whole engines, which only engines of the tests' own may have: a restart in the middle of a
//! job, a crash, a disk that is full.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that fails has failed"
)]

#[path = "support/engine.rs"]
mod engine;
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ci_core::archive::{PackRoot, pack_stream};
use ci_core::executor::{Executor, PrepareRequest, ReapScope};
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_core::session::{Command, ExitStatus, Session, SessionErrorKind};
use ci_docker::DockerExecutor;
use engine::OwnEngine;
use support::{Log, Place};

const PATIENCE: Duration = Duration::from_mins(1);

async fn session(executor: &DockerExecutor, run: RunId) -> Box<dyn Session> {
    let (job, env) = (JobSpec::new("fault"), BTreeMap::new());
    let request = PrepareRequest::new(run, &job, &env);
    executor.prepare(request).await.unwrap()
}

async fn nothing_is_left(place: &Place, executor: &DockerExecutor, run: RunId) {
    let began = Instant::now();
    loop {
        let report = executor.reap(&ReapScope::Run(run)).await.unwrap();
        let left = place.everything(run).await;
        if left.is_empty() {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{left:?}: {report:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_engine_restarts_or_crashes_is_lost_and_the_next_one_runs() {
    let Some(mut engine) = OwnEngine::start() else {
        return;
    };
    let place = engine.place().await;
    let executor = place.executor();
    for crashes in [false, true] {
        let run = RunId::new();
        let session = session(&executor, run).await;
        let (command, log) = (Command::sh("echo begun; sleep 1000000"), Log::default());
        let ending = async {
            let began = Instant::now();
            while log.text().is_empty() {
                assert!(began.elapsed() < PATIENCE, "the command does not begin");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if crashes {
                engine.kill();
            } else {
                engine.stop();
            }
        };
        let ended = tokio::time::timeout(PATIENCE, async {
            tokio::join!(session.exec(&command, log.io()), ending).0
        });
        let error = ended.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::Lost, "{error}");
        // It cannot be removed while nobody is there to do it, and one of the two says so.
        let torn_down = session.teardown().await;
        let left = executor.settle(run).await.unwrap().left;
        assert!(torn_down.is_err() || !left.is_empty());
        engine.start_again();
        nothing_is_left(&place, &executor, run).await;
        let next = self::session(&executor, run).await;
        let ended = next.exec(&Command::sh("true"), Log::default().io()).await;
        next.teardown().await.unwrap();
        assert_eq!(ended.unwrap(), ExitStatus::Code(0));
        executor.settle(run).await.unwrap();
        assert_eq!(place.everything(run).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_what_filled_it_goes_with_the_job() {
    let Some(engine) = OwnEngine::with_disk(96) else {
        return;
    };
    let place = engine.place().await;
    let (executor, run) = (place.executor(), RunId::new());
    let session = session(&executor, run).await;
    let log = Log::default();
    let fill = Command::sh("dd if=/dev/zero of=/full bs=1M");
    let ended = session.exec(&fill, log.io()).await.unwrap();
    assert_ne!(ended, ExitStatus::Code(0));
    assert!(
        log.text().contains("No space left on device"),
        "{}",
        log.text()
    );

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("more"), vec![7; 8 << 20]).unwrap();
    let tree = pack_stream(vec![PackRoot::new("", dir.path().to_owned())]).unwrap();
    let error = session.copy_in(tree, "more").await.unwrap_err();
    let mut told = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        told = format!("{told}: {source}");
    }
    assert!(told.contains("no space left on device"), "{told}");

    let log = Log::default();
    let again = Command::sh("rm /full && echo fine >file && cat file");
    let ended = session.exec(&again, log.io()).await.unwrap();
    assert_eq!(
        (ended, log.text().as_str()),
        (ExitStatus::Code(0), "fine\n")
    );
    session.teardown().await.unwrap();
    executor.settle(run).await.unwrap();
    assert_eq!(place.everything(run).await, Vec::<String>::new());
}
