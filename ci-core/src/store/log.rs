//! Logs of steps in files: frames of bytes with their stream and time.
//!
//! A file is a sequence of frames: one byte for the stream (0 standard output, 1 standard error, 2 the
//! engine), eight for the time in milliseconds since 1970-01-01 UTC and four for the length, both
//! little-endian, then so many bytes. A frame that is cut off at the end of a file is not there.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{LogKey, LogPart, LogQuery, LogWriter, StoreError, StoreErrorKind};
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
        let path = self.path(key);
        let failed = |error| failed("open", &path, error);
        let open = || OpenOptions::new().create(true).append(true).open(&path);
        let file = open().or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                private_dir(path.parent().unwrap_or(&self.root))?;
                open()
            }
            _ => Err(error),
        });
        let file = file.map_err(failed)?;
        Ok(Box::new(FileLog {
            file,
            path,
            frame: Vec::new(),
        }))
    }

    /// The steps that a query asks for and that have a log.
    pub(super) fn steps(&self, query: &LogQuery) -> Vec<LogKey> {
        let run_dir = self.run_dir(query.run);
        let mut steps = Vec::new();
        for (job, dir) in Self::jobs(&run_dir, query.job.as_deref()) {
            steps.extend(steps_of(&job, &dir, query));
        }
        // Jobs in the order in which they first said something.
        let mut first_of: BTreeMap<Arc<str>, Timestamp> = BTreeMap::new();
        for key in &steps {
            let time = first_time(&self.path(key)).unwrap_or_default();
            let first = first_of.entry(Arc::clone(&key.job)).or_insert(time);
            *first = (*first).min(time);
        }
        steps.sort_by_key(|key| {
            let first = first_of.get(&key.job).copied();
            (first, Arc::clone(&key.job), key.step)
        });
        steps
    }

    /// The frames of a step's log from the byte at `position` on, about `most` bytes of them.
    pub(super) fn read_part(
        &self,
        key: &LogKey,
        position: u64,
        most: usize,
    ) -> Result<LogPart, StoreError> {
        let path = self.path(key);
        let unreadable = |error| failed("read", &path, error);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(LogPart::new(Vec::new(), position));
            }
            Err(error) => return Err(failed("open", &path, error)),
        };
        file.seek(SeekFrom::Start(position)).map_err(unreadable)?;
        let mut reader = BufReader::with_capacity(256 * 1024, file);
        let mut part = LogPart::new(Vec::new(), position);
        let mut read = 0;
        while part.chunks.is_empty() || read < most {
            let mut header = [0; HEADER];
            if reader.read_exact(&mut header).is_err() {
                break;
            }
            let Some((stream, time, length)) = header_of(header) else {
                let message = format!("the log `{}` is damaged", path.display());
                return Err(StoreError::new(StoreErrorKind::Damaged, message));
            };
            let mut bytes = Vec::new();
            let frame = reader.by_ref().take(length as u64).read_to_end(&mut bytes);
            if frame.map_err(unreadable)? < length {
                break;
            }
            part.chunks.push(OutputChunk {
                stream,
                time,
                bytes: bytes.into(),
            });
            part.end += (HEADER + length) as u64;
            read += length;
        }
        Ok(part)
    }

    fn path(&self, key: &LogKey) -> PathBuf {
        let dir = self.run_dir(key.run).join(dir_of(&key.job));
        dir.join(format!("{}-{}.log", key.attempt, key.step))
    }

    fn jobs(run_dir: &Path, only: Option<&str>) -> Vec<(Arc<str>, PathBuf)> {
        if let Some(job) = only {
            return vec![(job.into(), run_dir.join(dir_of(job)))];
        }
        let mut jobs = Vec::new();
        let mut open = vec![(String::new(), run_dir.to_owned())];
        while let Some((begun, dir)) = open.pop() {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                if let Some(part) = name.strip_suffix(GOES_ON) {
                    open.push((format!("{begun}{part}"), entry.path()));
                } else {
                    let job = decode(&format!("{begun}{name}"));
                    jobs.extend(job.map(|job| (job.into(), entry.path())));
                }
            }
        }
        jobs
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

/// The steps of a job: those of the asked attempt, or of the last.
fn steps_of(job: &Arc<str>, dir: &Path, query: &LogQuery) -> Vec<LogKey> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut steps: Vec<LogKey> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let (attempt, step) = name.to_str()?.strip_suffix(".log")?.split_once('-')?;
            Some(LogKey {
                run: query.run,
                job: Arc::clone(job),
                attempt: attempt.parse().ok()?,
                step: step.parse().ok()?,
            })
        })
        .collect();
    let last = steps.iter().map(|key| key.attempt).max();
    let attempt = query.attempt.or(last);
    steps.retain(|key| {
        Some(key.attempt) == attempt && query.step.is_none_or(|step| step == key.step)
    });
    steps
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

/// The end of a directory's name that is only a part of a job's.
const GOES_ON: char = '+';

/// The directory of a job's logs below that of its run. File systems take names of up to 255 bytes, so
/// that a longer one goes on in the directory within.
fn dir_of(job: &str) -> PathBuf {
    const MOST: usize = 200;
    let encoded = encode(job);
    let mut path = PathBuf::new();
    let mut rest = &*encoded;
    while let Some((part, after)) = rest.split_at_checked(MOST).filter(|(_, it)| !it.is_empty()) {
        path.push(format!("{part}{GOES_ON}"));
        rest = after;
    }
    path.push(rest);
    path
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
    fn a_log_comes_back_in_parts() {
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
        assert_eq!(logs.steps(&query), std::slice::from_ref(&key));
        let whole = logs.read_part(&key, 0, 1 << 20).expect("reads");
        let text: Vec<_> = whole
            .chunks
            .iter()
            .map(|chunk| (chunk.stream, &*chunk.bytes))
            .collect();
        let expected: [(Stream, &[u8]); 3] = [
            (Stream::Stdout, b"one\ntw"),
            (Stream::Stderr, b"err\n"),
            (Stream::Stdout, b"o\n\xff"),
        ];
        assert_eq!(text, expected);
        // A part is at least a chunk, and the next goes on where it ended.
        let first = logs.read_part(&key, 0, 1).expect("reads");
        let second = logs.read_part(&key, first.end, 1).expect("reads");
        assert_eq!((first.chunks.len(), second.chunks.len()), (1, 1));
        assert_eq!(&*second.chunks[0].bytes, b"err\n");
        let nothing = logs.read_part(&key, whole.end, 1 << 20).expect("reads");
        assert_eq!((nothing.chunks.len(), nothing.end), (0, whole.end));
    }

    #[test]
    fn jobs_of_any_length_have_their_logs() {
        let dir = tempfile::tempdir().expect("a directory");
        let logs = LogDir::new(dir.path().to_path_buf());
        let run = RunId::new();
        let names: Vec<String> = [1, 66, 67, 80, 200, 255]
            .iter()
            .map(|n| " é".repeat(*n))
            .collect();
        for name in &names {
            let key = LogKey {
                run,
                job: name.as_str().into(),
                attempt: 1,
                step: 0,
            };
            let mut writer = logs.open(&key).expect("opens");
            writer.write(&chunk(Stream::Stdout, b"x")).expect("writes");
            let part = logs.read_part(&key, 0, 1).expect("reads");
            assert_eq!(part.chunks.len(), 1);
        }
        let query = LogQuery {
            run,
            job: None,
            attempt: None,
            step: None,
        };
        let steps = logs.steps(&query);
        let mut found: Vec<&str> = steps.iter().map(|key| &*key.job).collect();
        found.sort_by_key(|name| name.len());
        assert_eq!(found, names);
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
        let part = logs.read_part(&key, 0, 1 << 20).expect("reads");
        let bytes: Vec<_> = part.chunks.iter().map(|chunk| &*chunk.bytes).collect();
        assert_eq!(bytes, [b"kept\n"]);
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
