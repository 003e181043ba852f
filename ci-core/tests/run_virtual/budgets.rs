//! Time budgets of stages, measured from the first start in the stage.

use ci_core::event::{BudgetReport, RunEvent};
use ci_core::outcome::{Outcome, OutcomeKind, TimeLimit};
use ci_core::workflow::{Budget, WorkflowBuilder};

use crate::kit::{Ran, Stage, job, secs, workflow};

/// `before` takes 100 s; the jobs of the stage `fast`, one after the other, 40 s each.
fn flow(budget: Budget) -> (Stage, WorkflowBuilder) {
    let jobs = [
        job("before"),
        job("lint").needs("before").stage("fast"),
        job("test").needs("lint").stage("fast"),
        job("after").needs("test"),
    ];
    let stage = Stage::new().takes("before", 100, 0);
    let stage = stage.takes("lint", 40, 0).takes("test", 40, 0);
    (stage, workflow(jobs).budget(budget))
}

fn exceeded(ran: &Ran) -> Vec<f64> {
    let times = ran.times(|event| matches!(event, RunEvent::BudgetExceeded { .. }));
    times.iter().map(std::time::Duration::as_secs_f64).collect()
}

/// The budgets of the last event.
fn told(ran: &Ran) -> Vec<BudgetReport> {
    let last = ran.records.last().map(|record| &record.event);
    let Some(RunEvent::RunFinished { budgets, .. }) = last else {
        unreachable!("the last event is the end of the run: {last:?}")
    };
    budgets.clone()
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_is_kept_is_only_reported() {
    let (stage, flow) = flow(Budget::new("fast", secs(100)).fail());
    let ran = stage.run(flow).await;
    assert!(ran.report.is_success());
    assert_eq!(exceeded(&ran), [0.0; 0]);
    assert_eq!(ran.report.warnings, [""; 0]);
    let budget = &ran.report.budgets[0];
    assert_eq!((budget.spent, budget.share()), (secs(80), 0.8));
    assert_eq!(told(&ran), ran.report.budgets);
}

#[tokio::test(start_paused = true)]
async fn over_budget_warns() {
    let (stage, flow) = flow(Budget::new("fast", secs(60)));
    let ran = stage.run(flow).await;
    assert!(ran.report.is_success());
    assert_eq!(exceeded(&ran), [160.0]);
    assert_eq!(
        ran.report.warnings,
        ["the stage `fast` is over its time budget of 60 s"]
    );
    let budget = &ran.report.budgets[0];
    assert_eq!(
        (&*budget.stage, budget.limit, budget.spent),
        ("fast", secs(60), secs(80))
    );
}

#[tokio::test(start_paused = true)]
async fn over_budget_fails_what_is_not_done() {
    let (stage, flow) = flow(Budget::new("fast", secs(60)).fail());
    let ran = stage.run(flow).await;
    assert_eq!(exceeded(&ran), [160.0]);
    assert_eq!(ran.outcome_of("lint"), &Outcome::Success);
    assert_eq!(
        ran.outcome_of("test"),
        &Outcome::TimedOut(TimeLimit::Budget)
    );
    assert_eq!(ran.end_of("test"), 160.0);
    assert_eq!(ran.outcome_of("after").kind(), OutcomeKind::NotRun);
    assert_eq!(ran.report.outcome, OutcomeKind::Failed);
    assert_eq!(ran.report.budgets[0].spent, secs(60));
    assert!(ran.report.budgets[0].is_over());
}

#[tokio::test(start_paused = true)]
async fn a_job_of_the_stage_that_has_not_begun_fails_too() {
    let jobs = [
        job("lint").stage("fast"),
        job("test").needs("lint").stage("fast"),
    ];
    let flow = workflow(jobs).budget(Budget::new("fast", secs(30)).fail());
    let ran = Stage::new().takes("lint", 40, 0).run(flow).await;
    for name in ["lint", "test"] {
        assert_eq!(ran.outcome_of(name), &Outcome::TimedOut(TimeLimit::Budget));
        assert_eq!(ran.end_of(name), 30.0);
    }
    assert_eq!(ran.mock.prepared(), ["lint"]);
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_never_began_spent_nothing() {
    let jobs = [job("a"), job("b").needs("a").stage("late")];
    let flow = workflow(jobs).budget(Budget::new("late", secs(30)).fail());
    let ran = Stage::new().takes("a", 100, 1).run(flow).await;
    assert_eq!(ran.report.budgets, []);
    assert_eq!(told(&ran), []);
    assert_eq!(exceeded(&ran), [0.0; 0]);
}
