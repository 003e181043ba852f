//! When messages go, how often they are tried, and what a channel that fails does to the others.

use std::num::NonZeroU32;
use std::time::Duration;

use super::kit::*;
use crate::notify::*;
use crate::outcome::{Outcome, OutcomeKind};

fn busy(pause: Option<u64>) -> Answer {
    let error = SendError::new(SendErrorKind::Temporary, "the server answered 503");
    Answer::Error(error.retry_after(pause.map(Duration::from_secs)))
}

fn plan(channel: &Recorder, delivery: Delivery) -> NotifyPlan {
    NotifyPlan::new()
        .channel("c", channel.clone(), delivery)
        .rule(rule())
        .rule(job_rule())
}

async fn after(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn tries_come_after_growing_pauses_with_the_same_id() {
    let channel = Recorder::new([busy(None), busy(None), busy(None)]);
    let mut run = Told::start(plan(&channel, delivery()), About::default());
    run.ends(OutcomeKind::Failed);
    let report = run.finish().await;
    assert_eq!((report.messages, report.failures.len()), (1, 0));
    let said = "ci failed";
    let expected = ["0.0", "1.0", "3.0", "7.0"].map(|at| format!("{at}: {said}"));
    assert_eq!(channel.told(), expected);
    let got = channel.got();
    assert!(got.iter().all(|(_, message)| message.id == got[0].1.id));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_names_a_pause_gets_it() {
    let channel = Recorder::new([busy(Some(17)), busy(Some(0))]);
    let mut run = Told::start(plan(&channel, delivery()), About::default());
    run.ends(OutcomeKind::Failed);
    assert!(run.finish().await.failures.is_empty());
    let told = channel.told();
    let at: Vec<&str> = told.iter().filter_map(|it| it.split(':').next()).collect();
    assert_eq!(
        at,
        ["0.0", "17.0", "19.0"],
        "never shorter than our own pause"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_not_tried_again_and_the_secret_is_masked() {
    let error = SendError::new(SendErrorKind::Refused, "no such hook: hunter22secret");
    let channel = Recorder::new([Answer::Error(error)]);
    let plan = plan(&channel, delivery()).secrets([("HOOK", "hunter22secret")]);
    let mut run = Told::start(plan, About::default());
    run.ends(OutcomeKind::Failed);
    let report = run.finish().await;
    let said: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        ["notify: a notice did not reach `c`: no such hook: ***"]
    );
    assert_eq!(channel.got().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_or_panics_is_left_and_the_others_work() {
    let hangs = Recorder::new(std::iter::repeat_n(Answer::Never, 9));
    let panics = Recorder::new([Answer::Panic]);
    let works = Recorder::new([]);
    let mut all = rule();
    all.to = vec!["hangs".into(), "panics".into(), "works".into()];
    let plan = NotifyPlan::new()
        .channel("hangs", hangs.clone(), delivery())
        .channel("panics", panics, delivery())
        .channel("works", works.clone(), delivery())
        .rule(all);
    let mut run = Told::start(plan, About::default());
    run.ends(OutcomeKind::Failed);
    let report = run.finish().await;
    let said: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "notify: a notice did not reach `hangs`: gave up 30s after the end of the run",
            "notify: `panics`: the channel panicked",
        ]
    );
    assert_eq!(works.told(), ["0.0: ci failed"]);
    // Tries of ten seconds, with pauses of one and two between them.
    assert_eq!(hangs.got().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_number_of_tries_is_said() {
    let channel = Recorder::new(std::iter::repeat_n(busy(None), 9));
    let mut delivery = delivery();
    delivery.attempts = NonZeroU32::new(3).unwrap();
    let mut run = Told::start(plan(&channel, delivery), About::default());
    run.ends(OutcomeKind::Failed);
    let report = run.finish().await;
    assert!(
        report.failures[0].message.ends_with("503 (tried 3 times)"),
        "{report:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn notices_of_a_batch_go_out_as_one_message() {
    let channel = Recorder::new([]);
    let mut delivery = delivery();
    delivery.batch = Duration::from_secs(10);
    let mut run = Told::start(plan(&channel, delivery), About::default());
    run.job("a", Outcome::failed("no"));
    after(4).await;
    run.job("b", Outcome::Success);
    after(7).await;
    run.job("c", Outcome::Success);
    after(1).await;
    run.ends(OutcomeKind::Failed);
    run.finish().await;
    assert_eq!(
        channel.told(),
        [
            "10.0: ci/b succeeded (and 1 more)",
            "12.0: ci failed (and 1 more)"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn above_the_limit_notices_are_collected() {
    let channel = Recorder::new([]);
    let mut delivery = delivery();
    delivery.limit = NonZeroU32::new(2).unwrap();
    let mut run = Told::start(plan(&channel, delivery), About::default());
    for second in 0..5 {
        run.job(&format!("j{second}"), Outcome::Success);
        after(1).await;
    }
    after(100).await;
    run.finish().await;
    assert_eq!(
        channel.told(),
        [
            "0.0: ci/j0 succeeded",
            "1.0: ci/j1 succeeded",
            "60.0: ci/j4 succeeded (and 2 more)"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_run_does_not_wait_for_batch_or_limit() {
    let channel = Recorder::new([]);
    let mut delivery = delivery();
    delivery.batch = Duration::from_hours(1);
    delivery.limit = NonZeroU32::MIN;
    let mut run = Told::start(plan(&channel, delivery), About::default());
    run.job("a", Outcome::Success);
    after(1).await;
    run.ends(OutcomeKind::Success);
    run.finish().await;
    assert_eq!(channel.told(), ["1.0: ci succeeded (and 1 more)"]);
}

#[tokio::test(start_paused = true)]
async fn of_states_that_wait_only_the_last_goes() {
    let channel = Recorder::states();
    let mut delivery = delivery();
    delivery.batch = Duration::from_secs(5);
    let mut run = Told::start(plan(&channel, delivery), About::default());
    after(6).await;
    run.job("a", Outcome::Success);
    run.ends(OutcomeKind::Success);
    run.finish().await;
    assert_eq!(
        channel.told(),
        ["5.0: ci began", "6.0: ci/a succeeded", "6.0: ci succeeded"]
    );
}

#[tokio::test(start_paused = true)]
async fn too_many_that_wait_are_counted_and_left_out() {
    let channel = Recorder::new([]);
    let mut delivery = delivery();
    delivery.batch = Duration::from_secs(5);
    let mut run = Told::start(plan(&channel, delivery), About::default());
    for index in 0..1500 {
        run.job(&format!("j{index}"), Outcome::Success);
    }
    after(6).await;
    run.finish().await;
    let got = channel.got();
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].1.notices.len(), got[0].1.left_out), (1000, 500));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_never_dropped_keeps_nobody() {
    let channel = Recorder::new([]);
    let (sink, notifier) = Notifier::start(plan(&channel, delivery()), About::default());
    let report = notifier.finish().await;
    assert_eq!(report, NotifyReport::default());
    drop(sink);
}
