//! What goes wrong around a job's container is told as what it is, and leaves nothing behind.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test that fails has failed"
)]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, Read};
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptions, KillContainerOptions};
use ci_core::executor::{Executor, PrepareRequest, ReapScope};
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_core::session::{Command, CopyRoot, ExitStatus, Session, SessionErrorKind, TreeSelection};
use ci_docker::{DockerExecutor, PullPolicy};
use support::Log;

/// How long anything may take that should be quick: test machines are busy.
const PATIENCE: Duration = Duration::from_secs(30);

async fn session(executor: &DockerExecutor, run: RunId, job: &JobSpec) -> Box<dyn Session> {
    let env = BTreeMap::new();
    let prepared = executor.prepare(PrepareRequest::new(run, job, &env)).await;
    prepared.unwrap_or_else(|error| panic!("{error}: {:?}", error.hints()))
}

async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < PATIENCE, "waited too long for: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Sees to it that a test that has an engine has one. The macro returns from tests that have none.
macro_rules! place {
    () => {
        match support::place().await {
            Some(place) => place,
            None => return,
        }
    };
}

#[tokio::test]
#[ignore = "an engine for the next test to kill"]
async fn engine_that_gets_killed() {
    let place = place!();
    let run: RunId = std::env::var("CI_DOCKER_TEST_RUN")
        .unwrap()
        .parse()
        .unwrap();
    let session = session(&place.executor(), run, &JobSpec::new("killed")).await;
    let script = "setsid sleep 1000000007 & echo ready; sleep 1000000007";
    let log = Log::default();
    let (command, io) = (Command::sh(script), log.io());
    let running = tokio::spawn(async move { session.exec(&command, io).await });
    until("the command's start", || async {
        log.text().contains("ready")
    })
    .await;
    support::say("the job runs");
    let _ = running.await;
}

#[tokio::test]
async fn a_killed_engine_leaves_nothing_running() {
    let place = place!();
    let run = RunId::new();
    let mut engine = Process::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "engine_that_gets_killed",
            "--ignored",
            "--nocapture",
        ])
        .env("CI_DOCKER_TEST_RUN", run.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = std::io::BufReader::new(engine.stderr.take().unwrap());
    let ready = said
        .lines()
        .any(|line| line.unwrap().contains("the job runs"));
    assert!(ready, "{:?}", engine.wait());
    assert_eq!(place.containers(run).await.len(), 1);
    engine.kill().unwrap();
    engine.wait().unwrap();
    until("the end of the container", || async {
        place.containers(run).await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn what_a_dead_engine_never_started_is_reaped_and_what_lives_is_not() {
    let place = place!();
    let executor = place.executor();
    let (dead_run, live_run) = (RunId::new(), RunId::new());
    let live = session(&executor, live_run, &JobSpec::new("live")).await;
    let mut child = Process::new("sleep")
        .arg("60")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let owner = owner(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    let labels = HashMap::from([
        ("ci-core.run".to_owned(), dead_run.to_string()),
        ("ci-core.owner".to_owned(), owner),
    ]);
    let body = ContainerCreateBody {
        image: Some(place.image.clone()),
        cmd: Some(vec!["true".to_owned()]),
        labels: Some(labels),
        ..ContainerCreateBody::default()
    };
    let made = place
        .client
        .create_container(None::<CreateContainerOptions>, body);
    // It may be gone at once: another test may reap on the same engine.
    made.await.unwrap();

    let report = executor.reap(&ReapScope::Abandoned).await.unwrap();
    assert!(report.left.is_empty(), "{report:?}");
    assert!(place.containers(dead_run).await.is_empty());
    assert_eq!(place.containers(live_run).await.len(), 1);
    live.teardown().await.unwrap();
    executor.settle(live_run).await.unwrap();
    assert!(place.containers(live_run).await.is_empty());
}

/// The label of a process of this machine; see the crate's `labels`.
fn owner(pid: u32) -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let began = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .nth(19)
        .unwrap();
    format!("{}/{}/{pid}/{began}", boot.trim(), namespace.display())
}

#[tokio::test]
async fn a_container_that_is_killed_is_lost_and_no_exit_code() {
    let place = place!();
    let run = RunId::new();
    let executor = place.executor();
    let session = session(&executor, run, &JobSpec::new("lost")).await;
    let name = place.containers(run).await.remove(0);
    let log = Log::default();
    let command = Command::sh("echo ready; sleep 1000000");
    let kill = async {
        until("the command's start", || async {
            log.text().contains("ready")
        })
        .await;
        let killed = place
            .client
            .kill_container(&name, None::<KillContainerOptions>);
        killed.await.unwrap();
    };
    let (ended, ()) = tokio::join!(session.exec(&command, log.io()), kill);
    let error = ended.unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Lost, "{error}");
    let after = session.exec(&Command::sh("true"), log.io()).await;
    assert_eq!(after.unwrap_err().kind(), SessionErrorKind::Lost);
    session.teardown().await.unwrap();
    executor.settle(run).await.unwrap();
    assert!(place.containers(run).await.is_empty());
}

#[tokio::test]
async fn memory_that_ran_out_is_told_from_a_signal() {
    let place = place!();
    let job = JobSpec::new("hungry").reserve(1000, 64);
    let session = session(&place.executor(), RunId::new(), &job).await;
    let eat = "exec awk 'BEGIN { s = \"x\"; while (1) s = s s }'";
    for (script, expected) in [
        ("exit 137", ExitStatus::Signal(9)),
        (eat, ExitStatus::OutOfMemory),
        ("kill -9 $$", ExitStatus::Signal(9)),
        ("exit 3", ExitStatus::Code(3)),
    ] {
        let ended = session
            .exec(&Command::sh(script), Log::default().io())
            .await;
        assert_eq!(ended.unwrap(), expected, "{script}");
    }
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn an_image_that_is_not_there_is_an_error_with_a_hint() {
    let place = place!();
    let run = RunId::new();
    let env = BTreeMap::new();
    let never = place.executor();
    // Nobody listens on this port.
    let pulled = place.executor().pull(PullPolicy::IfMissing);
    for executor in [never, pulled] {
        let job = JobSpec::new("missing").image("127.0.0.1:1/no/such:image");
        let prepared = executor.prepare(PrepareRequest::new(run, &job, &env)).await;
        let Err(error) = prepared else {
            panic!("an image that is not there gave a session");
        };
        assert!(
            error.to_string().contains("127.0.0.1:1/no/such:image"),
            "{error}"
        );
        assert_eq!(error.hints().len(), 1, "{error}");
    }
    assert!(place.containers(run).await.is_empty());
}

#[tokio::test]
async fn an_image_without_a_shell_is_an_error_with_a_hint() {
    let place = place!();
    support::import_empty(&place, "ci-core-empty").await;
    let (run, env) = (RunId::new(), BTreeMap::new());
    let job = JobSpec::new("empty").image("ci-core-empty");
    let prepared = place
        .executor()
        .prepare(PrepareRequest::new(run, &job, &env))
        .await;
    let Err(error) = prepared else {
        panic!("an image in which nothing can run gave a session");
    };
    assert!(
        error.hints().iter().any(|hint| hint.contains("`sh`")),
        "{error}: {:?}",
        error.hints()
    );
    assert!(place.containers(run).await.is_empty());
}

#[tokio::test]
async fn the_project_is_copied_in_without_what_is_left_out() {
    let place = place!();
    let dir = std::env::temp_dir().join(format!("ci-docker-project-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("target")).unwrap();
    std::fs::write(dir.join("target/large"), "x").unwrap();
    std::fs::write(dir.join("run.sh"), "echo from the project\n").unwrap();
    let (job, env) = (JobSpec::new("project"), BTreeMap::new());
    let mut request = PrepareRequest::new(RunId::new(), &job, &env);
    request.project_dir = Some(dir.clone());
    let executor = place.executor().exclude("target").user("1000");
    let session = executor.prepare(request).await.unwrap();
    let log = Log::default();
    let command = Command::sh("sh run.sh; ls; touch mine");
    let ended = session.exec(&command, log.io()).await;
    session.teardown().await.unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!(ended.unwrap(), ExitStatus::Code(0), "{}", log.text());
    assert_eq!(log.text(), "from the project\nrun.sh\n");
}

#[tokio::test]
async fn a_file_whose_other_name_is_left_out_keeps_its_content() {
    let place = place!();
    let session = session(&place.executor(), RunId::new(), &JobSpec::new("links")).await;
    let script =
        "mkdir -p t/deps; echo content >t/deps/app; ln t/deps/app t/named; ln t/named t/too";
    let made = session
        .exec(&Command::sh(script), Log::default().io())
        .await;
    let selection = TreeSelection::default().root(CopyRoot::new("out", "t").exclude("deps"));
    let tree = session.copy_out(&selection).await.unwrap();
    let read = tokio::task::spawn_blocking(move || {
        let mut found = BTreeMap::new();
        for entry in tar::Archive::new(tree).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            found.insert(entry.path().unwrap().display().to_string(), content);
        }
        found
    });
    let found = read.await.unwrap();
    session.teardown().await.unwrap();
    assert_eq!(made.unwrap(), ExitStatus::Code(0));
    let expected = ["out/named", "out/too"].map(|name| (name.to_owned(), "content\n".to_owned()));
    assert_eq!(found, BTreeMap::from(expected));
}
