//! The Docker executor passes ci-core's conformance suite also as a user that the image does not know.
//! One test, in a process of its own: the suite watches the memory of the whole process.

mod support;

use std::sync::Arc;

use ci_core::testing::conformance;

#[tokio::test(flavor = "multi_thread")]
async fn docker_executor_as_another_user() {
    let Some(place) = support::place().await else {
        return;
    };
    let executor = place
        .executor()
        .user("1000:1000")
        .work_dir("/builds/project");
    let report = conformance(Arc::new(executor), place.options()).await;
    support::say(&report.to_string());
    report.assert();
}
