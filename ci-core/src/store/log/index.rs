//! What is where in the packs of a run, read on as they grow.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::frame::{HEADER, Header};
use super::own::failed;
use super::pack::{PACK_HEADER, STEP, number_of, path_of};
use crate::clock::Timestamp;
use crate::session::OutputChunk;
use crate::store::{LogKey, LogPart, StoreError, StoreErrorKind};

/// How many bits of a position are the place in a pack; those above are the pack's number.
const PLACE_BITS: u32 = 48;

/// The most bytes that make a step known: more are no frame.
const MOST_OF_A_NAME: usize = 1 << 20;

/// A job, an attempt and a step.
pub(super) type StepKey = (Arc<str>, u32, u32);

/// The step that a log is of, within its run.
pub(super) fn step_key(key: &LogKey) -> StepKey {
    (Arc::clone(&key.job), key.attempt, key.step)
}

/// The packs of a run.
#[derive(Debug, Default)]
pub(super) struct Index {
    packs: BTreeMap<u16, PackIndex>,
}

/// One pack, as far as it was looked at.
#[derive(Debug, Default)]
struct PackIndex {
    /// How many of its bytes are known.
    known: u64,
    /// How many there are beyond those.
    rest: u64,
    /// Whether what comes then is no frame.
    is_damaged: bool,
    /// The steps by their numbers.
    numbers: HashMap<u32, StepKey>,
    steps: HashMap<StepKey, Frames>,
}

/// Where the frames of a step are.
#[derive(Debug)]
struct Frames {
    first: Timestamp,
    /// Where each begins, and the length of what it holds.
    places: Vec<(u64, usize)>,
}

impl Index {
    /// Takes in what is new in the packs below `run_dir`.
    pub(super) fn refresh(&mut self, run_dir: &Path) -> Result<(), StoreError> {
        let entries = match fs::read_dir(run_dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("read", run_dir, error));
            }
            entries => entries.into_iter().flatten().flatten(),
        };
        let numbers: Vec<u16> = entries
            .filter_map(|entry| entry.file_name().to_str().and_then(number_of))
            .collect();
        self.packs.retain(|number, _| numbers.contains(number));
        for number in numbers {
            let path = path_of(run_dir, number);
            let read = self.packs.entry(number).or_default().refresh(&path);
            match read {
                // Removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.packs.remove(&number);
                }
                read => read.map_err(|error| failed("read", &path, error))?,
            }
        }
        Ok(())
    }

    /// The packs that are there.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u16> {
        self.packs.keys().copied()
    }

    /// Whether a pack has something in it that nobody wrote.
    pub(super) fn is_damaged(&self, number: u16) -> bool {
        self.packs.get(&number).is_some_and(|pack| pack.is_damaged)
    }

    /// How many bytes at the end of a pack are no whole frame.
    pub(super) fn rest(&self, number: u16) -> u64 {
        self.packs.get(&number).map_or(0, |pack| pack.rest)
    }

    /// The steps that have said something, each with when it first did.
    pub(super) fn steps(&self) -> impl Iterator<Item = (&StepKey, Timestamp)> {
        let packs = self.packs.values();
        packs.flat_map(|pack| pack.steps.iter().map(|(key, frames)| (key, frames.first)))
    }

    /// Adds what a step said from the position that `part` ends at, until there are about `most` bytes
    /// of it. Gives how many more may follow.
    pub(super) fn read(
        &self,
        run_dir: &Path,
        key: &StepKey,
        part: &mut LogPart,
        most: usize,
    ) -> Result<usize, StoreError> {
        let first = u16::try_from(part.end >> PLACE_BITS).unwrap_or(u16::MAX);
        let begin = part.end & ((1 << PLACE_BITS) - 1);
        let mut left = most;
        for (number, pack) in self.packs.range(first..) {
            let begin = if *number == first { begin } else { 0 };
            let path = path_of(run_dir, *number);
            let places = pack.places_from(key, begin);
            if !places.is_empty() {
                let opened = File::open(&path);
                let mut file = opened.map_err(|error| failed("open", &path, error))?;
                for &(place, length) in places {
                    if left == 0 && !part.chunks.is_empty() {
                        return Ok(0);
                    }
                    part.chunks.push(chunk_at(&mut file, &path, place, length)?);
                    part.end = (u64::from(*number) << PLACE_BITS)
                        | (place + (PACK_HEADER + length) as u64);
                    left = left.saturating_sub(length.max(1));
                }
            }
            if pack.is_damaged && part.chunks.is_empty() {
                return Err(damaged(&path));
            }
        }
        Ok(left)
    }
}

impl PackIndex {
    fn refresh(&mut self, path: &Path) -> io::Result<()> {
        let length = fs::metadata(path)?.len();
        if length < self.known {
            *self = Self::default();
        }
        let read = self.read_on(path, length);
        self.rest = length.saturating_sub(self.known);
        read
    }

    /// Takes in what is new in a file that is so long.
    fn read_on(&mut self, path: &Path, length: u64) -> io::Result<()> {
        if length == self.known || self.is_damaged {
            return Ok(());
        }
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(self.known))?;
        let mut file = BufReader::with_capacity(64 * 1024, file);
        while let Some(rest) = (length - self.known).checked_sub(PACK_HEADER as u64) {
            let (mut header, mut number) = ([0; HEADER], [0; 4]);
            file.read_exact(&mut header)?;
            file.read_exact(&mut number)?;
            let (header, number) = (Header::of(header), u32::from_le_bytes(number));
            // No step has the number 0: the file was made longer and then not written.
            if number == 0 || header.length as u64 > rest {
                break;
            }
            if !self.take(&mut file, header, number)? {
                self.is_damaged = true;
                break;
            }
            self.known += (PACK_HEADER + header.length) as u64;
        }
        Ok(())
    }

    /// Takes in the frame whose header was just read; `false` if it is none.
    fn take(
        &mut self,
        file: &mut BufReader<File>,
        header: Header,
        number: u32,
    ) -> io::Result<bool> {
        if header.kind == STEP && header.length <= MOST_OF_A_NAME {
            let mut bytes = vec![0; header.length];
            file.read_exact(&mut bytes)?;
            let key = step_of(&bytes);
            let known = key.map(|key| self.numbers.insert(number, key));
            return Ok(known.is_some());
        }
        let (Some(key), Some(_)) = (self.numbers.get(&number), header.stream()) else {
            return Ok(false);
        };
        let frames = self.steps.entry(key.clone()).or_insert_with(|| Frames {
            first: header.time,
            places: Vec::new(),
        });
        frames.places.push((self.known, header.length));
        let length = i64::try_from(header.length).unwrap_or(i64::MAX);
        file.seek_relative(length)?;
        Ok(true)
    }

    /// The frames of a step that begin at `begin` or later.
    fn places_from(&self, key: &StepKey, begin: u64) -> &[(u64, usize)] {
        let places = self.steps.get(key).map(|frames| &*frames.places);
        let places = places.unwrap_or_default();
        let from = places.partition_point(|(place, _)| *place < begin);
        places.get(from..).unwrap_or_default()
    }
}

/// The step that a frame makes known.
fn step_of(bytes: &[u8]) -> Option<StepKey> {
    let (attempt, rest) = bytes.split_first_chunk()?;
    let (step, job) = rest.split_first_chunk()?;
    let job = std::str::from_utf8(job).ok()?;
    Some((
        job.into(),
        u32::from_le_bytes(*attempt),
        u32::from_le_bytes(*step),
    ))
}

fn chunk_at(
    file: &mut File,
    path: &Path,
    place: u64,
    length: usize,
) -> Result<OutputChunk, StoreError> {
    let mut bytes = vec![0; PACK_HEADER + length];
    file.seek(SeekFrom::Start(place))
        .and_then(|_| file.read_exact(&mut bytes))
        .map_err(|error| failed("read", path, error))?;
    let header = bytes.first_chunk().copied().map(Header::of);
    let stream = header.and_then(|header| Some((header.stream()?, header.time)));
    let (stream, time) = stream.ok_or_else(|| damaged(path))?;
    Ok(OutputChunk {
        stream,
        time,
        bytes: bytes.split_off(PACK_HEADER).into(),
    })
}

/// The log at `path` has something in it that nobody wrote.
pub(super) fn damaged(path: &Path) -> StoreError {
    let message = format!("the log `{}` is damaged", path.display());
    StoreError::new(StoreErrorKind::Damaged, message).with_hint(
        "nothing was changed; bring the file back from a copy, or run the jobs again with `ci rerun`",
    )
}
