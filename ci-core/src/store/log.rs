//! Logs of steps in files: frames of bytes with their stream and time.
//!
//! A file is a sequence of frames: one byte for the stream (0 standard output, 1 standard error, 2 the
//! engine), eight for the time in milliseconds since 1970-01-01 UTC and four for the length, both
//! little-endian, then so many bytes. A frame that is cut off at the end of a file is not there.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lines::LineCutter;
use super::{LogKey, LogLine, LogQuery, LogWriter, StoreError, StoreErrorKind};
use crate::clock::Timestamp;
use crate::session::{OutputChunk, Stream};

const HEADER: usize = 13;

/// The logs of all runs, in a directory.
#[derive(Debug, Clone)]
pub(super) struct LogDir {
    root: PathBuf,
}

impl LogDir {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn run_dir(&self, run: crate::id::RunId) -> PathBuf {
        self.root.join(run.to_string())
    }

    /// Opens a step's log at its end.
    pub(super) fn open(&self, key: &LogKey) -> Result<Box<dyn LogWriter>, StoreError> {
        let dir = self.run_dir(key.run).join(encode(&key.job));
        let path = dir.join(format!("{}-{}.log", key.attempt, key.step));
        let failed = |error| failed("open", &path, error);
        private_dir(&dir).map_err(failed)?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(failed)?;
        Ok(Box::new(FileLog {
            file,
            path,
            frame: Vec::new(),
        }))
    }

    /// The lines that a query asks for, step by step and each step's in the order of their first byte.
    pub(super) fn read(&self, query: &LogQuery) -> Result<Vec<LogLine>, StoreError> {
        let run_dir = self.run_dir(query.run);
        let mut steps = Vec::new();
        for (job, dir) in Self::jobs(&run_dir, query.job.as_deref()) {
            steps.extend(steps_of(&job, &dir, query));
        }
        // Jobs in the order in which they first said something.
        let mut files = Vec::new();
        for step in steps {
            let first = first_time(&step.path).unwrap_or_default();
            files.push((first, step));
        }
        let mut first_of: BTreeMap<Arc<str>, Timestamp> = BTreeMap::new();
        for (time, step) in &files {
            let first = first_of.entry(Arc::clone(&step.job)).or_insert(*time);
            *first = (*first).min(*time);
        }
        files.sort_by_key(|(_, step)| {
            (
                first_of.get(&step.job).copied(),
                Arc::clone(&step.job),
                step.step,
            )
        });
        let mut lines = Vec::new();
        for (_, step) in files {
            read_step(&step, &mut lines)?;
        }
        Ok(lines)
    }

    fn jobs(run_dir: &Path, only: Option<&str>) -> Vec<(Arc<str>, PathBuf)> {
        if let Some(job) = only {
            return vec![(job.into(), run_dir.join(encode(job)))];
        }
        let entries = fs::read_dir(run_dir).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| Some((decode(entry.file_name().to_str()?)?.into(), entry.path())))
            .collect()
    }

    /// Removes the logs of a run.
    pub(super) fn remove(&self, run: crate::id::RunId) -> Result<(), StoreError> {
        let dir = self.run_dir(run);
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &dir, error))
            }
            _ => Ok(()),
        }
    }
}

/// Makes a directory that only the user may enter: logs are private.
pub(super) fn private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

#[derive(Debug)]
struct FileLog {
    file: File,
    path: PathBuf,
    frame: Vec<u8>,
}

impl LogWriter for FileLog {
    fn write(&mut self, chunk: &OutputChunk) -> Result<(), StoreError> {
        self.frame.clear();
        self.frame.push(chunk.stream as u8);
        self.frame.extend(chunk.time.as_millis().to_le_bytes());
        let length = u32::try_from(chunk.bytes.len()).unwrap_or(u32::MAX);
        self.frame.extend(length.to_le_bytes());
        self.frame.extend(chunk.bytes.iter().take(length as usize));
        // One call: another process that reads sees a whole frame or a cut one, never a mix.
        self.file
            .write_all(&self.frame)
            .map_err(|error| failed("write", &self.path, error))
    }
}

struct StepFile {
    job: Arc<str>,
    attempt: u32,
    step: u32,
    path: PathBuf,
}

/// The files of a job's steps: those of the asked attempt, or of the last.
fn steps_of(job: &Arc<str>, dir: &Path, query: &LogQuery) -> Vec<StepFile> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<StepFile> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let (attempt, step) = name.to_str()?.strip_suffix(".log")?.split_once('-')?;
            Some(StepFile {
                job: Arc::clone(job),
                attempt: attempt.parse().ok()?,
                step: step.parse().ok()?,
                path: entry.path(),
            })
        })
        .collect();
    let last = files.iter().map(|file| file.attempt).max();
    let attempt = query.attempt.or(last);
    files.retain(|file| {
        Some(file.attempt) == attempt && query.step.is_none_or(|step| step == file.step)
    });
    files
}

fn first_time(path: &Path) -> Option<Timestamp> {
    let mut header = [0; HEADER];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    Some(header_of(header)?.1)
}

fn header_of(header: [u8; HEADER]) -> Option<(Stream, Timestamp, usize)> {
    let [stream, rest @ ..] = header;
    let stream = match stream {
        0 => Stream::Stdout,
        1 => Stream::Stderr,
        2 => Stream::Engine,
        _ => return None,
    };
    let (time, length) = rest.split_at(8);
    let time = Timestamp::from_millis(u64::from_le_bytes(time.try_into().ok()?));
    let length = u32::from_le_bytes(length.try_into().ok()?);
    Some((stream, time, length as usize))
}

/// Reads a step's log into lines, each stream's put together across frames.
fn read_step(step: &StepFile, lines: &mut Vec<LogLine>) -> Result<(), StoreError> {
    let file = File::open(&step.path).map_err(|error| failed("open", &step.path, error))?;
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let mut cutter = LineCutter::new(&step.job, step.attempt, step.step);
    let mut bytes = Vec::new();
    loop {
        let mut header = [0; HEADER];
        if reader.read_exact(&mut header).is_err() {
            return Ok(());
        }
        let Some((stream, time, length)) = header_of(header) else {
            let message = format!("the log `{}` is damaged", step.path.display());
            return Err(StoreError::new(StoreErrorKind::Damaged, message));
        };
        bytes.clear();
        let read = reader.by_ref().take(length as u64).read_to_end(&mut bytes);
        if read.map_err(|error| failed("read", &step.path, error))? < length {
            return Ok(());
        }
        cutter.add(stream, time, &bytes, lines);
    }
}

/// A job's name as the name of a directory: everything but letters, digits, `-` and `_` as `%XX`.
fn encode(name: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

fn failed(what: &str, path: &Path, error: io::Error) -> StoreError {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreErrorKind::Full,
        _ => StoreErrorKind::Other,
    };
    let message = format!("could not {what} `{}`", path.display());
    let error = StoreError::new(kind, message).with_source(error);
    if kind == StoreErrorKind::Full {
        error.with_hint("make room on the disk; what was reported so far is kept")
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::RunId;

    fn chunk(stream: Stream, bytes: &[u8]) -> OutputChunk {
        OutputChunk {
            stream,
            time: Timestamp::from_millis(7),
            bytes: bytes.into(),
        }
    }

    #[test]
    fn lines_come_back_whole_and_by_stream() {
        let dir = tempfile::tempdir().expect("a directory");
        let logs = LogDir::new(dir.path().to_path_buf());
        let run = RunId::new();
        let key = LogKey {
            run,
            job: "test (a/b) 1/2".into(),
            attempt: 1,
            step: 0,
        };
        let mut writer = logs.open(&key).expect("opens");
        writer
            .write(&chunk(Stream::Stdout, b"one\ntw"))
            .expect("writes");
        writer
            .write(&chunk(Stream::Stderr, b"err\n"))
            .expect("writes");
        writer
            .write(&chunk(Stream::Stdout, b"o\n\xff"))
            .expect("writes");
        let query = LogQuery {
            run,
            job: None,
            attempt: None,
            step: None,
        };
        let lines = logs.read(&query).expect("reads");
        let text: Vec<_> = lines
            .iter()
            .map(|line| (line.stream, line.bytes.as_slice()))
            .collect();
        let expected: [(Stream, &[u8]); 4] = [
            (Stream::Stdout, b"one"),
            (Stream::Stdout, b"two"),
            (Stream::Stderr, b"err"),
            (Stream::Stdout, b"\xff"),
        ];
        assert_eq!(text, expected);
        assert_eq!(&*lines[0].job, "test (a/b) 1/2");
    }

    #[test]
    fn a_log_that_was_cut_off_keeps_what_was_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let logs = LogDir::new(dir.path().to_path_buf());
        let run = RunId::new();
        let key = LogKey {
            run,
            job: "a".into(),
            attempt: 1,
            step: 0,
        };
        let mut writer = logs.open(&key).expect("opens");
        writer
            .write(&chunk(Stream::Stdout, b"kept\n"))
            .expect("writes");
        writer
            .write(&chunk(Stream::Stdout, b"lost\n"))
            .expect("writes");
        let path = dir.path().join(run.to_string()).join("a/1-0.log");
        let file = OpenOptions::new().write(true).open(&path).expect("opens");
        file.set_len(file.metadata().expect("metadata").len() - 2)
            .expect("cut");
        let query = LogQuery {
            run,
            job: Some("a".into()),
            attempt: None,
            step: None,
        };
        let lines = logs.read(&query).expect("reads");
        assert_eq!(
            lines
                .iter()
                .map(|line| line.bytes.as_slice())
                .collect::<Vec<_>>(),
            [b"kept"]
        );
    }

    proptest! {
        #[test]
        fn names_survive_being_file_names(name in ".{0,40}") {
            let encoded = encode(&name);
            prop_assert!(!encoded.contains(['/', '.', '\\']));
            prop_assert_eq!(decode(&encoded), Some(name));
        }
    }
}
