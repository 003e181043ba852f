//! The SSH executor passes the conformance suite on a real OpenSSH server. One test, in a process of
//! its own: the suite watches the memory of the whole process.
#![cfg(unix)]
#![expect(
    clippy::print_stdout,
    reason = "the table is what `--nocapture` is for"
)]

use std::sync::Arc;

use ci_core::testing::{ConformanceOptions, conformance};

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;

#[tokio::test(flavor = "multi_thread")]
async fn ssh_executor() {
    if support::machines::sshd::missing() {
        return;
    }
    let sshd = support::machines::sshd::Sshd::start();
    let mut options = ConformanceOptions::new(support::GRACE).watch_this_machine();
    // A shell is between the step and the supervisor's trailer.
    options.exact_signals = false;
    let report = conformance(Arc::new(sshd.executor()), options).await;
    println!("{report}");
    report.assert();
    assert_eq!(sshd.sessions(), Vec::<std::path::PathBuf>::new());
}
