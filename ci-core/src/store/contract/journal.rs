//! Runs, their journals, and what sums them up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::kit::{
    Pair, START, created, elsewhere, ended_as, finished, new_run, pass, ready, record, summary,
};
use crate::event::fixtures::any_event;
use crate::event::{EventRecord, RunEvent};
use crate::id::RunId;
use crate::outcome::{Outcome, OutcomeKind};
use crate::store::{Retention, RunQuery};

pub(super) async fn a_run_comes_back_as_it_was_made(pair: Pair) {
    let owner = elsewhere("a");
    let mut run = new_run("ci", "main");
    run.rerun_of = Some(RunId::new());
    pair.one.create(run.clone(), &owner).await.unwrap();
    let stored = pair.two.load(run.id).await.unwrap();
    assert_eq!(stored.workflow, run.workflow);
    assert_eq!(stored.facts, run.facts);
    assert_eq!(stored.journal, []);
    let summary = stored.summary;
    assert_eq!((summary.id, &*summary.workflow), (run.id, "ci"));
    assert_eq!(summary.branch.as_deref(), Some("main"));
    assert_eq!(summary.revision.as_deref(), Some("c0ffee"));
    assert_eq!((summary.created, summary.finished), (START, None));
    assert_eq!((summary.outcome, summary.active), (None, true));
    assert_eq!(summary.rerun_of, run.rerun_of);
}

pub(super) async fn what_was_appended_is_there_for_others_when_the_commit_is_ready(pair: Pair) {
    let run = created(&*pair.one, &elsewhere("a")).await;
    let mut expected = Vec::new();
    for seq in 1..=5 {
        let next = record(run, seq, ready("build"));
        pair.one.append(run, vec![next.clone()]).await.unwrap();
        expected.push(next);
        assert_eq!(pair.two.load(run).await.unwrap().journal, expected);
    }
}

pub(super) async fn what_nobody_waits_for_comes_before_what_is_waited_for(pair: Pair) {
    let run = created(&*pair.one, &elsewhere("a")).await;
    let expected: Vec<_> = (1..=3)
        .map(|seq| record(run, seq, ready("build")))
        .collect();
    pair.one.note(run, vec![expected[0].clone()]);
    pair.one.note(run, vec![expected[1].clone()]);
    let commit = pair.one.append(run, vec![expected[2].clone()]);
    commit.await.unwrap();
    assert_eq!(pair.two.load(run).await.unwrap().journal, expected);
}

pub(super) async fn the_end_of_jobs_and_of_the_run_is_summed_up(pair: Pair) {
    let run = created(&*pair.one, &elsewhere("a")).await;
    let end = ended_as(run, OutcomeKind::Failed);
    let events = [
        ready("test"),
        finished("test", Outcome::from_exit_code(3), 4),
        finished("lint", Outcome::Success, 1),
        end,
    ];
    let records = (1..)
        .zip(events)
        .map(|(seq, event)| record(run, seq, event));
    pair.one.append(run, records.collect()).await.unwrap();
    let summary = summary(&*pair.two, run).await;
    assert_eq!(summary.outcome, Some(OutcomeKind::Failed));
    assert_eq!(summary.finished, Some(record(run, 4, ready("")).time));
    let jobs: Vec<_> = summary
        .jobs
        .iter()
        .map(|job| {
            (
                &*job.name,
                job.outcome,
                job.exit_code,
                job.duration.as_secs(),
            )
        })
        .collect();
    let expected = [
        ("test", OutcomeKind::Failed, Some(3), 4),
        ("lint", OutcomeKind::Success, Some(0), 1),
    ];
    assert_eq!(jobs, expected);
}

pub(super) async fn listings_are_newest_first_and_filtered(pair: Pair) {
    let owner = elsewhere("a");
    let mut ids = Vec::new();
    for (workflow, branch) in [
        ("ci", "main"),
        ("ci", "fix"),
        ("nightly", "main"),
        ("ci", "main"),
    ] {
        let run = new_run(workflow, branch);
        ids.push(run.id);
        pair.one.create(run, &owner).await.unwrap();
    }
    let end = ended_as(ids[0], OutcomeKind::Success);
    pair.one
        .append(ids[0], vec![record(ids[0], 1, end)])
        .await
        .unwrap();
    let list = async |query: RunQuery| {
        let page = pair.two.runs(&query).await.unwrap();
        let places = page
            .runs
            .iter()
            .map(|run| ids.iter().position(|id| *id == run.id).unwrap());
        (page.total, places.collect::<Vec<_>>())
    };
    let all = RunQuery::default;
    assert_eq!(list(all()).await, (4, vec![3, 2, 1, 0]));
    let workflow = Some("ci".to_owned());
    assert_eq!(
        list(RunQuery { workflow, ..all() }).await,
        (3, vec![3, 1, 0])
    );
    let branch = Some("main".to_owned());
    assert_eq!(list(RunQuery { branch, ..all() }).await, (3, vec![3, 2, 0]));
    let outcome = Some(OutcomeKind::Success);
    assert_eq!(list(RunQuery { outcome, ..all() }).await, (1, vec![0]));
    let of = |hash: &str| RunQuery {
        revision: Some(hash.into()),
        ..all()
    };
    assert_eq!(list(of("c0ffee")).await.0, list(all()).await.0);
    assert_eq!(list(of("c0ffe")).await, (0, vec![]));
    let part = RunQuery {
        offset: 1,
        limit: Some(2),
        ..all()
    };
    assert_eq!(list(part).await, (4, vec![2, 1]));
}

pub(super) async fn the_usual_duration_is_the_median_of_the_latest_successes(pair: Pair) {
    let owner = elsewhere("a");
    // Thirty runs, ever slower: only the last twenty count, and of those the successes.
    for seconds in 1..=30 {
        let run = created(&*pair.one, &owner).await;
        let mut reused = finished("reused", Outcome::Success, 1);
        if let RunEvent::JobFinished { reused, .. } = &mut reused {
            *reused = true;
        }
        let events = [
            finished("build", Outcome::Success, seconds),
            finished("flaky", Outcome::from_exit_code(1), seconds),
            reused,
        ];
        let records = (1..)
            .zip(events)
            .map(|(seq, event)| record(run, seq, event));
        pair.one.append(run, records.collect()).await.unwrap();
    }
    let usual = pair.two.durations("ci").await.unwrap();
    let expected = HashMap::from([(Arc::from("build"), Duration::from_secs(21))]);
    assert_eq!(usual, expected);
    assert_eq!(pair.two.durations("other").await.unwrap(), HashMap::new());
}

pub(super) async fn ended_runs_are_pruned_by_age_and_number(pair: Pair) {
    let owner = elsewhere("a");
    let mut ids = Vec::new();
    for ended in [true, false, true, true] {
        let run = created(&*pair.one, &owner).await;
        if ended {
            let end = ended_as(run, OutcomeKind::Success);
            pair.one
                .append(run, vec![record(run, 1, end)])
                .await
                .unwrap();
        }
        ids.push(run);
    }
    let mut keep = Retention::default();
    assert_eq!(pair.one.prune(&keep).await.unwrap(), []);
    keep.max_runs = Some(2);
    assert_eq!(pair.one.prune(&keep).await.unwrap(), [ids[0]]);
    assert!(pair.two.load(ids[0]).await.is_err());
    pass(3600).await;
    keep.max_age = Some(Duration::from_hours(1));
    assert_eq!(pair.one.prune(&keep).await.unwrap(), []);
    pass(1).await;
    assert_eq!(pair.one.prune(&keep).await.unwrap(), [ids[3], ids[2]]);
    // The one that has not ended stays, however old it is.
    let left = pair.two.runs(&RunQuery::default()).await.unwrap();
    assert_eq!(
        left.runs.iter().map(|run| run.id).collect::<Vec<_>>(),
        [ids[1]]
    );
}

/// The events of up to three runs, in batches, each for one of the runs.
pub(super) fn batches() -> impl Strategy<Value = Vec<(usize, Vec<RunEvent>)>> {
    let batch = (0..3_usize, prop::collection::vec(any_event(), 1..6));
    prop::collection::vec(batch, 1..12)
}

pub(super) async fn batches_read_back(
    pair: Pair,
    batches: Vec<(usize, Vec<RunEvent>)>,
) -> Result<(), TestCaseError> {
    let owner = elsewhere("a");
    let mut runs: Vec<(RunId, Vec<EventRecord>)> = Vec::new();
    for _ in 0..3 {
        runs.push((created(&*pair.one, &owner).await, Vec::new()));
    }
    let mut commits = Vec::new();
    for (index, events) in batches {
        let (run, journal) = &mut runs[index];
        let first = journal.len() as u64 + 1;
        let records = (first..)
            .zip(events)
            .map(|(seq, event)| record(*run, seq, event));
        let records: Vec<_> = records.collect();
        journal.extend(records.iter().cloned());
        commits.push(pair.one.append(*run, records));
    }
    for commit in commits {
        commit
            .await
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
    for (run, expected) in runs {
        let stored = pair.two.load(run).await;
        let stored = stored.map_err(|error| TestCaseError::fail(crate::error::chain(&error)))?;
        prop_assert_eq!(stored.journal, expected);
    }
    Ok(())
}
