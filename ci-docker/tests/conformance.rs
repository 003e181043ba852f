//! The Docker executor passes ci-core's conformance suite on a real engine. One test, in a process of
//! its own: the suite watches the memory of the whole process.

mod support;

use std::sync::Arc;
use std::time::Duration;

use ci_core::testing::{ConformanceOptions, conformance};
use ci_docker::{DockerExecutor, PullPolicy};

#[tokio::test(flavor = "multi_thread")]
async fn docker_executor() {
    let Some(place) = support::place().await else {
        return;
    };
    let grace = Duration::from_secs(3);
    let executor = DockerExecutor::new()
        .host(&place.host)
        .image(&place.image)
        .pull(PullPolicy::Never)
        .grace(grace);
    let mut options = ConformanceOptions::new(grace);
    // Processes of containers are processes of this machine where the engine is on it.
    if place.host.starts_with("unix://") {
        options = options.watch_this_machine();
    }
    options.exact_signals = false;
    if let Ok(only) = std::env::var("CI_CORE_CONFORMANCE_ONLY") {
        options = only.split(';').fold(options, ConformanceOptions::only);
    }
    let report = conformance(Arc::new(executor), options).await;
    support::say(&report.to_string());
    report.assert();
}
