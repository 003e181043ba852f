//! The tests and the coverage of runs.

use std::sync::Arc;

use super::kit::{Pair, START, created, elsewhere, ended_as, kind, new_run, record};
use crate::clock::Timestamp;
use crate::event::{CoverageRatio, CoverageTotals, RunEvent, TestOutcome, TestRecord};
use crate::id::RunId;
use crate::outcome::OutcomeKind;
use crate::store::{LogKey, Retention, RunStore, StoreErrorKind, TestQuery};

fn key(run: RunId, job: &str, attempt: u32, step: u32) -> LogKey {
    LogKey {
        run,
        job: job.into(),
        attempt,
        step,
    }
}

fn test(name: &str, outcome: TestOutcome) -> TestRecord {
    TestRecord {
        suite: "s".into(),
        class: "a.B".into(),
        name: name.into(),
        file: Some("tests/a.py".into()),
        outcome,
        flaky: outcome == TestOutcome::Passed,
        time: Some(0.5),
        message: outcome.is_bad().then(|| "no".into()),
        quarantined: outcome.is_bad(),
    }
}

fn covered(job: &str, covered: u64) -> RunEvent {
    let ratio = CoverageRatio { covered, total: 10 };
    RunEvent::Coverage {
        job: job.into(),
        attempt: 1,
        step: 2,
        totals: CoverageTotals {
            lines: ratio,
            stated: Some(12.5),
            ..CoverageTotals::default()
        },
        work_dir: None,
        files: Vec::new(),
    }
}

async fn end(store: &dyn RunStore, run: RunId, seq: u64) {
    let end = ended_as(run, OutcomeKind::Success);
    let ended = store.append(run, vec![record(run, seq, end)]);
    ended.await.unwrap();
}

/// The names of the tests that a query finds, with the place of their run among `runs`.
async fn found(store: &dyn RunStore, runs: &[RunId], query: TestQuery) -> Vec<(usize, String)> {
    let entries = store.tests(&query).await.unwrap();
    let place = |run: RunId| runs.iter().position(|id| *id == run).unwrap();
    let entries = entries.into_iter();
    entries
        .map(|entry| (place(entry.key.run), entry.test.name))
        .collect()
}

pub(super) async fn tests_come_back_as_they_were_kept(pair: Pair) {
    let owner = elsewhere("a");
    let run = created(&*pair.one, &owner).await;
    let unknown = TestRecord {
        name: "plain".into(),
        ..TestRecord::default()
    };
    let tests = [
        test("one", TestOutcome::Failed),
        test("one", TestOutcome::Passed),
        test("two", TestOutcome::Skipped),
        test("three", TestOutcome::Error),
        unknown,
    ];
    let first = key(run, "test", 1, 3);
    let before = vec![test("gone", TestOutcome::Passed)];
    pair.one.keep_tests(&first, before).await.unwrap();
    pair.one.keep_tests(&first, tests.to_vec()).await.unwrap();
    let second = key(run, "test", 2, 0);
    let later = test("later", TestOutcome::Passed);
    pair.one
        .keep_tests(&second, vec![later.clone()])
        .await
        .unwrap();
    let entries = pair.two.tests(&TestQuery::default()).await.unwrap();
    let kept: Vec<TestRecord> = entries.iter().map(|entry| entry.test.clone()).collect();
    assert_eq!(kept, [&tests[..], &[later]].concat());
    assert_eq!(entries[0].key, first);
    assert_eq!(entries[5].key, second);
    assert_eq!(entries[0].revision.as_deref(), Some("c0ffee"));
    assert_eq!(entries[0].created, START);
}

pub(super) async fn only_the_owner_of_a_run_keeps_its_tests(pair: Pair) {
    let owner = elsewhere("a");
    let run = created(&*pair.one, &owner).await;
    pair.one.disown(&owner).await.unwrap();
    let refused = pair.one.keep_tests(&key(run, "test", 1, 0), Vec::new());
    assert_eq!(kind(refused.await), StoreErrorKind::Lost);
}

pub(super) async fn queries_choose_runs_and_jobs(pair: Pair) {
    let owner = elsewhere("a");
    let mut runs = Vec::new();
    for (index, (workflow, branch)) in [("ci", "main"), ("ci", "dev"), ("other", "main")]
        .into_iter()
        .enumerate()
    {
        let run = new_run(workflow, branch);
        let id = run.id;
        pair.one.create(run, &owner).await.unwrap();
        for job in ["build", "test"] {
            let tests = vec![test(&format!("{job}{index}"), TestOutcome::Passed)];
            pair.one
                .keep_tests(&key(id, job, 1, 0), tests)
                .await
                .unwrap();
        }
        runs.push(id);
    }
    // A run without tests is none of the newest that have some.
    runs.push(created(&*pair.one, &owner).await);
    let all = TestQuery::default;
    let names = async |query: TestQuery| {
        let found = found(&*pair.two, &runs, query).await;
        let names = found.into_iter().map(|(_, name)| name);
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(all()).await, "build2 test2 build1 test1 build0 test0");
    let job = || Some("test".to_owned());
    let newest = TestQuery {
        job: job(),
        runs: Some(2),
        ..all()
    };
    assert_eq!(names(newest).await, "test2 test1");
    let of_branch = TestQuery {
        job: job(),
        branch: Some("main".into()),
        ..all()
    };
    assert_eq!(names(of_branch).await, "test2 test0");
    let of_workflow = TestQuery {
        workflow: Some("ci".into()),
        job: job(),
        ..all()
    };
    assert_eq!(names(of_workflow).await, "test1 test0");
    let of_run = TestQuery {
        run: Some(runs[1]),
        ..all()
    };
    assert_eq!(names(of_run).await, "build1 test1");
}

pub(super) async fn a_query_before_a_run_has_the_same_answer_while_it_goes_on(pair: Pair) {
    let owner = elsewhere("a");
    let mut runs = Vec::new();
    for name in ["ended", "open"] {
        let run = created(&*pair.one, &owner).await;
        let tests = vec![test(name, TestOutcome::Passed)];
        pair.one
            .keep_tests(&key(run, "test", 1, 0), tests)
            .await
            .unwrap();
        runs.push(run);
    }
    // The event stands 1 ms after the start of the tests, and the run that asks was made after it.
    end(&*pair.one, runs[0], 1).await;
    let mut this = new_run("ci", "main");
    this.created = Timestamp::from_millis(START.as_millis() + 10);
    runs.push(this.id);
    pair.one.create(this, &owner).await.unwrap();
    let before = || TestQuery {
        before: Some(runs[2]),
        ..TestQuery::default()
    };
    let expected = [(0, "ended".to_owned())];
    assert_eq!(found(&*pair.two, &runs, before()).await, expected);
    end(&*pair.one, runs[1], 50).await;
    assert_eq!(found(&*pair.two, &runs, before()).await, expected);
    let unknown = TestQuery {
        before: Some(RunId::new()),
        ..TestQuery::default()
    };
    assert_eq!(found(&*pair.two, &runs, unknown).await, []);
}

pub(super) async fn coverage_is_summed_up_from_the_journal(pair: Pair) {
    let owner = elsewhere("a");
    let run = created(&*pair.one, &owner).await;
    let events = [covered("test", 4), covered("lint", 1), covered("test", 7)];
    let records = (1..)
        .zip(events)
        .map(|(seq, event)| record(run, seq, event));
    pair.one.append(run, records.collect()).await.unwrap();
    let entries = pair.two.coverage(&TestQuery::default()).await.unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (Arc::clone(&entry.key.job), entry.totals.lines.covered))
        .collect();
    assert_eq!(told, [("lint".into(), 1), ("test".into(), 7)]);
    assert_eq!(entries[0].totals.stated, Some(12.5));
    assert_eq!(entries[0].totals.lines.total, 10);
}

pub(super) async fn pruned_runs_leave_no_reports(pair: Pair) {
    let owner = elsewhere("a");
    let run = created(&*pair.one, &owner).await;
    let tests = vec![test("one", TestOutcome::Passed)];
    pair.one
        .keep_tests(&key(run, "test", 1, 0), tests)
        .await
        .unwrap();
    let events = vec![record(run, 1, covered("test", 4))];
    pair.one.append(run, events).await.unwrap();
    end(&*pair.one, run, 2).await;
    let none = Retention {
        max_runs: Some(0),
        ..Retention::default()
    };
    assert_eq!(pair.one.prune(&none).await.unwrap(), [run]);
    let query = TestQuery::default();
    assert_eq!(pair.two.tests(&query).await.unwrap(), []);
    assert_eq!(pair.two.coverage(&query).await.unwrap(), []);
}
