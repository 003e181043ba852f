//! How the mock behaves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::executor::{Executor, ExecutorErrorKind, PrepareRequest};
use crate::id::RunId;
use crate::job::JobSpec;
use crate::session::{
    Command, CopyRoot, ExecIo, ExitStatus, Output, Session, SessionError, SessionErrorKind,
    TreeSelection,
};

async fn prepare(executor: &MockExecutor, job: &str) -> Arc<dyn Session> {
    let (job, env) = (JobSpec::new(job), BTreeMap::new());
    let request = PrepareRequest::new(RunId::new(), &job, &env);
    Arc::from(executor.prepare(request).await.unwrap())
}

async fn run(session: &dyn Session, script: &str) -> Result<ExitStatus, SessionError> {
    let io = ExecIo::new(Output::discard(), CancellationToken::new());
    session.exec(&Command::sh(script), io).await
}

#[tokio::test]
async fn everything_succeeds_until_told_otherwise_and_is_noted() {
    let (executor, handle) = MockExecutor::new();
    let session = prepare(&executor, "build").await;
    assert_eq!(run(&*session, "one").await.unwrap(), ExitStatus::Code(0));
    assert_eq!(run(&*session, "two").await.unwrap(), ExitStatus::Code(0));
    assert_eq!(handle.leaks().len(), 1);
    session.teardown().await.unwrap();
    handle.assert_all_torn_down();
    assert_eq!(handle.prepared(), ["build"]);
    assert_eq!(handle.commands_of("build"), ["one", "two"]);
    assert!(handle.commands_of("other").is_empty());
    let error = run(&*session, "late").await.unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Refused);
    assert_eq!(handle.leaks().len(), 1);
}

#[tokio::test]
async fn rules_match_by_job_and_script_and_are_used_up() {
    let (executor, handle) = MockExecutor::new();
    handle.on("build").script("test").times(2).exit(101);
    handle
        .on("build")
        .script("test")
        .ends(ExitStatus::Signal(9));
    handle.on("other").lose();
    let session = prepare(&executor, "build").await;
    for (script, status) in [
        ("compile", ExitStatus::Code(0)),
        ("cargo test", ExitStatus::Code(101)),
        ("test", ExitStatus::Code(101)),
        ("test", ExitStatus::Signal(9)),
    ] {
        assert_eq!(run(&*session, script).await.unwrap(), status);
    }
    let other = prepare(&executor, "other").await;
    let error = run(&*other, "test").await.unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Lost);
}

#[tokio::test(start_paused = true)]
async fn time_passes_in_tokios_clock_and_a_hang_ends_with_its_token() {
    let (executor, handle) = MockExecutor::new();
    handle
        .on_any()
        .script("slow")
        .after(Duration::from_secs(90));
    handle.on_any().script("hang").hang_until_canceled();
    let session = prepare(&executor, "build").await;
    let began = Instant::now();
    run(&*session, "slow").await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(90));

    let (cancel, other) = (CancellationToken::new(), Arc::clone(&session));
    let io = ExecIo::new(Output::discard(), cancel.clone());
    let hang = tokio::spawn(async move { other.exec(&Command::sh("hang"), io).await });
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(handle.running(), 1);
    cancel.cancel();
    assert_eq!(hang.await.unwrap().unwrap(), ExitStatus::Stopped);
    assert_eq!((handle.running(), handle.most_running()), (0, 1));
}

#[tokio::test]
async fn a_test_ends_commands_one_by_one() {
    let (executor, mut handle) = MockExecutor::new();
    handle.on_any().by_hand();
    let session = prepare(&executor, "build").await;
    let tasks: Vec<_> = ["a", "b", "c", "d"]
        .into_iter()
        .map(|script| {
            let session = Arc::clone(&session);
            tokio::spawn(async move { run(&*session, script).await })
        })
        .collect();
    let mut held = Vec::new();
    for _ in &tasks {
        held.push(handle.next_command().await);
    }
    assert!(handle.try_next_command().is_none());
    assert_eq!(handle.running(), 4);
    held.sort_by_key(MockCommand::text);
    let [a, b, c, d] = held.try_into().unwrap();
    assert_eq!((a.job.as_str(), a.text().as_str()), ("build", "a"));
    a.respond(ExitStatus::Code(7));
    b.fail(SessionErrorKind::Interrupted);
    drop(c);
    d.respond(ExitStatus::Code(0));
    let mut ends = Vec::new();
    for task in tasks {
        ends.push(task.await.unwrap().map_err(|error| error.kind()));
    }
    assert_eq!(
        ends,
        [
            Ok(ExitStatus::Code(7)),
            Err(SessionErrorKind::Interrupted),
            Err(SessionErrorKind::Other),
            Ok(ExitStatus::Code(0)),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn preparing_and_teardown_follow_rules_of_their_own() {
    let (executor, handle) = MockExecutor::new();
    handle
        .on("a")
        .times(1)
        .prepare_fails(ExecutorErrorKind::Capacity);
    handle.on("b").prepare_takes(Duration::from_mins(5));
    handle.on("b").teardown_fails(SessionErrorKind::Lost);
    let (job, env) = (JobSpec::new("a"), BTreeMap::new());
    let request = PrepareRequest::new(RunId::new(), &job, &env);
    let error = executor.prepare(request).await.err().unwrap();
    assert_eq!(error.kind(), ExecutorErrorKind::Capacity);
    prepare(&executor, "a").await.teardown().await.unwrap();

    let began = Instant::now();
    let session = prepare(&executor, "b").await;
    assert_eq!(began.elapsed(), Duration::from_mins(5));
    assert_eq!(run(&*session, "true").await.unwrap(), ExitStatus::Code(0));
    let error = session.teardown().await.unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Lost);
    handle.assert_all_torn_down();

    let job = JobSpec::new("b");
    let request = PrepareRequest::new(RunId::new(), &job, &env);
    let cancel = request.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(10)).await;
        cancel.cancel();
    });
    let error = executor.prepare(request).await.err().unwrap();
    assert_eq!(error.kind(), ExecutorErrorKind::Canceled);
}

#[tokio::test]
async fn a_panic_is_a_panic_and_leaves_the_mock_usable() {
    let (executor, handle) = MockExecutor::new();
    handle.on("build").script("bad").panic();
    let session = prepare(&executor, "build").await;
    let bad = Arc::clone(&session);
    let task = tokio::spawn(async move { run(&*bad, "bad").await });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(handle.running(), 0);
    assert_eq!(run(&*session, "good").await.unwrap(), ExitStatus::Code(0));
    session.teardown().await.unwrap();
    handle.assert_all_torn_down();
}

#[tokio::test]
async fn files_are_kept_selected_and_given_back() {
    let (executor, handle) = MockExecutor::new();
    handle.put_file("reports/old.xml", "old");
    handle
        .on("test")
        .writes("reports/new.xml", "new")
        .writes("~/note.txt", "note");
    let session = prepare(&executor, "test").await;
    run(&*session, "make reports").await.unwrap();
    let names = |selection: TreeSelection| {
        let session = Arc::clone(&session);
        async move {
            let mut archive = tar::Archive::new(session.copy_out(&selection).await?);
            let names = archive
                .entries()
                .unwrap()
                .map(|entry| String::from_utf8(entry.unwrap().path_bytes().into_owned()).unwrap());
            Ok::<Vec<String>, SessionError>(names.collect())
        }
    };
    let xml = CopyRoot::new("out", ".").include("**/*.xml");
    let selection = TreeSelection::default().root(xml);
    let expected = ["out/reports/new.xml", "out/reports/old.xml"];
    assert_eq!(names(selection.clone()).await.unwrap(), expected);
    assert_eq!(names(TreeSelection::all("~")).await.unwrap(), ["note.txt"]);
    let missing = names(TreeSelection::all("nowhere")).await.unwrap_err();
    assert_eq!(missing.kind(), SessionErrorKind::NotFound);

    let tree = session.copy_out(&selection).await.unwrap();
    session.copy_in(tree, "copy").await.unwrap();
    let copied = names(TreeSelection::all("copy/out/reports")).await.unwrap();
    assert_eq!(copied, ["new.xml", "old.xml"]);
}
