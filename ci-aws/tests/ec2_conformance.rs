//! The EC2 executor passes the conformance suite: EC2 is a stand-in that the real SDK talks to, its
//! instances are real OpenSSH servers. One test, in a process of its own: the suite watches the memory
//! of the whole process.
#![cfg(all(unix, feature = "testing"))]
#![expect(
    clippy::print_stdout,
    reason = "the table is what `--nocapture` is for"
)]

use std::sync::Arc;

use ci_aws::ec2::{Ec2Executor, InstanceState, Launch, Strategy};
use ci_core::testing::{ConformanceOptions, conformance};

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;
use support::cloud::Cloud;

#[tokio::test(flavor = "multi_thread")]
async fn ec2_executor() {
    if support::machines::sshd::missing() {
        return;
    }
    let cloud = Cloud::start().await;
    let options = || {
        let mut options = ConformanceOptions::new(support::GRACE).watch_this_machine();
        // A shell is between the step and the supervisor's trailer.
        options.exact_signals = false;
        options
    };
    let existing = cloud.ec2.add(InstanceState::Stopped);
    let mut told = cloud.options(Strategy::Existing(existing.clone()));
    told.jobs = 64;
    let executor = Ec2Executor::new(cloud.api().await, told).unwrap();
    let report = conformance(Arc::new(executor), options()).await;
    println!("{report}");
    report.assert();
    let state = cloud.ec2.instances().remove(0).state;
    assert_eq!(state, InstanceState::Stopped);

    let told = cloud.options(Strategy::Template(Launch::new("lt-1")));
    let executor = Ec2Executor::new(cloud.api().await, told).unwrap();
    let report = conformance(Arc::new(executor), options()).await;
    println!("{report}");
    report.assert();
    assert_eq!(cloud.ec2.live(), []);
}
