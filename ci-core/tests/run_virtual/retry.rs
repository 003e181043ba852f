//! Retries: when the attempts begin, and which failures are worth one.

use ci_core::event::RunEvent;
use ci_core::executor::ExecutorErrorKind;
use ci_core::job::{Backoff, FailureClass, JobSpec, Retry, RetryOn};
use ci_core::outcome::{Outcome, OutcomeKind};
use ci_core::session::{ExitStatus, SessionErrorKind};
use ci_core::testing::MockHandle;

use crate::kit::{Stage, job, secs, workflow};

#[tokio::test(start_paused = true)]
async fn attempts_begin_when_the_backoff_says() {
    let stage = Stage::new();
    stage.mock.on("flaky").times(3).after(secs(5)).exit(1);
    let retry = Retry::times(3).backoff(Backoff::exponential(secs(10)));
    let jobs = [job("flaky").retry(retry), job("after").needs("flaky")];
    let ran = stage.takes("flaky", 5, 0).run(workflow(jobs)).await;
    // Each attempt takes 5 s; the pauses are 10, 20 and 40 s.
    assert_eq!(ran.starts("flaky"), [0.0, 15.0, 40.0, 85.0]);
    assert_eq!(ran.end_of("flaky"), 90.0);
    assert_eq!(ran.starts("after"), [90.0]);
    let flaky = ran.report.job("flaky").unwrap();
    assert_eq!((flaky.attempts, flaky.duration), (4, secs(20)));
    assert_eq!(flaky.outcome, Outcome::Success);
    assert!(ran.report.is_success());
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_no_longer_than_the_limit_and_attempts_end() {
    let mut backoff = Backoff::exponential(secs(10));
    backoff.limit = secs(15);
    let flaky = job("flaky").retry(Retry::times(3).backoff(backoff));
    let ran = Stage::new()
        .takes("flaky", 1, 7)
        .run(workflow([flaky]))
        .await;
    assert_eq!(ran.starts("flaky"), [0.0, 11.0, 27.0, 43.0]);
    assert_eq!(ran.outcome_of("flaky"), &Outcome::from_exit_code(7));
    assert_eq!(ran.report.job("flaky").unwrap().attempts, 4);
    assert_eq!(ran.report.outcome, OutcomeKind::Failed);
}

#[tokio::test(start_paused = true)]
async fn jitter_moves_each_attempt_within_its_share() {
    let backoff = Backoff::exponential(secs(100)).jitter(0.5);
    let flaky = job("flaky").retry(Retry::times(4).backoff(backoff));
    let ran = Stage::new()
        .takes("flaky", 0, 1)
        .run(workflow([flaky]))
        .await;
    let starts = ran.starts("flaky");
    let delays = ran.records.iter().filter_map(|record| match &record.event {
        RunEvent::JobRetrying { delay, .. } => Some(delay.as_secs_f64()),
        _ => None,
    });
    let delays: Vec<f64> = delays.collect();
    assert_eq!((starts.len(), delays.len()), (5, 4));
    for ((delay, usual), pair) in delays
        .iter()
        .zip([100.0, 200.0, 300.0, 300.0])
        .zip(starts.windows(2))
    {
        let share = delay / usual;
        assert!((0.5..=1.5).contains(&share), "{delay} for {usual}");
        // As announced; time is kept in milliseconds.
        let pause = pair[1] - pair[0];
        assert!(
            (0.0..0.002).contains(&(pause - delay + 0.0005)),
            "{pause} for {delay}"
        );
    }
    let shares = [delays[2] / 300.0, delays[3] / 300.0];
    assert!(shares[0] != shares[1], "the pauses are random: {shares:?}");
}

/// How a job fails, and how often it runs under each policy.
#[tokio::test(start_paused = true)]
async fn only_the_named_failures_are_worth_another_attempt() {
    type Fails = fn(&MockHandle);
    let exit: Fails = |mock| {
        mock.on("flaky").exit(7);
    };
    let signal: Fails = |mock| {
        mock.on("flaky").ends(ExitStatus::Signal(9));
    };
    let slow: Fails = |mock| {
        mock.on("flaky").hang_until_canceled();
    };
    let lost: Fails = |mock| {
        mock.on("flaky").lose();
    };
    let spot: Fails = |mock| {
        mock.on("flaky").fail(SessionErrorKind::Interrupted);
    };
    let refused: Fails = |mock| {
        mock.on("flaky").prepare_fails(ExecutorErrorKind::Capacity);
    };
    let class = RetryOn::Class;
    for (fails, on, attempts) in [
        (exit, vec![], 2),
        (exit, vec![RetryOn::ExitCode(7)], 2),
        (exit, vec![RetryOn::ExitCode(8)], 1),
        (
            exit,
            vec![RetryOn::ExitCode(8), class(FailureClass::Script)],
            2,
        ),
        (exit, vec![class(FailureClass::Timeout)], 1),
        (signal, vec![RetryOn::Signal(9)], 2),
        (signal, vec![RetryOn::Signal(15), RetryOn::ExitCode(9)], 1),
        (slow, vec![class(FailureClass::Timeout)], 2),
        (slow, vec![class(FailureClass::Script)], 1),
        (lost, vec![class(FailureClass::Infrastructure)], 2),
        (lost, vec![class(FailureClass::Script)], 1),
        (spot, vec![class(FailureClass::Interrupted)], 2),
        (spot, vec![class(FailureClass::Infrastructure)], 1),
        (refused, vec![class(FailureClass::Infrastructure)], 2),
        (refused, vec![class(FailureClass::Script)], 1),
    ] {
        let stage = Stage::new();
        fails(&stage.mock);
        let retry = on.iter().fold(Retry::times(1), |retry, on| retry.on(*on));
        let ran = stage
            .run(workflow([job("flaky").retry(retry).timeout(secs(60))]))
            .await;
        let report = ran.report.job("flaky").unwrap();
        assert_eq!(
            report.attempts, attempts,
            "{:?} with {on:?}",
            report.outcome
        );
        assert!(!report.outcome.is_success());
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_no_slot() {
    let stage = Stage::new();
    stage.mock.on("flaky").times(1).exit(1);
    let retry = Retry::times(1).backoff(Backoff::exponential(secs(30)));
    let jobs = [job("flaky").retry(retry).priority(1), job("other")];
    let ran = stage
        .takes("other", 20, 0)
        .run_with(workflow(jobs), |options| options.slots(1))
        .await;
    assert_eq!(ran.starts("flaky"), [0.0, 30.0]);
    assert_eq!(ran.starts("other"), [0.0]);
    assert!(ran.report.is_success());
}

#[tokio::test(start_paused = true)]
async fn each_attempt_gets_a_session_of_its_own() {
    let flaky = JobSpec::new("flaky")
        .run("first")
        .run("second")
        .retry(Retry::times(1));
    let stage = Stage::new();
    stage.mock.on("flaky").script("second").times(1).exit(1);
    let ran = stage.run(workflow([flaky])).await;
    assert_eq!(ran.mock.prepared(), ["flaky", "flaky"]);
    assert_eq!(
        ran.mock.commands_of("flaky"),
        ["first", "second", "first", "second"]
    );
    assert!(ran.report.is_success());
}
