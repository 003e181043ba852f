//! The Docker executor passes ci-core's conformance suite on a real engine. One test, in a process of
//! its own: the suite watches the memory of the whole process.

mod support;

use std::sync::Arc;

use ci_core::testing::conformance;

#[tokio::test(flavor = "multi_thread")]
async fn docker_executor() {
    let Some(place) = support::place().await else {
        return;
    };
    let report = conformance(Arc::new(place.executor()), place.options()).await;
    support::say(&report.to_string());
    report.assert();
}
