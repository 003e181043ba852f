//! Which job goes first, and what runs at the same time.

use std::sync::Arc;
use std::time::Duration;

use ci_core::job::{GroupUse, JobSpec};
use ci_core::store::MemoryStore;

use crate::kit::{Ran, Stage, job, secs, workflow};

fn starts(ran: &Ran) -> Vec<f64> {
    let jobs = ran.report.jobs.iter();
    let mut starts: Vec<f64> = jobs.flat_map(|job| ran.starts(&job.name)).collect();
    starts.sort_by(f64::total_cmp);
    starts
}

async fn in_group(group: GroupUse) -> Ran {
    let stage = Stage::new();
    stage.mock.on_any().after(secs(10));
    let jobs = ["a", "b", "c", "d"].map(|name| job(name).group(group.clone()));
    stage.run(workflow(jobs)).await
}

#[tokio::test(start_paused = true)]
async fn a_mutex_lets_one_job_run_at_a_time() {
    let ran = in_group(GroupUse::mutex("db")).await;
    assert_eq!(starts(&ran), [0.0, 10.0, 20.0, 30.0]);
    assert_eq!(ran.mock.most_running(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_counted_group_lets_so_many_run() {
    let ran = in_group(GroupUse::counted("db", 3)).await;
    assert_eq!(starts(&ran), [0.0, 0.0, 0.0, 10.0]);
    assert_eq!(ran.mock.most_running(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_group_holds_no_slot() {
    let jobs = [
        job("first").group(GroupUse::mutex("db")).priority(9),
        job("second").group(GroupUse::mutex("db")).priority(8),
        job("other"),
    ];
    let stage = Stage::new();
    stage.mock.on_any().after(secs(10));
    let ran = stage
        .run_with(workflow(jobs), |options| options.slots(2))
        .await;
    assert_eq!(ran.order(), ["first", "other", "second"]);
    assert_eq!(ran.report.duration, secs(20));
}

#[tokio::test(start_paused = true)]
async fn an_executor_says_how_many_sessions_it_can_have() {
    let stage = Stage::new().executor(|executor| executor.limit(2));
    stage.mock.on_any().after(secs(10));
    let ran = stage.run(workflow(["a", "b", "c"].map(job))).await;
    assert_eq!(starts(&ran), [0.0, 0.0, 10.0]);
}

#[tokio::test(start_paused = true)]
async fn a_higher_priority_goes_first() {
    let jobs = [
        job("low").priority(-1),
        job("usual"),
        job("usual-too"),
        job("high").priority(7),
        // A long way to go does not matter against a priority.
        job("long"),
        job("long-2").needs("long"),
    ];
    let ran = Stage::new()
        .run_with(workflow(jobs), |options| options.slots(1))
        .await;
    let expected = ["high", "long", "usual", "usual-too", "long-2", "low"];
    assert_eq!(ran.order(), expected);
}

/// Six short jobs and, last in the list, a chain whose jobs take long.
fn lopsided() -> Vec<JobSpec> {
    let mut jobs: Vec<JobSpec> = (1..=6).map(|n| job(&format!("short-{n}"))).collect();
    jobs.extend([job("slow"), job("lone-slow")]);
    jobs
}

async fn lopsided_run(store: &Arc<MemoryStore>) -> Ran {
    let stage = Stage::new()
        .takes("slow", 300, 0)
        .takes("lone-slow", 200, 0);
    stage.mock.on_any().after(secs(50));
    let options =
        |options: ci_core::run::RunOptions| options.slots(2).store(Arc::clone(store) as _);
    stage.run_with(workflow(lopsided()), options).await
}

#[tokio::test(start_paused = true)]
async fn the_critical_path_goes_first_when_history_tells_it() {
    let store = Arc::new(MemoryStore::new());
    // Without history all jobs count alike and go in the order of the workflow.
    let first = lopsided_run(&store).await;
    assert_eq!(first.order()[..2], ["short-1", "short-2"]);
    assert_eq!(first.report.duration, secs(150 + 300));
    // With it the long ones go first, and both slots are busy to the end.
    let second = lopsided_run(&store).await;
    assert_eq!(second.order()[..2], ["slow", "lone-slow"]);
    assert_eq!(second.report.duration, secs((300 + 200 + 6 * 50) / 2));
}

#[tokio::test(start_paused = true)]
async fn chains_take_as_long_as_the_longest_of_them() {
    // Four chains of four jobs, one slow job at another depth in each: no waves.
    let stage = Stage::new();
    let mut jobs = Vec::new();
    for chain in 0..4 {
        for depth in 0..4 {
            let name = format!("{chain}-{depth}");
            let slow = chain == depth;
            stage
                .mock
                .on(&name)
                .after(secs(if slow { 100 } else { 10 }));
            let spec = job(&name);
            jobs.push(match depth {
                0 => spec,
                _ => spec.needs(format!("{chain}-{}", depth - 1)),
            });
        }
    }
    let ran = stage.run(workflow(jobs)).await;
    assert_eq!(ran.report.duration, Duration::from_secs(130));
}
