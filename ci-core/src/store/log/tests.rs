//! Logs in files: what several writers write is what is read, however it is cut and whoever ends.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::own::{FileLog, open_log};
use super::{Expected, LogDir};
use crate::clock::Timestamp;
use crate::id::RunId;
use crate::session::{OutputChunk, Stream};
use crate::store::{LogKey, LogQuery, LogWriter, StoreError, StoreErrorKind};

struct Place {
    dir: tempfile::TempDir,
    run: RunId,
}

impl Place {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a directory"),
            run: RunId::new(),
        }
    }

    /// The logs as a process sees them that has just begun.
    fn logs(&self) -> LogDir {
        LogDir::new(self.dir.path().to_path_buf())
    }

    fn run_dir(&self) -> PathBuf {
        self.dir.path().join(self.run.to_string())
    }

    fn key(&self, job: &str, attempt: u32, step: u32) -> LogKey {
        LogKey {
            run: self.run,
            job: job.into(),
            attempt,
            step,
        }
    }

    fn everything(&self) -> LogQuery {
        LogQuery {
            run: self.run,
            job: None,
            attempt: None,
            step: None,
        }
    }

    /// The names of the files below the directory of the run.
    fn files(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut open = vec![self.run_dir()];
        while let Some(dir) = open.pop() {
            for entry in dir.read_dir().expect("a directory").flatten() {
                if entry.path().is_dir() {
                    open.push(entry.path());
                } else {
                    let path = entry.path();
                    let name = path.strip_prefix(self.run_dir()).expect("below it");
                    names.push(name.to_string_lossy().into_owned());
                }
            }
        }
        names.sort();
        names
    }
}

fn chunk(stream: Stream, bytes: &[u8]) -> OutputChunk {
    OutputChunk {
        stream,
        time: Timestamp::from_millis(7),
        bytes: bytes.into(),
    }
}

fn say(log: &mut dyn LogWriter, bytes: &[u8]) {
    log.write(&chunk(Stream::Stdout, bytes)).expect("writes");
}

/// What a step said, read in parts of about `most` bytes.
fn said(logs: &LogDir, key: &LogKey, most: usize) -> Vec<u8> {
    let (mut position, mut bytes) = (0, Vec::new());
    loop {
        let part = logs.read_part(key, position, most).expect("reads");
        if part.chunks.is_empty() {
            assert_eq!(part.end, position);
            return bytes;
        }
        position = part.end;
        for chunk in part.chunks {
            bytes.extend_from_slice(&chunk.bytes);
        }
    }
}

fn cut(path: &Path, less: u64) {
    let file = OpenOptions::new().write(true).open(path).expect("opens");
    let length = file.metadata().expect("metadata").len();
    file.set_len(length - less).expect("cut");
}

#[test]
fn a_log_comes_back_in_parts() {
    let place = Place::new();
    let logs = place.logs();
    let key = place.key("test (a/b) 1/2", 1, 0);
    let mut writer = logs.open(&key).expect("opens");
    for (stream, bytes) in [
        (Stream::Stdout, &b"one\ntw"[..]),
        (Stream::Stderr, b"err\n"),
        (Stream::Stdout, b"o\n\xff"),
    ] {
        writer.write(&chunk(stream, bytes)).expect("writes");
    }
    let steps = logs.steps(&place.everything()).expect("lists");
    assert_eq!(steps, std::slice::from_ref(&key));
    let whole = logs.read_part(&key, 0, 1 << 20).expect("reads");
    let text: Vec<_> = whole
        .chunks
        .iter()
        .map(|chunk| (chunk.stream, chunk.time.as_millis(), &*chunk.bytes))
        .collect();
    let expected: [(Stream, u64, &[u8]); 3] = [
        (Stream::Stdout, 7, b"one\ntw"),
        (Stream::Stderr, 7, b"err\n"),
        (Stream::Stdout, 7, b"o\n\xff"),
    ];
    assert_eq!(text, expected);
    // A part is at least a chunk, and the next goes on where it ended.
    let first = logs.read_part(&key, 0, 0).expect("reads");
    let second = logs.read_part(&key, first.end, 1).expect("reads");
    assert_eq!((first.chunks.len(), second.chunks.len()), (1, 1));
    assert_eq!(&*second.chunks[0].bytes, b"err\n");
    let nothing = logs.read_part(&key, whole.end, 1 << 20).expect("reads");
    assert_eq!((nothing.chunks.len(), nothing.end), (0, whole.end));
}

#[test]
fn all_steps_share_a_file_and_only_long_ones_have_their_own() {
    let place = Place::new();
    let logs = place.logs();
    let line = [b'x'; 1000];
    let mut writers: Vec<_> = ["a", "b"]
        .iter()
        .flat_map(|job| [0, 1].map(|step| place.key(job, 1, step)))
        .map(|key| logs.open(&key).expect("opens"))
        .collect();
    for writer in &mut writers {
        say(&mut **writer, &line);
    }
    assert_eq!(place.files(), ["1.pack"]);
    for _ in 0..99 {
        say(&mut *writers[2], &line);
    }
    assert_eq!(place.files(), ["1.pack", "b/1-0.log"]);
    let long = place.key("b", 1, 0);
    for most in [1, 10_000, 1 << 20] {
        assert_eq!(said(&logs, &long, most).len(), 100 * line.len());
        assert_eq!(said(&logs, &place.key("b", 1, 1), most), line);
    }
}

#[test]
fn a_job_that_says_nothing_makes_no_file_and_has_no_log() {
    let place = Place::new();
    let logs = place.logs();
    drop(logs.open(&place.key("quiet", 1, 0)).expect("opens"));
    assert_eq!(place.files(), ["1.pack"]);
    assert_eq!(logs.steps(&place.everything()).expect("lists"), []);
}

#[test]
fn a_run_that_ended_leaves_no_file_open() {
    let place = Place::new();
    let logs = place.logs();
    let (first, second) = (place.key("a", 1, 0), place.key("a", 2, 0));
    let mut writer = logs.open(&first).expect("opens");
    logs.close_idle();
    say(&mut *writer, b"still open\n");
    drop(writer);
    logs.close_idle();
    say(&mut *logs.open(&second).expect("opens"), b"again\n");
    assert_eq!(place.files(), ["1.pack", "2.pack"]);
    assert_eq!(said(&logs, &first, 1), b"still open\n");
    assert_eq!(said(&logs, &second, 1), b"again\n");
    logs.remove(place.run).expect("removes");
    assert!(!place.run_dir().exists());
    assert_eq!(logs.steps(&place.everything()).expect("lists"), []);
}

#[test]
fn a_reader_in_another_process_follows_from_the_pack_into_the_file() {
    let place = Place::new();
    let (ours, theirs) = (place.logs(), place.logs());
    let key = place.key("job", 1, 0);
    let mut writer = ours.open(&key).expect("opens");
    let (mut position, mut read) = (0, Vec::new());
    let mut written = Vec::new();
    for round in 0..200u32 {
        let bytes = format!("{round} ").repeat(200);
        say(&mut *writer, bytes.as_bytes());
        written.extend_from_slice(bytes.as_bytes());
        let part = theirs.read_part(&key, position, 1 << 20).expect("reads");
        position = part.end;
        for chunk in part.chunks {
            read.extend_from_slice(&chunk.bytes);
        }
        assert_eq!(read.len(), written.len(), "after round {round}");
    }
    assert_eq!(read, written);
    assert_eq!(place.files(), ["1.pack", "job/1-0.log"]);
}

#[test]
fn jobs_of_any_length_have_their_logs() {
    let place = Place::new();
    let logs = place.logs();
    let names: Vec<String> = [1, 66, 67, 80, 200, 255]
        .iter()
        .map(|n| " é".repeat(*n))
        .collect();
    let long = vec![b'x'; 60_000];
    for name in &names {
        let key = place.key(name, 1, 0);
        let mut writer = logs.open(&key).expect("opens");
        say(&mut *writer, &long);
        say(&mut *writer, &long);
        assert_eq!(said(&logs, &key, 1 << 20).len(), 2 * long.len());
    }
    for logs in [logs, place.logs()] {
        let steps = logs.steps(&place.everything()).expect("lists");
        let mut found: Vec<&str> = steps.iter().map(|key| &*key.job).collect();
        found.sort_by_key(|name| name.len());
        assert_eq!(found, names);
    }
}

#[test]
fn logs_of_before_are_read_from_their_own_files() {
    let place = Place::new();
    for (job, attempt, step, text) in [
        ("a/b", 1, 0, "first\n"),
        ("a/b", 2, 0, "second\n"),
        ("a/b", 2, 1, "third\n"),
    ] {
        let key = place.key(job, attempt, step);
        let mut file: FileLog =
            open_log(&super::own::path_of(&place.run_dir(), &key)).expect("opens");
        say(&mut file, text.as_bytes());
    }
    let logs = place.logs();
    let steps = logs.steps(&place.everything()).expect("lists");
    assert_eq!(steps, [place.key("a/b", 2, 0), place.key("a/b", 2, 1)]);
    assert_eq!(said(&logs, &place.key("a/b", 1, 0), 1), b"first\n");
    assert_eq!(said(&logs, &place.key("a/b", 2, 1), 1), b"third\n");
    // The run goes on with this program, also within a step that has a file already.
    say(&mut *logs.open(&steps[1]).expect("opens"), b"more\n");
    say(
        &mut *logs.open(&place.key("a/b", 3, 0)).expect("opens"),
        b"new\n",
    );
    assert_eq!(said(&logs, &steps[1], 1), b"third\nmore\n");
    assert_eq!(said(&logs, &place.key("a/b", 3, 0), 1), b"new\n");
    let steps = logs.steps(&place.everything()).expect("lists");
    assert_eq!(steps, [place.key("a/b", 3, 0)]);
}

#[test]
fn a_log_that_was_cut_off_keeps_what_was_whole_and_the_next_process_goes_on() {
    let place = Place::new();
    let (one, two) = (place.key("a", 1, 0), place.key("b", 1, 0));
    let logs = place.logs();
    say(&mut *logs.open(&two).expect("opens"), b"of b\n");
    let mut writer = logs.open(&one).expect("opens");
    say(&mut *writer, b"kept\n");
    say(&mut *writer, b"lost\n");
    cut(&place.run_dir().join("1.pack"), 2);
    let next = place.logs();
    assert_eq!(said(&next, &one, 1), b"kept\n");
    say(&mut *next.open(&one).expect("opens"), b"again\n");
    for logs in [&next, &place.logs()] {
        assert_eq!(said(logs, &one, 1), b"kept\nagain\n");
        assert_eq!(said(logs, &two, 1), b"of b\n");
    }
    assert_eq!(place.files(), ["1.pack", "2.pack"]);
}

#[test]
fn an_own_file_that_was_cut_off_keeps_what_was_whole() {
    let place = Place::new();
    let logs = place.logs();
    let key = place.key("a", 1, 0);
    let mut writer = logs.open(&key).expect("opens");
    let big = vec![b'y'; 70_000];
    say(&mut *writer, &big);
    say(&mut *writer, b"lost\n");
    cut(&place.run_dir().join("a/1-0.log"), 2);
    assert_eq!(said(&logs, &key, 1), big);
}

#[test]
fn a_pack_that_is_damaged_says_so_after_what_is_whole() {
    use std::io::{Seek, SeekFrom, Write};

    let place = Place::new();
    let logs = place.logs();
    let key = place.key("a", 1, 0);
    let mut writer = logs.open(&key).expect("opens");
    say(&mut *writer, b"whole\n");
    let path = place.run_dir().join("1.pack");
    let length = path.metadata().expect("metadata").len();
    say(&mut *writer, b"damaged\n");
    let mut file = OpenOptions::new().write(true).open(&path).expect("opens");
    file.seek(SeekFrom::Start(length)).expect("seeks");
    file.write_all(&[9]).expect("writes");
    let part = place.logs().read_part(&key, 0, 100).expect("reads");
    assert_eq!(part.chunks.len(), 1);
    let error = place.logs().read_part(&key, part.end, 100);
    assert_eq!(error.expect_err("damaged").kind(), StoreErrorKind::Damaged);
}

/// What is wrong with the logs of a run that went like this.
fn damage(place: &Place, expected: Expected) -> Vec<String> {
    let found = place.logs().damage(place.run, expected).expect("looks");
    let name = |error: StoreError| {
        assert_eq!(error.kind(), StoreErrorKind::Damaged);
        assert!(!error.hints().is_empty(), "{error}");
        let dir = place.run_dir().display().to_string();
        error.to_string().replace(&dir, "RUN")
    };
    found.into_iter().map(name).collect()
}

#[test]
fn what_is_lost_of_the_logs_of_a_run_is_said() {
    let ended = Expected {
        has_logs: true,
        was_killed: false,
        has_ended: true,
    };
    let killed = Expected {
        has_ended: false,
        ..ended
    };
    let resumed = Expected {
        was_killed: true,
        ..ended
    };
    let place = Place::new();
    assert_eq!(damage(&place, ended), ["the log `RUN` is missing"]);
    let nothing = Expected {
        has_logs: false,
        ..ended
    };
    assert_eq!(damage(&place, nothing), [""; 0]);
    let key = place.key("a", 1, 0);
    // A job that says nothing is no damage.
    drop(place.logs().open(&key).expect("opens"));
    assert_eq!(damage(&place, ended), [""; 0]);
    let logs = place.logs();
    let mut writer = logs.open(&key).expect("opens");
    say(&mut *writer, b"said\n");
    say(&mut *writer, &vec![b'y'; 70_000]);
    assert_eq!(place.files(), ["1.pack", "2.pack", "a/1-0.log"]);
    assert_eq!(damage(&place, ended), [""; 0]);
    // What a process that was killed left half written is the end of a file.
    cut(&place.run_dir().join("2.pack"), 2);
    cut(&place.run_dir().join("a/1-0.log"), 2);
    let both = [
        "the log `RUN/2.pack` is damaged",
        "the log `RUN/a/1-0.log` is damaged",
    ];
    assert_eq!(damage(&place, ended), both);
    assert_eq!(damage(&place, killed), [""; 0]);
    assert_eq!(damage(&place, resumed), both[..1]);
    std::fs::write(place.run_dir().join("2.pack"), [9; 100]).expect("writes");
    assert_eq!(damage(&place, ended), both);
    std::fs::remove_file(place.run_dir().join("1.pack")).expect("removes");
    assert_eq!(damage(&place, resumed).len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_step_reads_what_it_wrote(
        writes in prop::collection::vec((0usize..4, 0usize..40_000, any::<u8>()), 0..30),
        most in 0usize..100_000,
        restart in 0usize..30,
    ) {
        let place = Place::new();
        let keys: Vec<LogKey> = (0u32..4).map(|n| place.key(&(n / 2).to_string(), 1, n % 2)).collect();
        let mut expected = vec![Vec::new(); keys.len()];
        let mut logs = place.logs();
        let reader = place.logs();
        for (count, (step, length, byte)) in writes.iter().enumerate() {
            if count == restart {
                logs = place.logs();
            }
            let bytes = vec![*byte; *length];
            say(&mut *logs.open(&keys[*step]).expect("opens"), &bytes);
            expected[*step].extend_from_slice(&bytes);
            prop_assert_eq!(said(&reader, &keys[*step], most), &expected[*step][..]);
        }
        for (key, expected) in keys.iter().zip(&expected) {
            prop_assert_eq!(&said(&place.logs(), key, most), expected);
        }
    }

    #[test]
    fn any_bytes_as_a_pack_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let place = Place::new();
        std::fs::create_dir_all(place.run_dir()).expect("a directory");
        std::fs::write(place.run_dir().join("1.pack"), bytes).expect("a file");
        let logs = place.logs();
        for key in logs.steps(&place.everything()).expect("lists") {
            let _ = logs.read_part(&key, 0, 100);
        }
    }
}
