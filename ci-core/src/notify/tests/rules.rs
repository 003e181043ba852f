//! Which notices go where, also in runs of the engine with a store.

use std::sync::Arc;

use super::kit::*;
use crate::event::RunEvent;
use crate::job::JobSpec;
use crate::notify::*;
use crate::outcome::{Outcome, OutcomeKind};
use crate::run::{RunOptions, run};
use crate::settings::NotifyRule;
use crate::step::{StepSpec, step_fn};
use crate::store::{MemoryStore, RunStore};
use crate::workflow::{RunFacts, WorkflowSpec};

/// What a channel hears of one run with the rule.
async fn heard(rule: NotifyRule, channel: Recorder, branch: &str) -> Vec<String> {
    let plan = NotifyPlan::new()
        .channel("c", channel.clone(), delivery())
        .rule(rule);
    let about = About::default().facts(RunFacts::default().branch(branch));
    let mut told = Told::start(plan, about);
    told.event(RunEvent::JobStarted {
        job: "deploy".into(),
        attempt: 1,
        executor: "local".into(),
    });
    told.event(RunEvent::JobHeld {
        job: "approve".into(),
        prompt: Some("ship it?".into()),
    });
    told.job("deploy", Outcome::failed("no"));
    told.ends(OutcomeKind::Failed);
    told.finish().await;
    let got = channel.got();
    let notices = got.iter().flat_map(|(_, message)| &message.notices);
    notices.map(|notice| text::title(notice)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_rule_is_about_the_run_or_about_jobs() {
    let run = heard(rule(), Recorder::new([]), "main").await;
    assert_eq!(run, ["ci failed on main"]);
    let jobs = heard(job_rule(), Recorder::new([]), "main").await;
    assert_eq!(jobs, ["ci/deploy failed on main"]);
    let states = heard(rule(), Recorder::states(), "main").await;
    assert_eq!(states.last().unwrap(), "ci failed on main");
    let states = heard(job_rule(), Recorder::states(), "main").await;
    assert!(
        states.contains(&"ci/deploy failed on main".to_owned()),
        "{states:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn outcomes_and_branches_have_to_fit() {
    let mut wanted = rule();
    wanted.outcomes = vec![OutcomeKind::Failed];
    wanted.branches = vec!["main".into(), "release/*".into()];
    for (branch, count) in [("main", 1), ("release/2", 1), ("topic", 0)] {
        let said = heard(wanted.clone(), Recorder::new([]), branch).await;
        assert_eq!(said.len(), count, "{branch}");
    }
    wanted.outcomes = vec![OutcomeKind::Success];
    assert!(heard(wanted, Recorder::new([]), "main").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_asks_hears_that_something_waits() {
    let mut wanted = rule();
    wanted.outcomes = vec![OutcomeKind::OnHold];
    let said = heard(wanted, Recorder::new([]), "main").await;
    assert_eq!(said, ["ci/approve waits for an approval on main: ship it?"]);
}

#[tokio::test(start_paused = true)]
async fn several_rules_tell_one_channel_once() {
    let channel = Recorder::new([]);
    let plan = NotifyPlan::new()
        .channel("c", channel.clone(), delivery())
        .rule(rule())
        .rule(rule());
    let mut told = Told::start(plan, About::default());
    told.ends(OutcomeKind::Failed);
    told.finish().await;
    assert_eq!(channel.told().len(), 1);
}

/// A run of the engine that is to end like that.
async fn engine_run(store: &Arc<MemoryStore>, channel: &Recorder, branch: &str, good: bool) {
    let step = step_fn("work", move |_| async move {
        if good { Ok(()) } else { Err("no") }
    });
    let workflow = WorkflowSpec::builder("ci")
        .job(JobSpec::new("test").step(StepSpec::code(step)))
        .build()
        .unwrap();
    let facts = RunFacts::default().branch(branch);
    let store: Arc<dyn RunStore> = Arc::clone(store) as _;
    let mut changed = rule();
    changed.changed = true;
    let mut jobs = job_rule();
    jobs.changed = true;
    let plan = NotifyPlan::new()
        .channel("c", channel.clone(), delivery())
        .rule(changed)
        .rule(jobs);
    let about = About::default()
        .facts(facts.clone())
        .store(Arc::clone(&store));
    let (sink, notifier) = Notifier::start(plan, about);
    let options = RunOptions::new().facts(facts).store(store).sink(sink);
    let report = run(&workflow, options).await.unwrap();
    assert_eq!(report.is_success(), good);
    assert_eq!(notifier.finish().await.failures, []);
}

#[tokio::test]
async fn only_changes_are_told_measured_by_the_runs_before_of_the_branch() {
    let (store, channel) = (Arc::new(MemoryStore::new()), Recorder::new([]));
    for (branch, good) in [
        ("main", true),
        ("main", true),
        ("main", false),
        ("topic", true),
        ("main", false),
        ("main", true),
        ("topic", false),
    ] {
        engine_run(&store, &channel, branch, good).await;
    }
    let got = channel.got();
    let notices = got.iter().flat_map(|(_, message)| &message.notices);
    let said: Vec<String> = notices.map(|notice| text::title(notice)).collect();
    assert_eq!(
        said,
        [
            "ci/test failed on main",
            "ci failed on main",
            "ci/test succeeded again on main",
            "ci succeeded again on main",
            "ci/test failed on topic",
            "ci failed on topic",
        ]
    );
}
