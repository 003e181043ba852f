//! A swarm of two engines in network namespaces: a node that is lost, and a job that goes on elsewhere.
//!
//! `tests/run.sh --all` runs it: it needs the rights of root.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that fails has failed"
)]

#[path = "support/engine.rs"]
mod engine;
mod support;

use std::collections::BTreeMap;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ci_core::executor::{Executor, ReapScope};
use ci_core::job::{FailureClass, JobSpec, Retry, RetryOn};
use ci_core::outcome::OutcomeKind;
use ci_core::run::{RunOptions, start};
use ci_core::workflow::WorkflowSpec;
use ci_docker::{SwarmExecutor, SwarmOptions};
use engine::{Net, OwnEngine};
use serde_json::json;

/// How long a manager may take to miss a node, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// Two namespaces that reach each other; gone with this.
struct Pair([String; 2]);

fn ip(words: &str) {
    let done = Process::new("ip").args(words.split(' ')).status().unwrap();
    assert!(done.success(), "ip {words}");
}

impl Pair {
    fn new() -> Self {
        let id = std::process::id();
        let pair = Self([format!("ci-core-a-{id}"), format!("ci-core-b-{id}")]);
        let [a, b] = &pair.0;
        ip(&format!("netns add {a}"));
        ip(&format!("netns add {b}"));
        ip(&format!(
            "link add veth0 netns {a} type veth peer name veth0 netns {b}"
        ));
        for (name, address) in [(a, "10.251.7.1"), (b, "10.251.7.2")] {
            ip(&format!("-n {name} address add {address}/24 dev veth0"));
            ip(&format!("-n {name} link set veth0 up"));
            ip(&format!("-n {name} link set lo up"));
        }
        pair
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = Process::new("ip").args(["netns", "delete", name]).status();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the second lane of the tests: two engines and a minute"]
async fn a_job_of_a_lost_node_runs_again_on_another() {
    let pair = Pair::new();
    let named = |name: &String| OwnEngine::with(Net::Named(name.clone()), &[]);
    let (Some(manager), Some(mut worker)) = (named(&pair.0[0]), named(&pair.0[1])) else {
        return;
    };
    manager.init_swarm("10.251.7.1");
    let token = manager.docker(&["swarm", "join-token", "-q", "worker"]);
    worker.docker(&["swarm", "join", "--token", &token, "10.251.7.1:2377"]);
    let (place, _) = (manager.place().await, worker.place().await);
    // Both have the name of this machine: nodes are told apart by their ids.
    let own = manager.docker(&["node", "inspect", "--format", "{{.ID}}", "self"]);
    let nodes = manager.docker(&["node", "ls", "-q"]);
    let other = nodes.lines().find(|id| *id != own).unwrap();
    // The first attempt goes to the worker, which is the only node that takes tasks.
    manager.docker(&["node", "update", "--availability", "drain", &own]);
    let options: BTreeMap<String, serde_json::Value> = serde_json::from_value(json!({
        "host": place.host, "image": place.image, "pull": "never",
        "nodes": {other: worker.host()},
        "container": {"volumes": {"/mark": "mark"}},
    }))
    .unwrap();
    let options = SwarmOptions::from_settings(&options).unwrap();
    let executor = Arc::new(SwarmExecutor::with_options(options).grace(support::GRACE));
    let retry = Retry::times(1).on(RetryOn::Class(FailureClass::Interrupted));
    // Only the manager has what the job looks for.
    manager.docker(&[
        "run",
        "--rm",
        "-v",
        "mark:/mark",
        &place.image,
        "touch",
        "/mark/here",
    ]);
    let job = JobSpec::new("moves")
        .executor("swarm")
        .retry(retry)
        .run("test -e /mark/here || sleep 1000000");
    let workflow = WorkflowSpec::builder("lost").job(job).build().unwrap();
    let run_options = RunOptions::new().executor(Arc::clone(&executor) as Arc<dyn Executor>);
    let handle = start(workflow, run_options).await.unwrap();
    let run = handle.id();
    let killing = async {
        let began = Instant::now();
        while worker.docker(&["ps", "-q"]).is_empty() {
            assert!(began.elapsed() < PATIENCE, "no task came to the worker");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        worker.kill();
        manager.docker(&["node", "update", "--availability", "active", &own]);
    };
    let (report, ()) = tokio::join!(tokio::time::timeout(PATIENCE, handle.wait()), killing);
    let report = report.unwrap().unwrap();
    assert_eq!(report.outcome, OutcomeKind::Success, "{report:?}");
    assert_eq!(report.jobs[0].attempts, 2, "{report:?}");

    // The node comes back with what it had, and the sweep finds nothing but that.
    worker.start_again();
    let began = Instant::now();
    loop {
        let report = executor.reap(&ReapScope::Run(run)).await.unwrap();
        let on_worker = worker.docker(&["ps", "-aq"]);
        let services = manager.docker(&["service", "ls", "-q"]);
        if on_worker.is_empty() && services.is_empty() {
            break;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "{on_worker} {services} {report:?}"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
