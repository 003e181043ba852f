//! The local executor passes the conformance suite. One test, in a process of its own: the suite
//! watches the memory of the whole process.
#![cfg(all(unix, feature = "local", feature = "testing"))]

use std::sync::Arc;
use std::time::Duration;

use ci_core::executor::LocalExecutor;
use ci_core::testing::{ConformanceOptions, ConformanceReport, conformance};

#[tokio::test(flavor = "multi_thread")]
async fn local_executor() {
    let place = tempfile::tempdir().unwrap();
    let grace = Duration::from_secs(3);
    let executor = LocalExecutor::new()
        .root(place.path().join("root"))
        .isolated()
        .grace(grace);
    let options = ConformanceOptions::new(grace).watch_this_machine();
    let report = conformance(Arc::new(executor), options).await;
    show(&report);
    report.assert();
}

#[expect(
    clippy::print_stdout,
    reason = "the table is what `--nocapture` is for"
)]
fn show(report: &ConformanceReport) {
    println!("{report}");
}
