//! Logs of steps.

use super::kit::{Pair, START, created, elsewhere};
use crate::clock::Timestamp;
use crate::session::{OutputChunk, Stream};
use crate::store::{LogKey, LogQuery, LogReader};

pub(super) async fn lines_come_back_by_job_attempt_and_step(pair: Pair) {
    let run = created(&*pair.one, &elsewhere("a")).await;
    // Told in another order than they happened in: `lint` spoke first.
    for (job, attempt, step, millis, text) in [
        ("build", 1, 0, 20, "first try\n"),
        ("build", 2, 1, 40, "half\nof"),
        ("build", 2, 0, 30, "second try\n"),
        ("lint", 1, 0, 10, "fine\n"),
    ] {
        let key = LogKey {
            run,
            job: job.into(),
            attempt,
            step,
        };
        let mut log = pair.one.log(&key).unwrap();
        let time = Timestamp::from_millis(START.as_millis() + millis);
        for bytes in [text.as_bytes(), b" it\n"] {
            log.write(&OutputChunk {
                stream: Stream::Stdout,
                time,
                bytes: bytes.into(),
            })
            .unwrap();
        }
    }
    // A step that says nothing has no log, nor is it the last attempt's.
    let silent = LogKey {
        run,
        job: "build".into(),
        attempt: 3,
        step: 0,
    };
    drop(pair.one.log(&silent).unwrap());
    let read = async |job: Option<&str>, attempt, step| {
        let query = LogQuery {
            run,
            job: job.map(str::to_owned),
            attempt,
            step,
        };
        let lines = pair.two.read_log(&query).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let lines = lines.iter().map(|line| {
            format!(
                "{} {} {}: {}",
                line.job,
                line.attempt,
                line.step,
                text(&line.bytes)
            )
        });
        lines.collect::<Vec<_>>()
    };
    let last = [
        "lint 1 0: fine",
        "lint 1 0:  it",
        "build 2 0: second try",
        "build 2 0:  it",
        "build 2 1: half",
        "build 2 1: of it",
    ];
    assert_eq!(read(None, None, None).await, last);
    assert_eq!(read(Some("build"), None, None).await, last[2..]);
    assert_eq!(read(Some("build"), None, Some(1)).await, last[4..]);
    let first = ["build 1 0: first try", "build 1 0:  it"];
    assert_eq!(read(Some("build"), Some(1), None).await, first);
    assert_eq!(read(Some("deploy"), None, None).await, [""; 0]);
}

pub(super) async fn a_reader_goes_on_where_it_was(pair: Pair) {
    let run = created(&*pair.one, &elsewhere("a")).await;
    let write = |job: &str, stream, text: &str| {
        let key = LogKey {
            run,
            job: job.into(),
            attempt: 1,
            step: 0,
        };
        let mut log = pair.one.log(&key).unwrap();
        let (time, bytes) = (START, text.as_bytes().into());
        log.write(&OutputChunk {
            stream,
            time,
            bytes,
        })
        .unwrap();
    };
    let query = LogQuery {
        run,
        job: None,
        attempt: None,
        step: None,
    };
    let mut reader = LogReader::new(query);
    let mut read = async || {
        let mut all = Vec::new();
        loop {
            let lines = reader.read(&*pair.two).await.unwrap();
            if lines.is_empty() {
                return all;
            }
            all.extend(lines.iter().map(|line| {
                let text = String::from_utf8(line.bytes.clone()).unwrap();
                format!("{}: {text}", line.job)
            }));
        }
    };
    assert_eq!(read().await, [""; 0]);
    write("build", Stream::Stdout, "one\ntw");
    assert_eq!(read().await, ["build: one"]);
    assert_eq!(read().await, [""; 0]);
    // A line that has begun keeps neither the other stream's nor another job's back.
    write("build", Stream::Stderr, "warning\n");
    write("a", Stream::Stdout, "first in the alphabet\n");
    let mut lines = read().await;
    lines.sort();
    assert_eq!(lines, ["a: first in the alphabet", "build: warning"]);
    write("build", Stream::Stdout, "o\nthe end");
    assert_eq!(read().await, ["build: two"]);
    let rest = reader.finish();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].bytes, b"the end");
    assert_eq!(reader.finish(), []);
}
