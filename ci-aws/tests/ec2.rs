//! What the EC2 executor does when launches, links and controllers fail. EC2 is a stand-in that the real
//! SDK talks to over HTTP; its instances are real OpenSSH servers.
#![cfg(all(unix, feature = "testing"))]
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ci_aws::ec2::{
    Ec2Error, Ec2ErrorKind, Ec2Executor, InstanceState, Launch, Reaper, Scope, Spot, Strategy,
    Trust, check, tags,
};
use ci_aws::testing::{Delays, FakeEc2, Fault, POINTS, Rule};
use ci_core::executor::{Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapScope};
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_core::session::{Command, ExecIo, ExitStatus, Output, Session, SessionErrorKind};
use tokio_util::sync::CancellationToken;

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;
use support::cloud::{self, Cloud};

/// What this test program is asked to do when it is its own child.
#[cfg(feature = "sdk")]
const CONTROLLER: &str = "CI_AWS_TEST_EC2_CONTROLLER";

fn template() -> Strategy {
    Strategy::Template(Launch::new("lt-1"))
}

fn spot(fall_back: bool) -> Launch {
    let mut launch = Launch::new("lt-1");
    launch.spot = Some(Spot::default());
    launch.fall_back = fall_back;
    launch
}

async fn prepare(executor: &Ec2Executor, run: RunId) -> Result<Box<dyn Session>, ExecutorError> {
    let (job, env) = (JobSpec::new("job"), BTreeMap::new());
    executor.prepare(PrepareRequest::new(run, &job, &env)).await
}

async fn sh(session: &dyn Session, script: &str) -> Result<ExitStatus, SessionErrorKind> {
    let io = ExecIo::new(Output::discard(), CancellationToken::new());
    let done = session.exec(&Command::sh(script), io).await;
    done.map_err(|error| error.kind())
}

fn kind(error: &ExecutorError) -> Ec2ErrorKind {
    let source = std::error::Error::source(error).unwrap();
    source.downcast_ref::<Ec2Error>().unwrap().kind()
}

/// A stand-in without machines, and an executor that reaches nothing.
fn bare(strategy: Strategy) -> (FakeEc2, Ec2Executor, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    support::machines::sshd::keygen(&dir.path().join("host"));
    let fake = FakeEc2::in_memory();
    let mut options = cloud::options(dir.path(), strategy);
    options.launch_deadline = Duration::from_mins(5);
    let executor = Ec2Executor::new(fake.api(), options).unwrap();
    (fake, executor, dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_on_a_new_machine_that_is_gone_after() {
    let cloud = Cloud::start().await;
    cloud.ec2.delay(Delays::all(Duration::from_millis(300)));
    cloud
        .ec2
        .set_template_data(b"#!/bin/sh\necho of the template\n");
    let executor = Ec2Executor::new(cloud.api().await, cloud.options(template())).unwrap();
    let run = RunId::new();
    let session = prepare(&executor, run).await.unwrap();
    let machine = cloud.ec2.live().remove(0);
    assert_eq!(machine.tags[tags::RUN], run.to_string());
    let data = cloud.ec2.user_data(&machine.id).unwrap();
    for part in [
        "shutdown -P +360",
        "ssh_deletekeys: true",
        "echo of the template",
    ] {
        assert!(data.contains(part), "{data}");
    }
    assert_eq!(
        sh(session.as_ref(), "exit 7").await,
        Ok(ExitStatus::Code(7))
    );
    session.teardown().await.unwrap();
    assert_eq!(cloud.ec2.live(), []);
    let journal = ci_aws::ec2::Journal::open(cloud.path("state")).unwrap();
    assert_eq!(journal.unended().unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_machine_is_left_as_it_was_found() {
    let cloud = Cloud::start().await;
    cloud.ec2.delay(Delays::all(Duration::from_millis(200)));
    for state in [
        InstanceState::Stopped,
        InstanceState::Stopping,
        InstanceState::Running,
    ] {
        let id = cloud.ec2.add(state);
        let options = cloud.options(Strategy::Existing(id.clone()));
        let executor = Ec2Executor::new(cloud.api().await, options).unwrap();
        let session = prepare(&executor, RunId::new()).await.unwrap();
        assert_eq!(sh(session.as_ref(), "true").await, Ok(ExitStatus::Code(0)));
        session.teardown().await.unwrap();
        let after = cloud
            .ec2
            .instances()
            .into_iter()
            .find(|it| it.id == id)
            .unwrap();
        assert_eq!(
            after.state == InstanceState::Running,
            state == InstanceState::Running
        );
        assert!(after.tags.is_empty(), "{after:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pipelines_do_not_fight_over_a_machine() {
    let cloud = Cloud::start().await;
    let id = cloud.ec2.add(InstanceState::Stopped);
    let mut options = cloud.options(Strategy::Existing(id));
    let first = Ec2Executor::new(cloud.api().await, options.clone()).unwrap();
    let session = prepare(&first, RunId::new()).await.unwrap();
    // The third has the time that it needs: a machine that is free takes a while to start.
    let third = Ec2Executor::new(cloud.api().await, options.clone()).unwrap();
    options.launch_deadline = Duration::from_millis(500);
    let second = Ec2Executor::new(cloud.api().await, options).unwrap();
    let error = prepare(&second, RunId::new()).await.err().unwrap();
    assert_eq!(kind(&error), Ec2ErrorKind::Locked, "{error}");
    assert_eq!(sh(session.as_ref(), "true").await, Ok(ExitStatus::Code(0)));
    session.teardown().await.unwrap();
    let session = prepare(&third, RunId::new()).await.unwrap();
    session.teardown().await.unwrap();
    assert_eq!(cloud.ec2.live(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_share_a_machine_and_it_is_kept_for_a_while() {
    let cloud = Cloud::start().await;
    let mut options = cloud.options(template());
    options.jobs = 2;
    options.keep = Duration::from_mins(10);
    let executor = Ec2Executor::new(cloud.api().await, options).unwrap();
    let run = RunId::new();
    let (one, two, three) = tokio::join!(
        prepare(&executor, run),
        prepare(&executor, run),
        prepare(&executor, run)
    );
    assert_eq!(cloud.ec2.calls("RunInstances"), 2);
    for session in [one, two, three] {
        session.unwrap().teardown().await.unwrap();
    }
    prepare(&executor, run)
        .await
        .unwrap()
        .teardown()
        .await
        .unwrap();
    assert_eq!(cloud.ec2.calls("RunInstances"), 2);
    assert_eq!(cloud.ec2.live().len(), 2);
    executor.close().await.unwrap();
    assert_eq!(cloud.ec2.live(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_makes_one_machine_and_not_two() {
    let cloud = Cloud::start().await;
    cloud.ec2.delay(Delays::all(Duration::from_millis(400)));
    cloud
        .ec2
        .fail(Rule::new("RunInstances", Fault::LostReply).times(2));
    cloud
        .ec2
        .fail(Rule::new("TerminateInstances", Fault::LostReply).times(1));
    let executor = Ec2Executor::new(cloud.api().await, cloud.options(template())).unwrap();
    let session = prepare(&executor, RunId::new()).await.unwrap();
    assert_eq!(cloud.ec2.instances().len(), 1);
    session.teardown().await.unwrap();
    assert_eq!(cloud.ec2.live(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_spot_machine_is_an_interruption_and_the_next_is_on_demand() {
    let cloud = Cloud::start().await;
    let options = cloud.options(Strategy::Template(spot(true)));
    let executor = Ec2Executor::new(cloud.api().await, options).unwrap();
    let run = RunId::new();
    let session = prepare(&executor, run).await.unwrap();
    let machine = cloud.ec2.live().remove(0);
    assert!(machine.is_spot);
    let (ended, ()) = tokio::join!(sh(session.as_ref(), "sleep 60"), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        cloud.ec2.interrupt(&machine.id);
    });
    assert_eq!(ended, Err(SessionErrorKind::Interrupted));
    session.teardown().await.unwrap();
    let session = prepare(&executor, run).await.unwrap();
    assert!(!cloud.ec2.live().remove(0).is_spot);
    session.teardown().await.unwrap();
    assert_eq!(cloud.ec2.live(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_dies_is_a_lost_link_and_no_exit_code() {
    let cloud = Cloud::start().await;
    let executor = Ec2Executor::new(cloud.api().await, cloud.options(template())).unwrap();
    let session = prepare(&executor, RunId::new()).await.unwrap();
    let id = cloud.ec2.live().remove(0).id;
    let (ended, ()) = tokio::join!(sh(session.as_ref(), "sleep 60"), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        cloud.power_off(&id);
        cloud.ec2.end(&id, "Client.InstanceInitiatedShutdown");
    });
    assert_eq!(ended, Err(SessionErrorKind::Lost));
    session.teardown().await.unwrap();
    assert_eq!(cloud.ec2.live(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_comes_up_late_is_waited_for() {
    let cloud = Cloud::start().await;
    cloud.late.store(true, Ordering::Relaxed);
    let executor = Ec2Executor::new(cloud.api().await, cloud.options(template())).unwrap();
    let (session, ()) = tokio::join!(prepare(&executor, RunId::new()), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        cloud.late.store(false, Ordering::Relaxed);
    });
    session.unwrap().teardown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_host_key_is_refused_and_the_machine_given_back() {
    let cloud = Cloud::start().await;
    let id = cloud.ec2.add(InstanceState::Stopped);
    let mut options = cloud.options(Strategy::Existing(id.clone()));
    let other = std::fs::read_to_string(cloud.path("user.pub")).unwrap();
    options.reach.trust = Trust::Pinned(other.clone());
    let executor = Ec2Executor::new(cloud.api().await, options.clone()).unwrap();
    let error = prepare(&executor, RunId::new()).await.err().unwrap();
    assert!(error.to_string().contains("host key"), "{error}");
    assert_eq!(cloud.ec2.live(), []);

    // The console says the right one; without it, there is a hint.
    options.reach.trust = Trust::Console;
    let executor = Ec2Executor::new(cloud.api().await, options.clone()).unwrap();
    let error = prepare(&executor, RunId::new()).await.err().unwrap();
    assert!(error.hints().concat().contains("accept-new"), "{error:?}");
    let key = std::fs::read_to_string(cloud.path("host.pub")).unwrap();
    let text = format!("-----BEGIN SSH HOST KEY KEYS-----\n{key}-----END SSH HOST KEY KEYS-----\n");
    cloud.ec2.set_console(&id, &text);
    let session = prepare(&executor, RunId::new()).await.unwrap();
    session.teardown().await.unwrap();
    assert_eq!(cloud.ec2.live(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_credentials_are_one_message_says_so() {
    let cloud = Cloud::start().await;
    cloud
        .ec2
        .fail(Rule::new("RunInstances", Fault::code("AuthFailure")));
    cloud.ec2.fail(Rule::new(
        "DescribeLaunchTemplateVersions",
        Fault::Error("RequestExpired".into(), 400),
    ));
    let executor = Ec2Executor::new(cloud.api().await, cloud.options(template())).unwrap();
    let error = prepare(&executor, RunId::new()).await.err().unwrap();
    assert_eq!(kind(&error), Ec2ErrorKind::Denied, "{error}");
    assert!(error.hints().concat().contains("expired"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_are_rehearsed() {
    let cloud = Cloud::start().await;
    cloud.ec2.deny("RunInstances");
    let api = cloud.api().await;
    let found = check(api.as_ref(), &cloud.options(template()))
        .await
        .unwrap();
    let of = |action: &str| found.iter().find(|it| it.action == action).unwrap().allowed;
    assert_eq!(of("ec2:RunInstances"), Some(false));
    assert_eq!(of("ec2:TerminateInstances"), Some(true));
    assert_eq!(cloud.ec2.instances(), []);
}

#[tokio::test(start_paused = true)]
async fn a_minute_of_throttling_is_waited_out() {
    let (fake, executor, _dir) = bare(template());
    fake.fail(
        Rule::new("RunInstances", Fault::code("RequestLimitExceeded"))
            .lasting(Duration::from_mins(1)),
    );
    fake.fail(Rule::new(
        "RunInstances",
        Fault::code("InsufficientInstanceCapacity"),
    ));
    let began = tokio::time::Instant::now();
    let error = prepare(&executor, RunId::new()).await.err().unwrap();
    // The verdict comes when EC2 listens again, after calls that became fewer and fewer.
    assert_eq!(kind(&error), Ec2ErrorKind::NoCapacity, "{error}");
    let took = began.elapsed();
    assert!((60..=85).contains(&took.as_secs()), "{took:?}");
    assert!(
        fake.calls("RunInstances") < 15,
        "{}",
        fake.calls("RunInstances")
    );
}

#[tokio::test(start_paused = true)]
async fn throttling_without_end_ends_at_the_deadline() {
    let (fake, executor, _dir) = bare(template());
    fake.fail(Rule::new(
        "RunInstances",
        Fault::code("RequestLimitExceeded"),
    ));
    let began = tokio::time::Instant::now();
    let error = prepare(&executor, RunId::new()).await.err().unwrap();
    assert_eq!(error.kind(), ExecutorErrorKind::TimedOut, "{error}");
    assert!(
        began.elapsed() < Duration::from_secs(330),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_capacity_the_verdict_names_what_was_tried() {
    let mut launch = spot(true);
    launch.types = vec!["c7g.large".to_owned(), "m7g.large".to_owned()];
    launch.zones = vec!["eu-north-1a".to_owned(), "eu-north-1b".to_owned()];
    let (fake, executor, _dir) = bare(Strategy::Template(launch));
    fake.fail(Rule::new("RunInstances", Fault::code("VcpuLimitExceeded")).at("m7g.large"));
    fake.fail(Rule::new(
        "RunInstances",
        Fault::code("InsufficientInstanceCapacity"),
    ));
    let began = tokio::time::Instant::now();
    let error = prepare(&executor, RunId::new()).await.err().unwrap();
    assert_eq!(error.kind(), ExecutorErrorKind::Capacity);
    assert_eq!(began.elapsed(), Duration::ZERO);
    let text = error.to_string();
    for words in [
        "c7g.large in eu-north-1a (spot): InsufficientInstanceCapacity",
        "m7g.large in eu-north-1b (on demand): VcpuLimitExceeded",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(fake.calls("RunInstances"), 8);
}

#[tokio::test]
async fn a_run_does_not_cost_more_than_it_may() {
    let dir = tempfile::tempdir().unwrap();
    support::machines::sshd::keygen(&dir.path().join("host"));
    let fake = FakeEc2::in_memory();
    let mut options = cloud::options(dir.path(), template());
    options.time_limit = Duration::from_hours(1);
    options.machine_time = Some(Duration::from_hours(2));
    options.boot_deadline = Duration::from_millis(200);
    options.reach.address = ci_aws::ec2::Address::Fixed("127.0.0.1".into());
    options.reach.port = Some(1);
    let executor = Ec2Executor::new(fake.api(), options).unwrap();
    let run = RunId::new();
    for expected in [
        ExecutorErrorKind::TimedOut,
        ExecutorErrorKind::TimedOut,
        ExecutorErrorKind::Unsupported,
    ] {
        let error = prepare(&executor, run).await.err().unwrap();
        assert_eq!(error.kind(), expected, "{error}");
    }
    assert_eq!(fake.instances().len(), 2);
    assert_eq!(fake.live(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_machine_is_told_and_does_not_keep_the_others() {
    let cloud = Cloud::start().await;
    let mut options = cloud.options(template());
    options.lease = Duration::from_secs(1);
    let run = RunId::new();
    let executor = Ec2Executor::new(cloud.api().await, options.clone()).unwrap();
    let one = prepare(&executor, run).await.unwrap();
    let protected = cloud.ec2.live().remove(0).id;
    let _two = prepare(&executor, run).await.unwrap();
    cloud.ec2.protect(&protected, true);
    let error = one.teardown().await.unwrap_err();
    assert!(
        error.to_string().contains("OperationNotPermitted"),
        "{error}"
    );
    let report = executor.reap(&ReapScope::Run(run)).await.unwrap();
    assert_eq!(cloud.ec2.live().len(), 1);
    assert!(
        report.left.iter().any(|it| it.contains(&protected)),
        "{report:?}"
    );
    cloud.ec2.protect(&protected, false);
    let report = executor.reap(&ReapScope::Run(run)).await.unwrap();
    assert_eq!(report.left, Vec::<String>::new());
    assert_eq!(cloud.ec2.live(), []);
}

/// Not a test by itself: what the child of the test below does until it is killed.
#[cfg(feature = "sdk")]
#[tokio::test(flavor = "multi_thread")]
async fn controller() {
    let Ok(told) = std::env::var(CONTROLLER) else {
        return;
    };
    let mut words = told.split(' ');
    let (endpoint, dir, id) = (
        words.next().unwrap(),
        words.next().unwrap(),
        words.next().unwrap(),
    );
    let strategy = match id {
        "new" => template(),
        id => Strategy::Existing(id.to_owned()),
    };
    let mut options = cloud::options(&PathBuf::from(dir), strategy);
    options.lease = Duration::from_secs(2);
    let api = Arc::new(cloud::connect(endpoint).await);
    let executor = Ec2Executor::new(api, options).unwrap();
    let session = prepare(&executor, RunId::new()).await.unwrap();
    assert_eq!(sh(session.as_ref(), "true").await, Ok(ExitStatus::Code(0)));
    session.teardown().await.unwrap();
}

#[cfg(feature = "sdk")]
async fn killed_at(point: &str, is_new: bool) {
    let cloud = Cloud::start().await;
    let mut delays = Delays::all(Duration::from_millis(200));
    delays.invisible = Duration::from_millis(600);
    cloud.ec2.delay(delays);
    let id = if is_new {
        "new".to_owned()
    } else {
        cloud.ec2.add(InstanceState::Stopped)
    };
    let told = format!(
        "{} {} {id}",
        cloud.ec2.endpoint(),
        cloud.dir.path().display()
    );
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "controller"])
        .env(CONTROLLER, told)
        .env("CI_AWS_FAIL_POINT", point)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ended = child.wait().await.unwrap();
    let by = std::os::unix::process::ExitStatusExt::signal(&ended);
    assert_eq!(by, Some(9), "`{point}` was not passed: {ended}");
    let journal = ci_aws::ec2::Journal::open(cloud.path("state")).unwrap();
    let reaper = Reaper::new(cloud.api().await)
        .journal(journal)
        .confirm(Duration::from_millis(100))
        .poll(Duration::from_millis(50))
        .visibility(Duration::from_secs(2));
    // Its lease has to end first: whoever lives is left alone.
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let reaped = reaper.reap(&Scope::Expired).await.unwrap();
        assert_eq!(reaped.left, Vec::<String>::new(), "after `{point}`");
        let held = cloud.ec2.instances().into_iter().any(|it| {
            !it.state.is_over() && (it.state.is_up() || it.tags.contains_key(tags::LOCK))
        });
        if !held {
            break;
        }
        assert!(
            Instant::now() < end,
            "after `{point}` there is {:?}",
            cloud.ec2.instances()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[cfg(feature = "sdk")]
#[tokio::test(flavor = "multi_thread")]
async fn a_controller_killed_with_a_new_machine_leaves_none() {
    let only_existing = ["locked", "marked", "started", "unlocked"];
    for point in POINTS.iter().filter(|it| !only_existing.contains(it)) {
        killed_at(point, true).await;
    }
}

#[cfg(feature = "sdk")]
#[tokio::test(flavor = "multi_thread")]
async fn a_controller_killed_with_an_existing_machine_leaves_it_stopped() {
    let only_new = ["launched", "recorded"];
    for point in POINTS.iter().filter(|it| !only_new.contains(it)) {
        killed_at(point, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_living_controller_is_left_alone() {
    let cloud = Cloud::start().await;
    let mut options = cloud.options(template());
    // Longer than a busy machine keeps a controller from renewing it.
    options.lease = Duration::from_secs(5);
    let executor = Ec2Executor::new(cloud.api().await, options).unwrap();
    let session = prepare(&executor, RunId::new()).await.unwrap();
    let expires = || -> u64 {
        let machine = cloud.ec2.live().remove(0);
        machine.tags[tags::EXPIRES].parse().unwrap()
    };
    let (first, end) = (expires(), Instant::now() + Duration::from_secs(30));
    while expires() <= first {
        assert!(Instant::now() < end, "the lease was not renewed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let reaper = Reaper::new(cloud.api().await).confirm(Duration::from_millis(200));
    let reaped = reaper.reap(&Scope::Expired).await.unwrap();
    assert!(reaped.removed.is_empty(), "{reaped:?}");
    assert_eq!(sh(session.as_ref(), "true").await, Ok(ExitStatus::Code(0)));
    session.teardown().await.unwrap();
}
