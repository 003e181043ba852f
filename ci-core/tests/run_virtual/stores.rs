//! Several runs that share a store: one replaces another, and groups hold across them.

use std::sync::Arc;

use ci_core::id::RunId;
use ci_core::job::GroupUse;
use ci_core::outcome::{CancelReason, Outcome, OutcomeKind};
use ci_core::run::{RunOptions, resume};
use ci_core::store::{MemoryStore, NewRun, OwnerId, Request, RequestKind, RunStore};
use ci_core::workflow::RunFacts;

use crate::kit::{Going, Ran, Stage, job, secs, workflow};

/// How often runs look into the store, in seconds.
const POLL: f64 = 0.5;

fn on_branch(
    store: &Arc<MemoryStore>,
    branch: &str,
) -> impl FnOnce(RunOptions) -> RunOptions + use<> {
    let (store, facts) = (Arc::clone(store), RunFacts::default().branch(branch));
    move |options| options.store(store).facts(facts)
}

async fn build(stage: Stage, store: &Arc<MemoryStore>, branch: &str, supersede: bool) -> Going {
    let options = on_branch(store, branch);
    let flow = workflow([job("build"), job("clean").needs("build").always()]);
    let change = move |all| {
        let all = options(all);
        if supersede { all.supersede() } else { all }
    };
    stage.takes("build", 100, 0).start_with(flow, change).await
}

#[tokio::test(start_paused = true)]
async fn a_newer_run_of_the_branch_replaces_the_older() {
    let store = Arc::new(MemoryStore::new());
    let stage = Stage::new();
    let clock = stage.clock.clone();
    let old = build(stage, &store, "main", false).await;
    let other = build(Stage::beside(&clock), &store, "fix", false).await;
    old.until(10).await;
    let new = build(Stage::beside(&clock), &store, "main", true).await;
    let (old, other, new) = (old.end().await, other.end().await, new.end().await);
    assert_eq!(old.report.outcome, OutcomeKind::Canceled);
    let superseded = Outcome::Canceled(CancelReason::Superseded);
    assert_eq!(old.outcome_of("build"), &superseded);
    assert!((10.0..=10.0 + POLL).contains(&old.end_of("build")));
    assert_eq!(old.outcome_of("clean"), &Outcome::Success);
    assert!(other.report.is_success());
    assert!(new.report.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_run_replaces_none_of_another_repository() {
    let store = Arc::new(MemoryStore::new());
    let stage = Stage::new();
    let clock = stage.clock.clone();
    let going = async |stage: Stage, repository: &str, supersede: bool| {
        let facts = RunFacts::default().branch("main").repository(repository);
        let store = Arc::clone(&store);
        let change = move |options: RunOptions| {
            let options = options.store(store).facts(facts);
            if supersede {
                options.supersede()
            } else {
                options
            }
        };
        let stage = stage.takes("build", 100, 0);
        stage.start_with(workflow([job("build")]), change).await
    };
    let same = going(stage, "/a", false).await;
    let other = going(Stage::beside(&clock), "/b", false).await;
    other.until(10).await;
    let new = going(Stage::beside(&clock), "/a", true).await;
    let (same, other, new) = (same.end().await, other.end().await, new.end().await);
    assert_eq!(same.report.outcome, OutcomeKind::Canceled);
    assert!(other.report.is_success() && new.report.is_success());
}

#[tokio::test(start_paused = true)]
async fn runs_of_a_branch_go_side_by_side_unless_they_are_to_replace() {
    let store = Arc::new(MemoryStore::new());
    let stage = Stage::new();
    let clock = stage.clock.clone();
    let first = build(stage, &store, "main", false).await;
    first.until(10).await;
    let second = build(Stage::beside(&clock), &store, "main", false).await;
    let (first, second) = (first.end().await, second.end().await);
    assert!(first.report.is_success() && second.report.is_success());
    assert_eq!(first.report.duration, secs(100));
}

/// When a job began and ended, in seconds after the start of the first run.
fn span(ran: &Ran, name: &str, offset: f64) -> (f64, f64) {
    (ran.starts(name)[0] + offset, ran.end_of(name) + offset)
}

#[tokio::test(start_paused = true)]
async fn a_mutex_holds_across_runs() {
    let store = Arc::new(MemoryStore::new());
    let stage = Stage::new();
    let clock = stage.clock.clone();
    let flow = || workflow([job("deploy").group(GroupUse::mutex("production"))]);
    let first = stage.takes("deploy", 60, 0);
    let first = first.start_with(flow(), on_branch(&store, "a")).await;
    first.until(20).await;
    let second = Stage::beside(&clock).takes("deploy", 60, 0);
    let second = second.start_with(flow(), on_branch(&store, "b")).await;
    let (first, second) = (first.end().await, second.end().await);
    let (one, two) = (span(&first, "deploy", 0.0), span(&second, "deploy", 20.0));
    assert_eq!(one, (0.0, 60.0));
    assert!((60.0..=60.0 + POLL).contains(&two.0), "{two:?}");
    // Waiting is no attempt, and takes no time of the job's.
    let deploy = second.report.job("deploy").unwrap();
    assert_eq!((deploy.attempts, deploy.duration), (1, secs(60)));
}

#[tokio::test(start_paused = true)]
async fn a_run_waits_for_the_group_of_the_workflow() {
    let store = Arc::new(MemoryStore::new());
    let stage = Stage::new();
    let clock = stage.clock.clone();
    let flow = || workflow([job("a"), job("b").needs("a")]).group(GroupUse::mutex("ci"));
    let first = stage.takes("a", 30, 0).takes("b", 30, 1);
    let first = first.start_with(flow(), on_branch(&store, "a")).await;
    first.until(1).await;
    let second = Stage::beside(&clock);
    let second = second.start_with(flow(), on_branch(&store, "b")).await;
    let (first, second) = (first.end().await, second.end().await);
    assert_eq!(first.report.outcome, OutcomeKind::Failed);
    let (begun, _) = span(&second, "a", 1.0);
    assert!((60.0..=60.0 + POLL).contains(&begun), "{begun}");
    assert_eq!(
        second.report.warnings,
        ["waits for other runs in the group `ci`"]
    );
}

/// A run that holds the group for 100 seconds, and one that waits for it.
async fn first_and_waiting(store: &Arc<MemoryStore>) -> (Going, Going) {
    let stage = Stage::new();
    let clock = stage.clock.clone();
    let jobs = || [job("a"), job("clean").needs("a").always()];
    let flow = || workflow(jobs()).group(GroupUse::mutex("ci"));
    let first = stage.takes("a", 100, 0);
    let first = first.start_with(flow(), on_branch(store, "a")).await;
    first.until(1).await;
    let second = Stage::beside(&clock);
    let second = second.start_with(flow(), on_branch(store, "b")).await;
    (first, second)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_its_group_can_be_stopped() {
    let store = Arc::new(MemoryStore::new());
    let (first, second) = first_and_waiting(&store).await;
    second.until(5).await;
    second.handle.control().cancel(CancelReason::Requested);
    let second = second.end().await;
    assert_eq!(second.report.outcome, OutcomeKind::Canceled);
    assert_eq!(second.report.duration, secs(5));
    // It never had its place: not even a teardown may run beside the other.
    assert_eq!(second.order(), Vec::<&str>::new());
    assert!(first.end().await.report.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_its_group_can_be_stopped_through_the_store() {
    let store = Arc::new(MemoryStore::new());
    let (first, second) = first_and_waiting(&store).await;
    second.until(5).await;
    let kind = RequestKind::Cancel {
        job: None,
        reason: CancelReason::Superseded,
    };
    let (run, by) = (second.handle.id(), "somebody".to_owned());
    store.request(Request { run, kind, by }).await.unwrap();
    let second = second.end().await;
    let superseded = Outcome::Canceled(CancelReason::Superseded);
    assert_eq!(second.outcome_of("a"), &superseded);
    assert!(second.report.duration <= secs(6));
    assert!(first.end().await.report.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_resumed_run_without_teardown_can_be_stopped_while_it_waits_for_its_group() {
    let store = Arc::new(MemoryStore::new());
    let stage = Stage::new();
    let clock = stage.clock.clone();
    let flow = || workflow([job("a")]).group(GroupUse::mutex("ci"));
    let first = stage.takes("a", 100, 0);
    let first = first.start_with(flow(), on_branch(&store, "a")).await;
    first.until(1).await;
    // A run whose engine died while it waited.
    let (spec, dead) = (flow().build().unwrap(), OwnerId("elsewhere:1:2:x".into()));
    let run = RunId::new();
    let new = NewRun::new(run, Arc::new(spec), RunFacts::default(), clock.wall());
    store.create(new, &dead).await.unwrap();
    store.disown(&dead).await.unwrap();
    let again = Stage::beside(&clock);
    let again = again.begin(on_branch(&store, "b"), async |options| {
        resume(run, options).await.expect("begins")
    });
    let again = again.await;
    again.until(10).await;
    again.handle.control().cancel(CancelReason::Requested);
    let again = again.end().await;
    assert_eq!(again.report.outcome, OutcomeKind::Canceled);
    assert_eq!(again.order(), Vec::<&str>::new());
    assert!(first.end().await.report.is_success());
}
