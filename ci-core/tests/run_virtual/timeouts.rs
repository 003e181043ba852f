//! Time limits: the right outcome at the right moment, with the clock that ran out.

use std::time::Duration;

use ci_core::job::JobSpec;
use ci_core::outcome::{Outcome, OutcomeKind, TimeLimit};
use ci_core::session::{ExitStatus, Stream};
use ci_core::step::{StepSpec, StepWhen, step_fn};

use crate::kit::{Ran, Stage, job, secs, workflow};

/// A stage on which the commands of `slow` never end.
fn hanging() -> Stage {
    let stage = Stage::new();
    stage.mock.on("slow").hang_until_canceled();
    stage
}

#[track_caller]
fn timed_out(ran: &Ran, job: &str, limit: TimeLimit, seconds: f64) {
    assert_eq!(ran.outcome_of(job), &Outcome::TimedOut(limit));
    assert_eq!(ran.end_of(job), seconds);
}

#[tokio::test(start_paused = true)]
async fn of_a_job() {
    let ran = hanging()
        .run(workflow([job("slow").timeout(secs(60))]))
        .await;
    timed_out(&ran, "slow", TimeLimit::Job, 60.0);
    assert_eq!(ran.report.outcome, OutcomeKind::Failed);
    let words = ran.report.job("slow").unwrap().outcome.reason().unwrap();
    assert_eq!(words, "the time limit of the job ran out");
}

#[tokio::test(start_paused = true)]
async fn of_a_job_counts_from_its_start_and_over_all_steps() {
    // It waits 100 s for a slot, which does not count.
    let jobs = [
        job("first").priority(1),
        job("second").timeout(secs(60)),
        JobSpec::new("third")
            .run("a")
            .run("b")
            .run("c")
            .timeout(secs(60)),
    ];
    let stage = Stage::new().takes("first", 100, 0).takes("second", 50, 0);
    let ran = stage
        .takes("third", 25, 0)
        .run_with(workflow(jobs), |options| options.slots(1))
        .await;
    assert_eq!(ran.outcome_of("second"), &Outcome::Success);
    timed_out(&ran, "third", TimeLimit::Job, 210.0);
    assert_eq!(ran.mock.commands_of("third"), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn of_a_job_includes_preparing_it() {
    let stage = Stage::new();
    stage.mock.on("slow").prepare_takes(secs(120));
    let ran = stage.run(workflow([job("slow").timeout(secs(60))])).await;
    timed_out(&ran, "slow", TimeLimit::Job, 60.0);
    assert_eq!(ran.mock.commands_of("slow"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn of_a_step() {
    let step = StepSpec::run("work").timeout(secs(30));
    let clean = StepSpec::run("clean").when(StepWhen::Always);
    let slow = JobSpec::new("slow").step(step).run("never").step(clean);
    let stage = Stage::new();
    stage.mock.on("slow").script("work").hang_until_canceled();
    let ran = stage.run(workflow([slow.timeout(secs(60))])).await;
    timed_out(&ran, "slow", TimeLimit::Step, 30.0);
    assert_eq!(ran.mock.commands_of("slow"), ["work", "clean"]);
}

#[tokio::test(start_paused = true)]
async fn of_steps_by_the_default_of_the_job() {
    let slow = JobSpec::new("slow")
        .run("first")
        .step(StepSpec::run("second").timeout(secs(100)));
    let slow = slow.with(|options| options.timeouts.step = Some(secs(50)));
    let ran = Stage::new()
        .takes("slow", 80, 0)
        .run(workflow([slow.clone()]))
        .await;
    timed_out(&ran, "slow", TimeLimit::Step, 50.0);
    let stage = Stage::new();
    stage.mock.on("slow").script("second").after(secs(80));
    let ran = stage.takes("slow", 40, 0).run(workflow([slow])).await;
    assert_eq!(
        (ran.outcome_of("slow"), ran.end_of("slow")),
        (&Outcome::Success, 120.0)
    );
}

#[tokio::test(start_paused = true)]
async fn without_output() {
    let stage = Stage::new();
    stage.mock.on("slow").by_hand();
    let step = StepSpec::run("work").no_output_timeout(secs(30));
    let jobs = [JobSpec::new("slow")
        .step(step)
        .timeout(Duration::from_hours(1))];
    let mut going = stage.start(workflow(jobs)).await;
    let command = going.mock.next_command().await;
    for moment in [20, 45, 70] {
        going.until(moment).await;
        command.output.write(Stream::Stderr, b"still there\n").await;
    }
    let ran = going.end().await;
    timed_out(&ran, "slow", TimeLimit::NoOutput, 100.0);
    assert!(command.cancel.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn output_in_time_is_enough() {
    let stage = Stage::new();
    stage.mock.on("slow").by_hand();
    let step = StepSpec::run("work").no_output_timeout(secs(30));
    let mut going = stage
        .start(workflow([JobSpec::new("slow").step(step)]))
        .await;
    let command = going.mock.next_command().await;
    for moment in [29, 58, 87] {
        going.until(moment).await;
        command.output.write(Stream::Stdout, b".").await;
    }
    going.until(116).await;
    command.respond(ExitStatus::Code(0));
    let ran = going.end().await;
    assert_eq!(
        (ran.outcome_of("slow"), ran.end_of("slow")),
        (&Outcome::Success, 116.0)
    );
}

#[tokio::test(start_paused = true)]
async fn of_the_workflow() {
    let jobs = [
        job("quick"),
        job("slow").timeout(Duration::from_hours(1)),
        job("later").needs("slow"),
        job("clean").needs("slow").always(),
    ];
    let stage = hanging().takes("quick", 10, 0).takes("clean", 20, 0);
    let ran = stage.run(workflow(jobs).timeout(secs(90))).await;
    assert_eq!(ran.outcome_of("quick"), &Outcome::Success);
    timed_out(&ran, "slow", TimeLimit::Workflow, 90.0);
    timed_out(&ran, "later", TimeLimit::Workflow, 90.0);
    assert_eq!(ran.starts("later"), [0.0; 0]);
    // Teardown still has its time.
    assert_eq!(
        (ran.starts("clean"), ran.end_of("clean")),
        (vec![90.0], 110.0)
    );
    assert_eq!(ran.outcome_of("clean"), &Outcome::Success);
    assert_eq!(ran.report.outcome, OutcomeKind::TimedOut);
    assert_eq!(ran.report.duration, secs(110));
}

#[tokio::test(start_paused = true)]
async fn the_first_clock_to_run_out_is_named() {
    let step = |step, silence| {
        let spec = StepSpec::run("work")
            .timeout(secs(step))
            .no_output_timeout(secs(silence));
        JobSpec::new("slow").step(spec)
    };
    for (job, limit) in [
        (step(10, 20).timeout(secs(30)), TimeLimit::Step),
        (step(20, 10).timeout(secs(30)), TimeLimit::NoOutput),
        (step(30, 20).timeout(secs(10)), TimeLimit::Job),
        // At the same moment: the one that says most about the run.
        (step(10, 10).timeout(secs(10)), TimeLimit::Job),
        (step(10, 10), TimeLimit::Step),
    ] {
        let ran = hanging().run(workflow([job]).timeout(secs(60))).await;
        timed_out(&ran, "slow", limit, 10.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_does_not_listen_is_given_up_after_the_grace() {
    let deaf = step_fn("deaf", |_| async {
        std::future::pending::<()>().await;
        Ok::<_, std::io::Error>(())
    });
    let deaf = JobSpec::new("deaf").step(StepSpec::code(deaf).timeout(secs(60)));
    let ran = Stage::new()
        .run_with(workflow([deaf]), |options| options.grace(secs(20)))
        .await;
    timed_out(&ran, "deaf", TimeLimit::Step, 80.0);
}
