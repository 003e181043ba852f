//! What failed is found: the step, its first failing lines, and the commits since the last success.

#![expect(
    clippy::clone_on_ref_ptr,
    reason = "the clone is of the type that is asked for"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Timestamp;
use crate::job::JobSpec;
use crate::outcome::OutcomeKind;
use crate::run::{RunOptions, run};
use crate::session::Stream;
use crate::step::{StepSpec, step_fn};
use crate::store::{LogLine, MemoryStore};
use crate::view::excerpt::Excerpter;
use crate::view::{Excerpt, FailureQuery, failure, failure_text};
use crate::workflow::{RunFacts, WorkflowSpec};

/// A workflow whose job `test` breaks if it is told to.
fn workflow(breaks: &Arc<AtomicBool>) -> WorkflowSpec {
    let breaks = Arc::clone(breaks);
    let step = step_fn("make test", move |cx| {
        let breaks = breaks.load(Ordering::Relaxed);
        async move {
            for line in 1..=30 {
                cx.say(format!("compiling {line}\n")).await;
            }
            if breaks {
                cx.say("\u{1b}[31msrc/lib.rs:3: <b>expected</b> 2\u{1b}[0m\n")
                    .await;
                return Err(std::io::Error::other("the tests say no"));
            }
            Ok(())
        }
    });
    let after = JobSpec::new("ship").needs("test");
    let builder = WorkflowSpec::builder("ci")
        .job(JobSpec::new("lint"))
        .job(JobSpec::new("test").step(StepSpec::code(step)))
        .job(after);
    builder.build().expect("valid")
}

async fn ran(store: &Arc<MemoryStore>, breaks: bool, facts: RunFacts) {
    let flow = workflow(&Arc::new(AtomicBool::new(breaks)));
    let options = RunOptions::new().store(store.clone()).facts(facts);
    let report = run(&flow, options).await.expect("runs");
    assert_eq!(report.is_success(), !breaks);
}

fn line(text: &str) -> LogLine {
    LogLine {
        job: "a".into(),
        attempt: 1,
        step: 0,
        stream: Stream::Stdout,
        time: Timestamp::from_millis(0),
        bytes: text.as_bytes().to_vec(),
    }
}

fn excerpt(most: usize, lines: &[&str]) -> Excerpt {
    let mut excerpter = Excerpter::new(most);
    for text in lines {
        excerpter.add(&line(text));
    }
    excerpter.finish()
}

fn texts(excerpt: &Excerpt) -> Vec<&str> {
    excerpt.lines.iter().map(|line| &*line.text).collect()
}

#[test]
fn an_excerpt_begins_where_the_log_first_tells_of_a_failure() {
    let log = [
        "a",
        "b",
        "c: 0 failed",
        "d",
        "error: e",
        "f",
        "error: g",
        "h",
    ];
    let part = excerpt(4, &log);
    assert_eq!(texts(&part), ["c: 0 failed", "d", "error: e", "f"]);
    assert_eq!((part.first, part.total, part.at_failure), (3, 8, true));
}

#[test]
fn without_a_sign_an_excerpt_is_the_end() {
    let part = excerpt(2, &["a", "b", "c"]);
    assert_eq!(texts(&part), ["b", "c"]);
    assert_eq!((part.first, part.total, part.at_failure), (2, 3, false));
    assert_eq!(excerpt(2, &[]), Excerpt::default());
    assert_eq!(excerpt(0, &["error"]), Excerpt::default());
}

#[tokio::test]
async fn nothing_has_failed_in_a_store_without_runs() {
    let store = MemoryStore::new();
    let found = failure(&store, &FailureQuery::default()).await;
    assert_eq!(found.expect("reads"), None);
}

#[cfg(feature = "git")]
#[tokio::test]
async fn what_failed_comes_with_its_lines_and_the_commits_since() {
    let repository = crate::vcs::tests::repo::TestRepo::new();
    let store = Arc::new(MemoryStore::new());
    let facts = || RunFacts::discover(&repository.root()).expect("a repository");
    repository.put("one.txt", "1");
    ran(&store, false, facts()).await;
    repository.put("two.txt", "2");
    repository.put("three.txt", "3");
    ran(&store, true, facts()).await;

    let query = FailureQuery::default().branch(Some("main".into()));
    let view = failure(&*store, &query).await.expect("reads");
    let view = view.expect("a run");
    assert_eq!(view.outcome, Some(OutcomeKind::Failed));
    assert_eq!(view.not_run, ["ship".into()]);
    let [job] = &view.jobs[..] else {
        panic!("one job failed: {view:?}");
    };
    let step = job.step.as_ref().expect("a step failed");
    assert_eq!(
        (&*job.name, &*step.name, step.index),
        ("test", "make test", 0)
    );
    let lines = texts(&step.output);
    let shown = "src/lib.rs:3: <b>expected</b> 2";
    assert!(lines.contains(&shown), "{lines:?}");
    let last = view.last_success.as_ref().expect("a success before");
    let commits = last.commits.as_ref().expect("git knows");
    let subjects: Vec<&str> = commits.iter().map(|it| &*it.subject).collect();
    assert_eq!(subjects, ["three.txt", "two.txt"]);

    let text = failure_text(&view);
    for part in [
        "1 of 3 jobs failed",
        "✗ test › make test  failed: the tests say no",
        shown,
        "did not run: ship",
        "2 commits since the last success",
        "three.txt",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert!(text.lines().count() < 30, "it fits on a screen:\n{text}");
    assert!(!text.contains('\u{1b}'));

    let other = FailureQuery::default().branch(Some("other".into()));
    assert_eq!(failure(&*store, &other).await.expect("reads"), None);
}

#[cfg(feature = "git")]
#[tokio::test]
async fn a_run_that_went_well_says_so() {
    let store = Arc::new(MemoryStore::new());
    ran(&store, false, RunFacts::default()).await;
    let view = failure(&*store, &FailureQuery::default())
        .await
        .expect("reads");
    let view = view.expect("a run");
    assert!(view.jobs.is_empty());
    assert!(failure_text(&view).contains("nothing failed in 3 jobs"));
}
