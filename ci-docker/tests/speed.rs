//! How fast jobs in containers are beside the docker client, each in turn in the same run:
//! `cargo test -p ci-docker --release --test speed -- --ignored --nocapture`.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that fails has failed"
)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ci_core::archive::{PackRoot, pack_stream};
use ci_core::clock::Clock;
use ci_core::executor::{Executor, PrepareRequest};
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_core::session::{
    Command, CopyRoot, ExecIo, ExitStatus, LogSink, Output, OutputChunk, OutputOptions, Session,
    TreeSelection,
};
use support::{Place, say};
use tokio_util::sync::CancellationToken;

/// How often each has its turn.
const ROUNDS: usize = 5;

/// How many files a tree has.
const FILES: usize = 10_000;

/// How much a command writes.
const OUTPUT: u64 = 1 << 30;

/// Counts what is written.
#[derive(Debug, Clone, Default)]
struct Count(Arc<AtomicU64>);

impl LogSink for Count {
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()> {
        self.0
            .fetch_add(chunk.bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

async fn prepare(place: &Place) -> Box<dyn Session> {
    let (job, env) = (JobSpec::new("speed"), BTreeMap::new());
    let request = PrepareRequest::new(RunId::new(), &job, &env);
    place.executor().prepare(request).await.unwrap()
}

async fn exec(session: &dyn Session, script: &str) -> u64 {
    let count = Count::default();
    let options = OutputOptions::new(Arc::default(), Clock::system());
    let output = Output::new(&options, Box::new(count.clone()));
    let io = ExecIo::new(output.clone(), CancellationToken::new());
    let ended = session.exec(&Command::sh(script), io).await.unwrap();
    assert_eq!(ended, ExitStatus::Code(0));
    output.finish().await.unwrap();
    count.0.load(Ordering::Relaxed)
}

/// A whole job of so many steps.
async fn job(place: &Place, steps: usize) {
    let session = prepare(place).await;
    for _ in 0..steps {
        exec(&*session, "true").await;
    }
    session.teardown().await.unwrap();
}

fn docker(place: &Place, words: &[&str]) {
    let mut docker = Process::new("docker");
    docker.args(["--host", &place.host]).args(words);
    let done = docker.stdout(Stdio::null()).status().unwrap();
    assert!(done.success(), "docker {words:?}");
}

/// The least time of each of two, in turn.
async fn beside<F: Future<Output = ()>>(
    what: &str,
    most: f64,
    rounds: usize,
    ours: impl Fn() -> F,
    theirs: impl Fn(),
) {
    let (mut our_time, mut their_time) = (Duration::MAX, Duration::MAX);
    for _ in 0..rounds {
        let begun = Instant::now();
        ours().await;
        our_time = our_time.min(begun.elapsed());
        let begun = Instant::now();
        theirs();
        their_time = their_time.min(begun.elapsed());
    }
    let ratio = our_time.as_secs_f64() / their_time.as_secs_f64();
    say(&format!(
        "{what}: {our_time:.1?}, the docker client {their_time:.1?}: {ratio:.2} times (at most {most})"
    ));
    assert!(ratio <= most, "{what} takes {ratio:.2} times as long");
}

fn files(dir: &Path) {
    for number in 0..FILES {
        let folder = dir.join(format!("d{}", number % 100));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(
            folder.join(format!("f{number}")),
            format!("file {number}\n"),
        )
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: it wants the machine for itself"]
async fn jobs_beside_the_docker_client() {
    let Some(place) = support::place().await else {
        return;
    };
    let session = prepare(&place).await;
    let name = container(&place).await;
    let run = |words: &[&str]| docker(&place, words);
    let image = place.image.as_str();
    let step = || async {
        exec(&*session, "true").await;
    };
    beside("a step", 1.0, ROUNDS * 4, step, || {
        run(&["exec", &name, "true"])
    })
    .await;
    let one = || job(&place, 1);
    beside("a job of one step", 0.9, ROUNDS, one, || {
        run(&["run", "--rm", image, "true"]);
    })
    .await;
    let twenty = || job(&place, 20);
    beside("a job of twenty steps", 0.25, 2, twenty, || {
        for _ in 0..20 {
            run(&["run", "--rm", image, "true"]);
        }
    })
    .await;

    let dir = std::env::temp_dir().join(format!("ci-docker-speed-{}", std::process::id()));
    files(&dir.join("in"));
    let (from, into) = (dir.join("in"), dir.join("out"));
    let copy_in = || async {
        let tree = pack_stream(vec![PackRoot::new("", from.clone())]).unwrap();
        session.copy_in(tree, "ours").await.unwrap();
    };
    let there = format!("{name}:/theirs");
    beside("10,000 files in", 3.0, 3, copy_in, || {
        run(&["cp", &from.display().to_string(), &there]);
    })
    .await;
    let copy_out = || async {
        let selection = TreeSelection::default().root(CopyRoot::new("", "ours"));
        let mut tree = session.copy_out(&selection).await.unwrap();
        let read = move || std::io::copy(&mut tree, &mut std::io::sink());
        let read = tokio::task::spawn_blocking(read).await.unwrap();
        assert!(read.unwrap() > FILES as u64);
    };
    beside("10,000 files out", 3.0, 3, copy_out, || {
        run(&["cp", &there, &into.display().to_string()]);
        std::fs::remove_dir_all(&into).unwrap();
    })
    .await;
    std::fs::remove_dir_all(&dir).unwrap();

    let script = format!(
        "yes 'a line of sixty-four bytes as programs write them, more or less' | head -c {OUTPUT}"
    );
    let write = || async {
        assert_eq!(exec(&*session, &script).await, OUTPUT);
    };
    beside("1 GiB of output", 2.0, 1, write, || {
        run(&["exec", &name, "sh", "-c", &script])
    })
    .await;
    session.teardown().await.unwrap();
}

/// The name of the only container of these tests.
async fn container(place: &Place) -> String {
    let options = bollard::query_parameters::ListContainersOptionsBuilder::default()
        .filters(&std::collections::HashMap::from([(
            "label",
            vec!["ci-core.job=speed"],
        )]))
        .build();
    let found = place.client.list_containers(Some(options)).await.unwrap();
    let name = found[0].names.as_ref().unwrap()[0].clone();
    name.trim_start_matches('/').to_owned()
}
