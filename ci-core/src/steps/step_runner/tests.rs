//! Answers, addresses, and a runner that misbehaves in every way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::answer::{Answer, read};
use super::*;
use crate::job::Backoff;
use crate::outcome::{Outcome, OutcomeKind};
use crate::run::{RunOptions, RunReport, run};
use crate::workflow::RunFacts;

#[test]
fn answers_mean_what_is_documented() {
    let kind = |status, body: &str| match read(status, body.as_bytes(), None) {
        Answer::Ended(outcome, _) => outcome.to_string(),
        Answer::Busy(..) => "busy".into(),
        Answer::Broke(why) => format!("broke: {why}"),
        Answer::Refused(why) => format!("refused: {why}"),
    };
    for (status, body, expected) in [
        (
            200,
            r#"{"status": "success", "unknown": [1], "took_ms": 3}"#,
            "success",
        ),
        (200, "", "success"),
        (204, "", "success"),
        (200, "lint is fine", "success"),
        (
            200,
            r#"{"status": "failure", "exit_code": 2}"#,
            "failed: exit code 2",
        ),
        (
            200,
            r#"{"status": "Failed", "message": "3 tests failed"}"#,
            "failed: 3 tests failed",
        ),
        (
            200,
            r#"{"status": "failure", "exit_code": "two"}"#,
            "failed: the step failed on the step runner",
        ),
        (
            500,
            r#"{"status": "failure", "error": "red"}"#,
            "failed: red",
        ),
        (
            200,
            r#"{"status": "running"}"#,
            "broke: it answers that the step is \"running\"",
        ),
        (
            500,
            r#"{"error": "boom"}"#,
            "broke: it answers with status 500: boom",
        ),
        (502, "<html>", "broke: it answers with status 502"),
        (409, "", "busy"),
        (503, "", "busy"),
        (
            400,
            r#"{"message": "no step `x`"}"#,
            "refused: it answers with status 400: no step `x`",
        ),
        (302, "", "refused: it answers with status 302"),
    ] {
        assert_eq!(kind(status, body), expected, "{status} {body}");
    }
}

#[test]
fn addresses_are_completed() {
    let address = |text| StepRunner::new(text).map(|runner| runner.address().to_owned());
    for (text, expected) in [
        (":8080", "http://127.0.0.1:8080"),
        (":9", "http://127.0.0.1:9"),
        ("ci.local", "http://ci.local:8080"),
        ("http://ci.local:81/", "http://ci.local:81"),
        ("[::1]:7", "http://[::1]:7"),
        ("[::1]", "http://[::1]:8080"),
    ] {
        assert_eq!(address(text).unwrap(), expected);
    }
    for text in ["https://x", ":port", "a b:1", ":99999"] {
        let told = address(text).unwrap_err().to_string();
        assert!(told.contains("is no address of a step runner"), "{told}");
    }
}

proptest! {
    #[test]
    fn no_answer_is_a_panic_and_only_one_that_says_so_is_a_failure(
        status in 100_u16..600, body in prop::collection::vec(any::<u8>(), 0..40)
    ) {
        let answer = read(status, &body, None);
        let failed = matches!(&answer, Answer::Ended(Outcome::Failed(_), _));
        prop_assert!(!failed, "{:?}", answer);
    }
}

/// How a runner treats a connection.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Says(u16, &'static str),
    Drops,
    Hangs,
    /// Sends half of an answer.
    Stutters,
}

/// A runner that treats each connection as the list says, and the last of it for ever.
async fn runner(moods: &'static [Mood]) -> (StepRunner, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let index = counter.fetch_add(1, Ordering::SeqCst) as usize;
            tokio::spawn(serve(stream, moods[index.min(moods.len() - 1)]));
        }
    });
    let quick = Backoff::exponential(Duration::from_millis(1));
    let runner = StepRunner::new(&address).unwrap().backoff(quick);
    (runner.reply_timeout(Duration::from_millis(500)), asked)
}

async fn serve(mut stream: TcpStream, mood: Mood) {
    let mut request = Vec::new();
    // The body ends with the object that it is.
    while !request.ends_with(b"}") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let text = String::from_utf8(request).unwrap();
    assert!(
        text.starts_with("POST /step/trigger HTTP/1.1\r\n"),
        "{text}"
    );
    assert!(
        text.ends_with(r#"{"step_name":"test","repo_path":"/repo","commit_hash":"c0ffee"}"#),
        "{text}"
    );
    match mood {
        Mood::Says(status, body) => {
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        Mood::Drops => {}
        Mood::Hangs => std::future::pending().await,
        Mood::Stutters => {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"status\": \"fail")
                .await;
        }
    }
}

const FINE: Mood = Mood::Says(200, r#"{"status": "success", "output": "3 passed\n"}"#);

async fn test(runner: &StepRunner) -> RunReport {
    let facts = RunFacts::default().repository("/repo").revision("c0ffee");
    let options = RunOptions::new().facts(facts).only(["test"]);
    run(&runner.workflow(), options).await.unwrap()
}

#[tokio::test]
async fn a_runner_that_misbehaves_is_asked_until_it_answers() {
    let (runner, asked) = runner(&[
        Mood::Drops,
        Mood::Hangs,
        Mood::Stutters,
        Mood::Says(500, "{}"),
        Mood::Says(409, ""),
        FINE,
    ])
    .await;
    assert!(test(&runner).await.is_success());
    assert_eq!(asked.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn a_failure_is_reported_at_once() {
    let (runner, asked) =
        runner(&[Mood::Says(200, r#"{"status": "failure", "exit_code": 3}"#)]).await;
    let report = test(&runner).await;
    assert_eq!(report.outcome, OutcomeKind::Failed);
    assert_eq!(
        report.job("test").unwrap().outcome,
        Outcome::from_exit_code(3)
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_runner_that_stays_broken_is_an_infrastructure_failure() {
    let (runner, asked) = runner(&[Mood::Drops]).await;
    let report = test(&runner.attempts(3)).await;
    assert_eq!(report.outcome, OutcomeKind::InfrastructureFailure);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let why = report.job("test").unwrap().outcome.reason().unwrap();
    assert!(
        why.contains("did not decide about `test` in 3 tries: the connection broke"),
        "{why}"
    );
}

#[tokio::test]
async fn a_wrong_request_is_not_repeated() {
    let (runner, asked) = runner(&[Mood::Says(400, "{}")]).await;
    assert_eq!(
        test(&runner).await.outcome,
        OutcomeKind::InfrastructureFailure
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_outage_ends_with_the_budget() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let quick = Backoff::exponential(Duration::from_millis(5));
    let runner = StepRunner::new(&address).unwrap().backoff(quick);
    let report = test(&runner.budget(Duration::from_millis(200))).await;
    assert_eq!(report.outcome, OutcomeKind::InfrastructureFailure);
    let why = report.job("test").unwrap().outcome.reason().unwrap();
    assert!(why.contains("it cannot be reached"), "{why}");
}

#[tokio::test]
async fn a_canceled_run_does_not_wait_for_the_runner() {
    let (runner, _) = runner(&[Mood::Hangs]).await;
    let runner = runner.reply_timeout(Duration::from_hours(1));
    let facts = RunFacts::default().repository("/repo").revision("c0ffee");
    let options = RunOptions::new().facts(facts).only(["test"]);
    let handle = crate::run::start(&runner.workflow(), options)
        .await
        .unwrap();
    handle
        .control()
        .cancel(crate::outcome::CancelReason::Requested);
    let report = handle.wait().await.unwrap();
    assert_eq!(report.outcome, OutcomeKind::Canceled);
}
