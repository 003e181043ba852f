//! The files that hold the log of one step each, and their names.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{HEADER, Header, begin, length_of};
use super::index::damaged;
use crate::clock::Timestamp;
use crate::session::OutputChunk;
use crate::store::{LogKey, LogPart, LogWriter, StoreError, StoreErrorKind};

/// Opens the file at `path` at its end.
pub(super) fn open_log(path: &Path) -> Result<FileLog, StoreError> {
    let open = || OpenOptions::new().create(true).append(true).open(path);
    let file = open().or_else(|error| match (error.kind(), path.parent()) {
        (io::ErrorKind::NotFound, Some(dir)) => {
            private_dir(dir)?;
            open()
        }
        _ => Err(error),
    });
    Ok(FileLog {
        file: file.map_err(|error| failed("open", path, error))?,
        path: path.to_owned(),
        frame: Vec::new(),
    })
}

/// Makes a directory that only the user may enter: logs are private.
pub(in crate::store) fn private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// The log of one step in a file of its own.
#[derive(Debug)]
pub(super) struct FileLog {
    file: File,
    path: PathBuf,
    frame: Vec<u8>,
}

impl LogWriter for FileLog {
    fn write(&mut self, chunk: &OutputChunk) -> Result<(), StoreError> {
        self.frame.clear();
        let length = length_of(chunk);
        begin(&mut self.frame, chunk.stream as u8, chunk.time, length);
        self.frame.extend(chunk.bytes.iter().take(length as usize));
        // One call: another process that reads sees a whole frame or a cut one, never a mix.
        self.file
            .write_all(&self.frame)
            .map_err(|error| failed("write", &self.path, error))
    }
}

/// Adds the frames of the file at `path` from the byte at `position` on, about `most` bytes of them.
/// Gives where the next begins.
pub(super) fn read(
    mut file: File,
    path: &Path,
    position: u64,
    part: &mut LogPart,
    most: usize,
) -> Result<u64, StoreError> {
    let unreadable = |error| failed("read", path, error);
    file.seek(SeekFrom::Start(position)).map_err(unreadable)?;
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let mut end = position;
    let mut read = 0;
    while part.chunks.is_empty() || read < most {
        let mut header = [0; HEADER];
        if reader.read_exact(&mut header).is_err() {
            break;
        }
        let header = Header::of(header);
        let stream = header.stream().ok_or_else(|| damaged(path))?;
        let Header { time, length, .. } = header;
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
        end += (HEADER + length) as u64;
        read += length;
    }
    Ok(end)
}

/// When the first frame of the file at `path` was written.
pub(super) fn first_time(path: &Path) -> Option<Timestamp> {
    let mut header = [0; HEADER];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    let header = Header::of(header);
    header.stream().map(|_| header.time)
}

/// The path of a step's own file below the directory of its run.
pub(super) fn path_of(run_dir: &Path, key: &LogKey) -> PathBuf {
    let dir = run_dir.join(dir_of(&key.job));
    dir.join(format!("{}-{}.log", key.attempt, key.step))
}

/// The attempts and steps that have files in the directory of a job.
pub(super) fn steps_in(dir: &Path) -> impl Iterator<Item = (u32, u32)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let name = entry.file_name();
        let (attempt, step) = name.to_str()?.strip_suffix(".log")?.split_once('-')?;
        Some((attempt.parse().ok()?, step.parse().ok()?))
    })
}

/// The files in the directory of a job.
pub(super) fn files_in(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let name = |(attempt, step)| dir.join(format!("{attempt}-{step}.log"));
    steps_in(dir).map(name)
}

/// Whether the file at `path` is frames from its beginning to its end, where the last `may_be_cut`.
pub(super) fn is_whole(path: &Path, may_be_cut: bool) -> io::Result<bool> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    // Only headers are read.
    let mut reader = BufReader::with_capacity(HEADER, file);
    let mut known = 0;
    while known < length {
        let mut header = [0; HEADER];
        if known + HEADER as u64 > length {
            return Ok(may_be_cut);
        }
        reader.read_exact(&mut header)?;
        let header = Header::of(header);
        if header.stream().is_none() {
            return Ok(false);
        }
        known += (HEADER + header.length) as u64;
        if known > length {
            return Ok(may_be_cut);
        }
        let content = i64::try_from(header.length).unwrap_or(i64::MAX);
        reader.seek_relative(content)?;
    }
    Ok(true)
}

/// The directories of the jobs of a run.
pub(super) fn jobs(run_dir: &Path, only: Option<&str>) -> Vec<(Arc<str>, PathBuf)> {
    if let Some(job) = only {
        return vec![(job.into(), run_dir.join(dir_of(job)))];
    }
    let mut jobs = Vec::new();
    let mut open = vec![(String::new(), run_dir.to_owned())];
    while let Some((begun, dir)) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            // No job's directory has a dot in its name.
            let Some(name) = name.to_str().filter(|name| !name.contains('.')) else {
                continue;
            };
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

pub(super) fn failed(what: &str, path: &Path, error: io::Error) -> StoreError {
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

    proptest! {
        #[test]
        fn names_survive_being_file_names(name in ".{0,40}") {
            let encoded = encode(&name);
            prop_assert!(!encoded.contains(['/', '.', '\\']));
            prop_assert_eq!(decode(&encoded), Some(name));
        }
    }
}
