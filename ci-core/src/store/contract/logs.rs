//! Logs of steps.

use super::kit::{Pair, START, created, elsewhere};
use crate::clock::Timestamp;
use crate::session::{OutputChunk, Stream};
use crate::store::{LogKey, LogQuery};

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
