//! The summary as a reader sees it.

use std::time::Duration;

use super::{FailedOutput, Summary};
use crate::event::fixtures::{info, result, run_id};
use crate::event::{BudgetReport, JobResult};
use crate::outcome::{Outcome, OutcomeKind, TimeLimit};

fn mixed() -> Summary {
    let failed = Outcome::from_exit_code(1);
    let mut flaky = result("lint (日本)", &failed, 3, 4.2);
    flaky.allowed = true;
    let jobs = vec![
        result("build", &Outcome::Success, 1, 72.0),
        flaky,
        result("test-1", &Outcome::Success, 2, 12.34),
        result("test-2", &failed, 1, 9.1),
        result("e2e", &Outcome::TimedOut(TimeLimit::NoOutput), 1, 600.0),
        result(
            "deploy to 'prod'",
            &Outcome::NotRun("`test-2` failed".into()),
            0,
            0.0,
        ),
    ];
    let plan = vec![
        info("build", &[], 2),
        info("test-1", &["build"], 2),
        info("test-2", &["build"], 2),
        info("deploy to 'prod'", &["test-1", "test-2"], 1),
    ];
    Summary::new(
        run_id(),
        OutcomeKind::Failed,
        Duration::from_secs(689),
        jobs,
    )
    .workflow("quickstart".into())
    .plan(plan)
    .failures(vec![FailedOutput::new(
        "test-2".into(),
        Some("pytest".into()),
        vec!["E   assert 1 == 2".into(), "1 failed, 41 passed".into()],
    )])
}

#[test]
fn a_failed_run() {
    insta::assert_snapshot!(mixed().hints("ci").lines().join("\n"), @r#"
    ✓ build             success      1m 12s
    ✗ lint (日本)       failed         4.2s  3 attempts, allowed to fail, exit code 1
    ✓ test-1            success       12.3s  2 attempts
    ✗ test-2            failed         9.1s  exit code 1
    ✗ e2e               timed_out   10m 00s  no output for too long
    ○ deploy to 'prod'  not_run              `test-2` failed

    ✗ test-2 failed: exit code 1 in step `pytest`
      │ E   assert 1 == 2
      │ 1 failed, 41 passed

    slowest path 1m 24s: build → test-1
    ✗ quickstart failed in 11m 29s: 2 success, 2 failed, 1 timed_out, 1 not_run
    next:
      ci logs 0193f2a4-7c1e-7000-8000-000000000000 test-2
      ci rerun 0193f2a4-7c1e-7000-8000-000000000000 --from-failed
    "#);
}

#[test]
fn a_failed_run_in_brief() {
    insta::assert_snapshot!(mixed().brief(true).lines().join("\n"), @r#"
    ✗ test-2 failed: exit code 1 in step `pytest`
      │ E   assert 1 == 2
      │ 1 failed, 41 passed

    ✗ quickstart failed in 11m 29s: 2 success, 2 failed, 1 timed_out, 1 not_run
    "#);
}

fn budgets() -> Vec<BudgetReport> {
    let of = |stage: &str, limit, spent| {
        let [limit, spent] = [limit, spent].map(Duration::from_secs);
        BudgetReport::new(stage.into(), limit, spent)
    };
    vec![of("fast", 300, 42), of("slow", 60, 75)]
}

#[test]
fn budgets_are_shown_and_those_that_are_over_stand_out() {
    let summary = || {
        let jobs = vec![result("build", &Outcome::Success, 1, 72.0)];
        let took = Duration::from_secs(72);
        Summary::new(run_id(), OutcomeKind::Success, took, jobs).budgets(budgets())
    };
    insta::assert_snapshot!(summary().lines().join("\n"), @r#"
    ✓ build  success    1m 12s

    budget of stage fast: 0:42 of 5:00 (14%)
    ! budget of stage slow: 1:15 of 1:00 (125%), over
    ✓ success in 1m 12s: 1 success
    "#);
    insta::assert_snapshot!(summary().brief(true).lines().join("\n"), @r#"
    ! budget of stage slow: 1:15 of 1:00 (125%), over
    ✓ success in 1m 12s: 1 success
    "#);
    let colored = summary().color(true).lines().join("\n");
    assert!(
        colored.contains("\u{1b}[33m! budget of stage slow"),
        "{colored:?}"
    );
}

#[test]
fn a_run_on_hold_is_approved_and_resumed() {
    let jobs = vec![
        result("build", &Outcome::Success, 1, 1.0),
        result("to prod", &Outcome::OnHold, 0, 0.0),
    ];
    let took = Duration::from_secs(1);
    let summary = Summary::new(run_id(), OutcomeKind::OnHold, took, jobs).hints("ci");
    insta::assert_snapshot!(summary.brief(true).lines().join("\n"), @r#"
    ‖ on_hold in 1.0s: 1 success, 1 on_hold
    next:
      ci approve 0193f2a4-7c1e-7000-8000-000000000000 'to prod'
      ci resume 0193f2a4-7c1e-7000-8000-000000000000
    "#);
}

#[test]
fn colour_adds_nothing_but_colour() {
    let mixed = || mixed().budgets(budgets());
    let colored = mixed().color(true).lines().join("\n");
    let stripped = regex::Regex::new("\u{1b}\\[[0-9;]*m")
        .unwrap()
        .replace_all(&colored, "");
    assert_eq!(stripped, mixed().lines().join("\n"));
    assert!(colored.contains("\u{1b}[31m✗\u{1b}[0m"));
}

#[test]
fn a_large_run_lists_what_did_not_succeed() {
    let mut jobs: Vec<JobResult> = (0..500)
        .map(|n| result(&format!("job-{n}"), &Outcome::Success, 1, 1.0))
        .collect();
    jobs[250] = result("job-250", &Outcome::from_exit_code(2), 1, 1.0);
    let summary = Summary::new(
        run_id(),
        OutcomeKind::Failed,
        Duration::from_secs(500),
        jobs,
    );
    insta::assert_snapshot!(summary.lines().join("\n"), @r#"
    ✗ job-250  failed      1.0s  exit code 2
      and 499 jobs more

    ✗ failed in 8m 20s: 499 success, 1 failed
    "#);
}

#[test]
fn names_that_a_shell_would_take_apart_are_quoted() {
    let job = result("it's $(x)\u{1b}[2J", &Outcome::from_exit_code(1), 1, 1.0);
    let name = std::sync::Arc::clone(&job.name);
    let lines = Summary::new(
        run_id(),
        OutcomeKind::Failed,
        Duration::from_secs(1),
        vec![job],
    )
    .failures(vec![FailedOutput::new(name, None, Vec::new())])
    .hints("ci")
    .lines();
    assert_eq!(
        lines[lines.len() - 2],
        format!(r"  ci logs {} 'it'\''s $(x)'", run_id())
    );
    assert!(!lines.concat().contains('\u{1b}'));
}
