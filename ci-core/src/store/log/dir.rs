//! The directory of all logs: who writes what where, and where to read it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::index::{Index, StepKey, step_key};
use super::own::{self, failed};
use super::pack::Pack;
use crate::clock::Timestamp;
use crate::id::RunId;
use crate::store::{LogKey, LogPart, LogQuery, LogWriter, StoreError};

/// The bit of a position that is in a step's own file.
const IN_OWN: u64 = 1 << 63;
/// Of how many runs is remembered what is where in their packs.
const REMEMBERED: usize = 8;

/// The logs of all runs, in a directory.
#[derive(Debug, Clone)]
pub(in crate::store) struct LogDir {
    root: PathBuf,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The packs that this process writes.
    packs: HashMap<RunId, Arc<Pack>>,
    /// Those that were looked at, the last one last.
    indices: VecDeque<(RunId, Arc<Mutex<Index>>)>,
}

impl LogDir {
    pub(in crate::store) fn new(root: PathBuf) -> Self {
        let shared = Arc::default();
        Self { root, shared }
    }

    pub(super) fn run_dir(&self, run: RunId) -> PathBuf {
        self.root.join(run.to_string())
    }

    /// Opens a step's log at its end.
    pub(in crate::store) fn open(&self, key: &LogKey) -> Result<Box<dyn LogWriter>, StoreError> {
        let run_dir = self.run_dir(key.run);
        let own = own::path_of(&run_dir, key);
        let mut shared = lock(&self.shared);
        let pack = if let Some(pack) = shared.packs.get(&key.run) {
            Arc::clone(pack)
        } else {
            let pack = Arc::new(Pack::create(&run_dir)?);
            shared.packs.insert(key.run, Arc::clone(&pack));
            pack
        };
        Ok(Box::new(pack.log(key, own)))
    }

    /// Closes the files that no step writes: a run has ended.
    pub(in crate::store) fn close_idle(&self) {
        let mut shared = lock(&self.shared);
        shared.packs.retain(|_, pack| Arc::strong_count(pack) > 1);
    }

    /// The steps that a query asks for and that have a log.
    pub(in crate::store) fn steps(&self, query: &LogQuery) -> Result<Vec<LogKey>, StoreError> {
        let run_dir = self.run_dir(query.run);
        let index = self.index(query.run);
        let mut index = lock(&index);
        index.refresh(&run_dir)?;
        let only = query.job.as_deref();
        let asked = |job: &str| only.is_none_or(|only| only == job);
        // Several packs may have of one step: the first time counts.
        let mut found: BTreeMap<StepKey, Option<Timestamp>> = BTreeMap::new();
        for (key, first) in index.steps().filter(|((job, ..), _)| asked(job)) {
            let time = found.entry(key.clone()).or_insert(Some(first));
            *time = (*time).min(Some(first));
        }
        drop(index);
        for (job, dir) in own::jobs(&run_dir, only) {
            for (attempt, step) in own::steps_in(&dir) {
                found
                    .entry((Arc::clone(&job), attempt, step))
                    .or_insert(None);
            }
        }
        let mut last: HashMap<Arc<str>, u32> = HashMap::new();
        for (job, attempt, _) in found.keys() {
            let of_job = last.entry(Arc::clone(job)).or_default();
            *of_job = (*of_job).max(*attempt);
        }
        let is_asked = |(job, attempt, step): &StepKey| {
            query.attempt.or(last.get(job).copied()) == Some(*attempt)
                && query.step.is_none_or(|asked| asked == *step)
        };
        let steps = found.into_iter().filter(|(key, _)| is_asked(key));
        let steps = steps.map(|((job, attempt, step), first)| {
            let key = LogKey {
                run: query.run,
                job,
                attempt,
                step,
            };
            let first = first.or_else(|| own::first_time(&own::path_of(&run_dir, &key)));
            (key, first.unwrap_or_default())
        });
        Ok(in_order(steps.collect()))
    }

    /// The frames of a step's log from `position` on, about `most` bytes of them.
    pub(in crate::store) fn read_part(
        &self,
        key: &LogKey,
        position: u64,
        most: usize,
    ) -> Result<LogPart, StoreError> {
        let run_dir = self.run_dir(key.run);
        let path = own::path_of(&run_dir, key);
        // Opened before the packs are looked at: when the file is there, they get no more of the step.
        let own = match File::open(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("open", &path, error)),
        };
        let mut part = LogPart::new(Vec::new(), position);
        let (mut begin, mut left) = (position & !IN_OWN, most);
        if position & IN_OWN == 0 {
            let index = self.index(key.run);
            let mut index = lock(&index);
            index.refresh(&run_dir)?;
            left = index.read(&run_dir, &step_key(key), &mut part, most)?;
            begin = 0;
        }
        if let Some(file) = own
            && (left > 0 || part.chunks.is_empty())
        {
            let before = part.chunks.len();
            let end = own::read(file, &path, begin, &mut part, left)?;
            if part.chunks.len() > before {
                part.end = IN_OWN | end;
            }
        }
        Ok(part)
    }

    /// What is known of the packs of a run.
    pub(super) fn index(&self, run: RunId) -> Arc<Mutex<Index>> {
        let mut shared = lock(&self.shared);
        let indices = &mut shared.indices;
        let known = indices.iter().position(|(of, _)| *of == run);
        let known = known.and_then(|place| indices.remove(place));
        let (_, index) = known.unwrap_or_else(|| (run, Arc::default()));
        indices.push_back((run, Arc::clone(&index)));
        if indices.len() > REMEMBERED {
            indices.pop_front();
        }
        index
    }

    /// Removes the logs of a run.
    pub(in crate::store) fn remove(&self, run: RunId) -> Result<(), StoreError> {
        let mut shared = lock(&self.shared);
        shared.packs.remove(&run);
        shared.indices.retain(|(of, _)| *of != run);
        drop(shared);
        let dir = self.run_dir(run);
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &dir, error))
            }
            _ => Ok(()),
        }
    }
}

/// Jobs in the order in which they first said something, each with its steps in order.
fn in_order(mut steps: Vec<(LogKey, Timestamp)>) -> Vec<LogKey> {
    let mut first_of: HashMap<Arc<str>, Timestamp> = HashMap::new();
    for (key, time) in &steps {
        let first = first_of.entry(Arc::clone(&key.job)).or_insert(*time);
        *first = (*first).min(*time);
    }
    steps.sort_by_cached_key(|(key, _)| {
        let first = first_of.get(&key.job).copied();
        (first, Arc::clone(&key.job), key.step)
    });
    steps.into_iter().map(|(key, _)| key).collect()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What a panic leaves is what was written or read before it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
