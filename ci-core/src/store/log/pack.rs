//! A pack: one file with the beginnings of the logs of many steps, written by one process.
//!
//! Its frames have the number of their step, counted from 1. A frame of the kind [`STEP`] makes a step
//! known before its first output: four bytes for the attempt, four for the step, the rest is the job's
//! name.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::frame::{HEADER, begin, length_of};
use super::index::{StepKey, step_key};
use super::own::{FileLog, failed, open_log, private_dir};
use crate::clock::Timestamp;
use crate::session::OutputChunk;
use crate::store::{LogKey, LogWriter, StoreError};

/// The kind of a frame that makes a step known.
pub(super) const STEP: u8 = 255;
/// The bytes before those of a frame in a pack.
pub(super) const PACK_HEADER: usize = HEADER + 4;
/// The end of a pack's file name.
const EXTENSION: &str = ".pack";
/// The most bytes of a step's log in a pack: so much is passed over by who looks for another step's.
const MOST_OF_A_STEP: u64 = 64 * 1024;

/// The number of the pack in a file of this name, if it is one.
pub(super) fn number_of(name: &str) -> Option<u16> {
    name.strip_suffix(EXTENSION)?.parse().ok()
}

/// The path of a pack of the run in `run_dir`.
pub(super) fn path_of(run_dir: &Path, number: u16) -> PathBuf {
    run_dir.join(format!("{number}{EXTENSION}"))
}

/// The pack that this process writes for a run.
#[derive(Debug)]
pub(super) struct Pack {
    path: PathBuf,
    /// Whether another process wrote logs of the run before.
    is_later: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    length: u64,
    numbers: HashMap<StepKey, u32>,
    /// Of each step by its number, from 1, what the pack has of it.
    steps: Vec<Written>,
    frame: Vec<u8>,
}

/// How much of a step's log is in the pack.
#[derive(Debug)]
enum Written {
    /// Nothing: it is not made known either.
    Nothing,
    /// So many bytes.
    Bytes(u64),
    /// What there is to come goes into a file of its own.
    Full,
}

impl Pack {
    /// Makes the next pack of the run in `run_dir`.
    pub(super) fn create(run_dir: &Path) -> Result<Self, StoreError> {
        let mut last = 0;
        let mut is_later = false;
        for entry in run_dir.read_dir().into_iter().flatten().flatten() {
            is_later = true;
            let number = entry.file_name().to_str().and_then(number_of);
            last = last.max(number.unwrap_or(0));
        }
        if !is_later {
            private_dir(run_dir).map_err(|error| failed("make", run_dir, error))?;
        }
        loop {
            last = last
                .checked_add(1)
                .ok_or_else(|| failed("add to", run_dir, io::ErrorKind::FileTooLarge.into()))?;
            let path = path_of(run_dir, last);
            // Each process has packs of its own: what one that was killed left half written is the end
            // of a file.
            match OpenOptions::new().create_new(true).append(true).open(&path) {
                Ok(file) => {
                    let state = State {
                        file,
                        length: 0,
                        numbers: HashMap::new(),
                        steps: Vec::new(),
                        frame: Vec::new(),
                    };
                    return Ok(Self {
                        path,
                        is_later,
                        state: Mutex::new(state),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => is_later = true,
                Err(error) => return Err(failed("open", &path, error)),
            }
        }
    }

    /// The log of a step, which goes on in the file at `own` when it is long.
    pub(super) fn log(self: Arc<Self>, key: &LogKey, own: PathBuf) -> PackedLog {
        let mut state = self.lock();
        let State { numbers, steps, .. } = &mut *state;
        let number = *numbers.entry(step_key(key)).or_insert_with(|| {
            // What another process wrote of the step comes first.
            steps.push(if self.is_later && own.exists() {
                Written::Full
            } else {
                Written::Nothing
            });
            u32::try_from(steps.len()).unwrap_or(u32::MAX)
        });
        drop(state);
        PackedLog {
            key: key.clone(),
            number,
            pack: self,
            own,
            file: None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a chunk, unless the step has its part of the pack already: `false` then.
    fn add(&self, log: &PackedLog, chunk: &OutputChunk) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(written) = state.steps.get_mut((log.number as usize).wrapping_sub(1)) else {
            return Ok(false);
        };
        state.frame.clear();
        let before = match written {
            Written::Nothing => {
                introduce(&mut state.frame, log.number, &log.key);
                0
            }
            Written::Bytes(bytes) => *bytes,
            Written::Full => return Ok(false),
        };
        let length = length_of(chunk);
        let after = before + PACK_HEADER as u64 + u64::from(length);
        if after > MOST_OF_A_STEP {
            *written = Written::Full;
            return Ok(false);
        }
        begin(&mut state.frame, chunk.stream as u8, chunk.time, length);
        state.frame.extend(log.number.to_le_bytes());
        state.frame.extend_from_slice(&chunk.bytes);
        // One call: another process that reads sees a whole frame or a cut one, never a mix.
        if let Err(error) = state.file.write_all(&state.frame) {
            // Half a frame would hide all that other steps say later.
            let _ = state.file.set_len(state.length);
            return Err(failed("write", &self.path, error));
        }
        state.length += state.frame.len() as u64;
        *written = Written::Bytes(after);
        Ok(true)
    }
}

/// Adds the frame that makes a step known.
fn introduce(frame: &mut Vec<u8>, number: u32, key: &LogKey) {
    let length = u32::try_from(key.job.len() + 8).unwrap_or(u32::MAX);
    begin(frame, STEP, Timestamp::default(), length);
    frame.extend(number.to_le_bytes());
    frame.extend(key.attempt.to_le_bytes());
    frame.extend(key.step.to_le_bytes());
    frame.extend_from_slice(key.job.as_bytes());
}

/// The log of a step, in a pack as long as it is short.
#[derive(Debug)]
pub(super) struct PackedLog {
    key: LogKey,
    number: u32,
    pack: Arc<Pack>,
    own: PathBuf,
    file: Option<FileLog>,
}

impl LogWriter for PackedLog {
    fn write(&mut self, chunk: &OutputChunk) -> Result<(), StoreError> {
        if let Some(file) = &mut self.file {
            return file.write(chunk);
        }
        if self.pack.add(self, chunk)? {
            return Ok(());
        }
        self.file.insert(open_log(&self.own)?).write(chunk)
    }
}
