//! What a container may use and where its files are: limits, users, volumes, directories of this machine,
//! steps with other images, requests that cannot be met.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test that fails has failed"
)]

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use ci_core::executor::{Executor, ExecutorErrorKind, PrepareRequest};
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_core::session::{Command, ExitStatus, Session};
use ci_core::step::StepSpec;
use ci_docker::{DockerExecutor, DockerOptions};
use serde_json::json;
use support::{Log, Place};

/// Sees to it that a test that has an engine has one.
macro_rules! place {
    () => {
        match support::place().await {
            Some(place) => place,
            None => return,
        }
    };
}

/// The executor with options as in a settings file.
fn with(place: &Place, options: serde_json::Value) -> DockerExecutor {
    let mut options: BTreeMap<_, _> = serde_json::from_value(options).unwrap();
    options.insert("host".to_owned(), place.host.clone().into());
    options.insert("image".to_owned(), place.image.clone().into());
    options.insert("pull".to_owned(), "never".into());
    let options = DockerOptions::from_settings(&options).unwrap();
    DockerExecutor::with_options(options).grace(support::GRACE)
}

async fn session(executor: &DockerExecutor, run: RunId, job: &JobSpec) -> Box<dyn Session> {
    let env = BTreeMap::new();
    let prepared = executor.prepare(PrepareRequest::new(run, job, &env)).await;
    prepared.unwrap_or_else(|error| panic!("{error}: {:?}", error.hints()))
}

async fn said(session: &dyn Session, script: &str) -> (ExitStatus, String) {
    let log = Log::default();
    let ended = session.exec(&Command::sh(script), log.io()).await.unwrap();
    (ended, log.text())
}

#[tokio::test]
async fn limits_and_mounts_are_those_of_the_options() {
    let place = place!();
    let run = RunId::new();
    let executor = with(
        &place,
        json!({"container": {
            "read_only": true,
            "pids": 64,
            "cpus": 0.5,
            "memory": "96MiB",
            "ulimits": {"nofile": {"soft": 77, "hard": 99}},
            "cap_drop": ["NET_RAW"],
            "tmpfs": {"/scratch": "size=1m"},
            "extra_hosts": ["nowhere:192.0.2.7"],
            "dns": ["192.0.2.53"],
            "network": "none",
        }}),
    );
    let session = session(&executor, run, &JobSpec::new("limits")).await;
    for (script, expected) in [
        // The soft one is not always set for an exec: runc 1.1 and the runtime of Go race for it.
        ("ulimit -Hn", "99\n"),
        ("touch here && ls", "here\n"),
        ("touch /etc/x 2>/dev/null || echo refused", "refused\n"),
        ("touch /tmp/x ~/x && echo fine", "fine\n"),
        ("grep -c nowhere /etc/hosts", "1\n"),
        ("ls /sys/class/net", "lo\n"),
        (
            "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null",
            "64\n",
        ),
        (
            "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null",
            "100663296\n",
        ),
    ] {
        let answer = said(&*session, script).await;
        assert!(answer.1.ends_with(expected), "{script}: {answer:?}");
    }
    // A disk that is full fails the command and nothing else.
    let full = "dd if=/dev/zero of=/scratch/x bs=1M count=9";
    let (ended, text) = said(&*session, full).await;
    assert!(text.contains("No space left"), "{text}");
    assert_eq!(ended, ExitStatus::Code(1));
    assert_eq!(said(&*session, "true").await.0, ExitStatus::Code(0));
    session.teardown().await.unwrap();
    executor.settle(run).await.unwrap();
    assert_eq!(place.everything(run).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_jobs_class_limits_it_and_no_more_processors_are_asked_for_than_there_are() {
    let place = place!();
    let (job, env) = (JobSpec::new("class"), BTreeMap::new());
    let mut request = PrepareRequest::new(RunId::new(), &job, &env);
    request.cpu_milli = Some(1_000_000);
    request.memory_mib = Some(128);
    let session = place.executor().prepare(request).await.unwrap();
    let limit = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || true";
    assert_eq!(said(&*session, limit).await.1, "134217728\n");
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn power_over_the_machine_is_not_the_jobs_to_take() {
    let place = place!();
    let env = BTreeMap::new();
    let job = JobSpec::new("mighty").with(|options| {
        options.extra.insert(
            "docker".into(),
            json!({"binds": ["/proc/version:/given:ro"], "pids": 9}),
        );
    });
    let request = || PrepareRequest::new(RunId::new(), &job, &env);
    let Err(error) = place.executor().prepare(request()).await else {
        panic!("a job took a directory of the machine");
    };
    assert_eq!(error.kind(), ExecutorErrorKind::Unsupported);
    assert!(error.to_string().contains("`binds`"), "{error}");
    let trusting = with(&place, json!({"trust_jobs": true}));
    let session = trusting.prepare(request()).await.unwrap();
    let (ended, _) = said(&*session, "cat /given").await;
    session.teardown().await.unwrap();
    assert_eq!(ended, ExitStatus::Code(0));
}

#[tokio::test]
async fn what_the_machine_does_not_have_fails_skips_or_waits() {
    let place = place!();
    let env = BTreeMap::new();
    let gpu = json!({"gpus": "all"});
    let device = json!({"devices": ["/dev/no-such-device"]});
    for (container, words) in [(gpu, "device driver"), (device, "no-such-device")] {
        for (unmet, kind) in [
            ("fail", ExecutorErrorKind::Unsupported),
            ("skip", ExecutorErrorKind::Skipped),
        ] {
            let run = RunId::new();
            let options = json!({"unmet": unmet, "container": container});
            let job = JobSpec::new("unmet");
            let request = PrepareRequest::new(run, &job, &env);
            let Err(error) = with(&place, options).prepare(request).await else {
                panic!("{words} was met");
            };
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(place.everything(run).await, Vec::<String>::new());
        }
    }
    let foreign = JobSpec::new("foreign")
        .with(|options| options.requires.platform = Some("linux/arm64".into()));
    let executor = with(&place, json!({"unmet": "wait"}));
    let log = Log::default();
    let mut request = PrepareRequest::new(RunId::new(), &foreign, &env);
    request.output = log.io().output;
    let cancel = request.cancel.clone();
    let stop = async {
        while !log.text().contains("waiting") {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        cancel.cancel();
    };
    let (prepared, ()) = tokio::join!(executor.prepare(request), stop);
    let Err(error) = prepared else {
        panic!("a platform was met that there is not");
    };
    assert_eq!(error.kind(), ExecutorErrorKind::Canceled, "{error}");
    assert!(log.text().contains("linux/arm64"), "{}", log.text());
}

#[tokio::test]
async fn a_bound_directory_keeps_its_owner() {
    let place = place!();
    let dir = std::env::temp_dir().join(format!("ci-docker-bound-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("given"), "from here\n").unwrap();
    std::os::unix::fs::chown(&dir, Some(4321), Some(4322)).unwrap();
    let (job, env) = (JobSpec::new("bound"), BTreeMap::new());
    let executor = with(&place, json!({"workspace": "bind"}));
    let mut request = PrepareRequest::new(RunId::new(), &job, &env);
    request.project_dir = Some(dir.clone());
    let bound = executor.prepare(request.clone()).await.unwrap();
    assert_eq!(bound.info().host_work_dir.as_deref(), Some(&*dir));
    let (ended, text) = said(&*bound, "cat given; id -u; mkdir own; touch own/file").await;
    bound.teardown().await.unwrap();
    // What root writes is given back, too.
    let as_root = executor.clone().user("0");
    let root = as_root.prepare(request).await.unwrap();
    let (rooted, _) = said(&*root, "id -u; mkdir roots; touch roots/file").await;
    root.teardown().await.unwrap();
    let owners = ["own/file", "roots", "roots/file"].map(|name| {
        let found = std::fs::metadata(dir.join(name)).unwrap();
        (found.uid(), found.gid())
    });
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!((ended, rooted), (ExitStatus::Code(0), ExitStatus::Code(0)));
    assert_eq!(text, "from here\n4321\n");
    assert_eq!(owners, [(4321, 4322); 3]);
}

#[tokio::test]
async fn a_cache_volume_stays_between_jobs() {
    let place = place!();
    let name = format!("ci-core-test-{}", RunId::new());
    let executor = with(
        &place,
        json!({"container": {"volumes": {"/cache": name}, "user": "1000"}}),
    );
    for (script, expected) in [("echo kept >/cache/x", ""), ("cat /cache/x", "kept\n")] {
        let run = RunId::new();
        let session = session(&executor, run, &JobSpec::new("cache")).await;
        let (ended, text) = said(&*session, script).await;
        session.teardown().await.unwrap();
        executor.settle(run).await.unwrap();
        assert_eq!((ended, text.as_str()), (ExitStatus::Code(0), expected));
    }
    place
        .client
        .remove_volume(
            &name,
            None::<bollard::query_parameters::RemoveVolumeOptions>,
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn a_step_with_an_image_of_its_own_shares_the_jobs_files_and_network() {
    let place = place!();
    support::import_with(&place, "ci-core-other", &["ENV WHICH=other"]).await;
    let run = RunId::new();
    let step = StepSpec::run("true").image("ci-core-other");
    let job = JobSpec::new("two images").step(step);
    let session = session(&place.executor(), run, &job).await;
    let (ended, text) = said(&*session, "echo one >file; echo \"[$WHICH]\"").await;
    assert_eq!((ended, text.as_str()), (ExitStatus::Code(0), "[]\n"));
    let log = Log::default();
    let mut other = Command::sh("echo \"[$WHICH]\"; cat file; echo two >>file; touch made-there");
    other.image = Some("ci-core-other".to_owned());
    let ended = session.exec(&other, log.io()).await.unwrap();
    assert_eq!(
        (ended, log.text().as_str()),
        (ExitStatus::Code(0), "[other]\none\n")
    );
    let mut wrong = Command::sh("exit 7");
    wrong.image = Some("ci-core-other".to_owned());
    let ended = session.exec(&wrong, Log::default().io()).await.unwrap();
    assert_eq!(ended, ExitStatus::Code(7));
    assert_eq!(
        place.containers(run).await.len(),
        2,
        "one for all its steps"
    );
    let (_, text) = said(&*session, "cat file; ls").await;
    assert_eq!(text, "one\ntwo\nfile\nmade-there\n");
    session.teardown().await.unwrap();
    assert_eq!(place.everything(run).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_a_job_makes_through_the_socket_is_removed_with_it() {
    let place = place!();
    let run = RunId::new();
    let executor = with(&place, json!({"docker": "socket"}));
    let session = session(&executor, run, &JobSpec::new("socket")).await;
    let (_, text) = said(
        &*session,
        "test -S /var/run/docker.sock && echo \"$DOCKER_HOST\"; echo \"$CI_CORE_DOCKER_LABELS\"",
    )
    .await;
    assert!(text.starts_with("unix:///var/run/docker.sock\n"), "{text}");
    // The image has no docker client: this is what one makes of the labels.
    let labels = text.lines().nth(1).unwrap().replace("--label ", "");
    let labels = labels.split(' ').filter_map(|label| label.split_once('='));
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let body = bollard::models::ContainerCreateBody {
        image: Some(place.image.clone()),
        cmd: Some(vec!["true".to_owned()]),
        labels: Some(labels.collect()),
        ..bollard::models::ContainerCreateBody::default()
    };
    place
        .client
        .create_container(
            None::<bollard::query_parameters::CreateContainerOptions>,
            body,
        )
        .await
        .unwrap();
    assert_eq!(place.containers(run).await.len(), 2);
    session.teardown().await.unwrap();
    assert_eq!(place.everything(run).await, Vec::<String>::new());
}
