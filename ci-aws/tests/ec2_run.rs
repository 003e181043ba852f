//! A run whose spot machine is taken away under a job: the job runs once more, on demand.
#![cfg(all(unix, feature = "testing"))]

use std::time::{Duration, Instant};

use ci_aws::ec2::{Ec2Executor, Launch, Spot, Strategy, retry_interrupted};
use ci_core::job::JobSpec;
use ci_core::outcome::OutcomeKind;
use ci_core::run::{RunOptions, start};
use ci_core::workflow::WorkflowSpec;

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;
use support::cloud::Cloud;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_machine_is_taken_away_runs_once_more_on_demand() {
    if support::machines::sshd::missing() {
        return;
    }
    let cloud = Cloud::start().await;
    let mut launch = Launch::new("lt-1");
    launch.spot = Some(Spot::default());
    let options = cloud.options(Strategy::Template(launch));
    let executor = Ec2Executor::new(cloud.api().await, options).unwrap();
    let mark = cloud.path("begun");
    let script = format!("[ -e {0} ] || {{ : >{0}; exec sleep 60; }}", mark.display());
    let job = JobSpec::new("job").run(script);
    let workflow = WorkflowSpec::builder("spot")
        .job(retry_interrupted(job))
        .build()
        .unwrap();
    let options = RunOptions::new().executor(executor);
    let run = start(workflow, options).await.unwrap();
    let end = Instant::now() + Duration::from_mins(1);
    while !mark.exists() {
        assert!(Instant::now() < end, "the job does not begin");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let machine = cloud.ec2.live().remove(0);
    assert!(machine.is_spot);
    cloud.ec2.interrupt(&machine.id);
    let report = run.wait().await.unwrap();
    assert_eq!(report.outcome, OutcomeKind::Success, "{report:?}");
    assert_eq!(report.jobs[0].attempts, 2);
    let all = cloud.ec2.instances();
    let spots: Vec<bool> = all.iter().map(|it| it.is_spot).collect();
    assert_eq!(spots, [true, false]);
    assert_eq!(cloud.ec2.live(), []);
}
