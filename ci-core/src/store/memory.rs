//! A run store in memory: for tests, and for programs whose runs need not outlive them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::reports::{KeptReports, Place, key_of};
use super::{
    Commit, CoverageEntry, Lease, LeaseRequest, LogKey, LogPart, LogQuery, LogWriter, NewRun,
    OwnerId, Request, RequestRecord, Retention, RunPage, RunQuery, RunStore, RunSummary,
    StoreError, StoredRun, TestEntry, TestQuery,
};
use crate::clock::{Clock, Timestamp};
use crate::event::{EventRecord, JobResult, RunEvent, TestRecord};
use crate::id::RunId;
use crate::outcome::OutcomeKind;
use crate::session::OutputChunk;

/// A place that is held, and the run it is for.
#[derive(Debug, Clone)]
struct Held {
    lease: Lease,
    run: RunId,
}

/// After how long without a heartbeat an owner whose process cannot be seen counts as dead.
const TTL: Duration = Duration::from_secs(15);
/// Of how many of its latest successes the usual duration of a job is the median.
const LATEST: usize = 20;

/// Keeps runs for as long as this process lives: "durable" means no more than that. It keeps the same
/// contract as a store on a disk; runs share it through an `Arc`.
///
/// ```
/// use std::sync::Arc;
///
/// use ci_core::run::RunOptions;
/// use ci_core::store::MemoryStore;
///
/// let store = Arc::new(MemoryStore::new());
/// let options = RunOptions::new().store(store.clone());
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct State {
    /// By id, which is the order in which they were made.
    runs: BTreeMap<RunId, Kept>,
    requests: Vec<RequestRecord>,
    /// The owners that live, and when they last said so.
    owners: HashMap<OwnerId, Timestamp>,
    leases: Vec<Held>,
    last_fence: u64,
    last_request: u64,
    logs: HashMap<LogKey, Arc<Mutex<Vec<OutputChunk>>>>,
    reports: KeptReports,
    marks: HashMap<String, String>,
}

#[derive(Debug)]
struct Kept {
    new: NewRun,
    owner: Option<OwnerId>,
    journal: Vec<EventRecord>,
    /// The jobs that have ended, in the order in which they did, and whether each was reused.
    jobs: Vec<(JobResult, bool)>,
    ended: Option<(OutcomeKind, Timestamp)>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: Mutex::default(),
            clock: Clock::system(),
        }
    }

    /// Where time comes from: it decides whether an owner on another machine still lives. The
    /// machine's own clock by default.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lives(&self, owner: &OwnerId, now: Timestamp) -> bool {
        let beat = self.owners.get(owner);
        beat.is_some_and(|beat| owner.lives().unwrap_or_else(|| now.since(*beat) < TTL))
    }

    fn run(&mut self, run: RunId) -> Result<&mut Kept, StoreError> {
        self.runs
            .get_mut(&run)
            .ok_or_else(|| StoreError::no_run(run))
    }

    fn disown(&mut self, gone: &OwnerId) {
        self.leases.retain(|held| held.lease.owner != *gone);
        self.owners.remove(gone);
        for kept in self.runs.values_mut() {
            kept.owner = kept.owner.take().filter(|owner| owner != gone);
        }
    }

    fn append(&mut self, run: RunId, records: Vec<EventRecord>) -> Result<(), StoreError> {
        let owners = &self.owners;
        let kept = self.runs.get_mut(&run);
        let ours = |kept: &&mut Kept| kept.owner.as_ref().is_some_and(|o| owners.contains_key(o));
        let kept = kept.filter(ours).ok_or_else(|| StoreError::not_ours(run))?;
        for record in records {
            self.reports.note(&record);
            kept.add(record);
        }
        Ok(())
    }

    fn keep_tests(&mut self, key: &LogKey, tests: Vec<TestRecord>) -> Result<(), StoreError> {
        let owner = self.run(key.run)?.owner.clone();
        if !owner.is_some_and(|owner| self.owners.contains_key(&owner)) {
            return Err(StoreError::not_ours(key.run));
        }
        self.reports.keep(key, tests);
        Ok(())
    }

    /// What is kept of the runs that a query asks for, newest first, each with its run.
    fn asked<'a, T>(
        &'a self,
        query: &'a TestQuery,
        kept: &'a BTreeMap<Place, T>,
    ) -> impl Iterator<Item = (&'a Kept, LogKey, &'a T)> {
        let before = query
            .before
            .map(|run| self.runs.get(&run).map(|kept| kept.new.created));
        let wanted = move |run: &Kept| {
            let ended = run.ended.map(|(_, time)| time);
            let earlier = match before {
                None => true,
                Some(made) => ended.is_some_and(|ended| made.is_some_and(|made| ended <= made)),
            };
            let is = |asked: &Option<String>, has: Option<&str>| {
                asked.as_deref().is_none_or(|asked| has == Some(asked))
            };
            earlier
                && query.run.is_none_or(|id| id == run.new.id)
                && is(&query.workflow, Some(&run.new.workflow.name))
                && is(&query.branch, run.new.facts.branch.as_deref())
        };
        let of_run = move |run: &'a Kept| {
            let from: Place = (run.new.id, Arc::from(""), 0, 0);
            let id = run.new.id;
            let of_job = |place: &Place| query.job.as_deref().is_none_or(|job| *place.1 == *job);
            let all = kept
                .range(from..)
                .take_while(move |(place, _)| place.0 == id);
            all.filter(move |(place, _)| of_job(place))
                .map(move |(place, value)| (run, key_of(place), value))
        };
        let most = usize::try_from(query.runs.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let runs = self.runs.values().rev().filter(move |run| wanted(run));
        runs.filter(move |run| of_run(run).next().is_some())
            .take(most)
            .flat_map(of_run)
    }

    fn summary(&self, kept: &Kept, now: Timestamp) -> RunSummary {
        let facts = &kept.new.facts;
        RunSummary {
            id: kept.new.id,
            workflow: Arc::clone(&kept.new.workflow.name),
            outcome: kept.ended.map(|(outcome, _)| outcome),
            active: kept.owner.as_ref().is_some_and(|o| self.lives(o, now)),
            branch: facts.branch.clone(),
            revision: facts.revision.clone(),
            created: kept.new.created,
            finished: kept.ended.map(|(_, time)| time),
            rerun_of: kept.new.rerun_of,
            jobs: kept.jobs.iter().map(|(job, _)| job.clone()).collect(),
        }
    }
}

impl Kept {
    fn add(&mut self, record: EventRecord) {
        if let Some((ended, reused)) = JobResult::of(&record.event) {
            self.jobs.retain(|(other, _)| other.name != ended.name);
            self.jobs.push((ended, reused));
        } else if let RunEvent::RunFinished { outcome, .. } = &record.event {
            self.ended = Some((*outcome, record.time));
        }
        self.journal.push(record);
    }

    fn matches(&self, query: &RunQuery) -> bool {
        let ended = self.ended.map(|(outcome, _)| outcome);
        let (workflow, branch) = (&self.new.workflow.name, &self.new.facts.branch);
        query
            .workflow
            .as_ref()
            .is_none_or(|wanted| **wanted == **workflow)
            && (query.branch.is_none() || query.branch == *branch)
            && (query.outcome.is_none() || query.outcome == ended)
            && (query.revision.is_none() || query.revision == self.new.facts.revision)
    }
}

#[async_trait]
impl RunStore for MemoryStore {
    async fn create(&self, run: NewRun, owner: &OwnerId) -> Result<(), StoreError> {
        let now = self.clock.wall();
        let mut state = self.state();
        let kept = Kept {
            owner: Some(owner.clone()),
            journal: Vec::new(),
            jobs: Vec::new(),
            ended: None,
            new: run,
        };
        state.runs.insert(kept.new.id, kept);
        state.owners.insert(owner.clone(), now);
        Ok(())
    }

    async fn own(&self, run: RunId, owner: &OwnerId) -> Result<Vec<Lease>, StoreError> {
        let now = self.clock.wall();
        let mut state = self.state();
        if let Some(old) = state.run(run)?.owner.clone() {
            if state.lives(&old, now) {
                return Err(StoreError::owned(run));
            }
            for held in &mut state.leases {
                if held.run == run {
                    held.lease.owner = owner.clone();
                }
            }
            state.disown(&old);
        }
        state.owners.insert(owner.clone(), now);
        let kept = state.run(run)?;
        kept.owner = Some(owner.clone());
        kept.ended = kept.ended.filter(|(outcome, _)| !outcome.can_go_on());
        let places = state.leases.iter().map(|held| held.lease.clone());
        Ok(places.filter(|lease| lease.owner == *owner).collect())
    }

    fn append(&self, run: RunId, records: Vec<EventRecord>) -> Commit {
        let (commit, done) = Commit::pair();
        done.done(self.state().append(run, records));
        commit
    }

    async fn load(&self, run: RunId) -> Result<StoredRun, StoreError> {
        let now = self.clock.wall();
        let state = self.state();
        let kept = state
            .runs
            .get(&run)
            .ok_or_else(|| StoreError::no_run(run))?;
        Ok(StoredRun::new(
            state.summary(kept, now),
            Arc::clone(&kept.new.workflow),
            kept.new.facts.clone(),
            kept.journal.clone(),
        ))
    }

    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        let now = self.clock.wall();
        let state = self.state();
        let matching = || state.runs.values().rev().filter(|kept| kept.matches(query));
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let part = matching()
            .skip(whole(query.offset))
            .take(query.limit.map_or(usize::MAX, whole));
        Ok(RunPage {
            total: matching().count() as u64,
            runs: part.map(|kept| state.summary(kept, now)).collect(),
        })
    }

    async fn durations(&self, workflow: &str) -> Result<HashMap<Arc<str>, Duration>, StoreError> {
        let state = self.state();
        let runs = state.runs.values().rev();
        let mut latest: HashMap<Arc<str>, Vec<Duration>> = HashMap::new();
        for kept in runs.filter(|kept| *kept.new.workflow.name == *workflow) {
            for (job, reused) in &kept.jobs {
                let spent = latest.entry(Arc::clone(&job.name)).or_default();
                if job.outcome == OutcomeKind::Success && !reused && spent.len() < LATEST {
                    spent.push(job.duration);
                }
            }
        }
        let median = |mut spent: Vec<Duration>| {
            spent.sort_unstable();
            spent.get(spent.len() / 2).copied()
        };
        let usual = latest.into_iter();
        Ok(usual
            .filter_map(|(name, spent)| Some((name, median(spent)?)))
            .collect())
    }

    async fn request(&self, request: Request) -> Result<(), StoreError> {
        let mut state = self.state();
        state.last_request += 1;
        let seq = state.last_request;
        state.requests.push(RequestRecord { seq, request });
        Ok(())
    }

    async fn requests(&self, run: RunId, seq: u64) -> Result<Vec<RequestRecord>, StoreError> {
        let state = self.state();
        let later = |record: &&RequestRecord| record.request.run == run && record.seq > seq;
        Ok(state.requests.iter().filter(later).cloned().collect())
    }

    async fn abandoned(&self, group: &str) -> Result<Vec<RunId>, StoreError> {
        let now = self.clock.wall();
        let state = self.state();
        let dead = |held: &&Held| !state.lives(&held.lease.owner, now);
        let holders = state.leases.iter().filter(dead);
        let of_group = holders.clone().filter(|held| *held.lease.group == *group);
        let owners: HashSet<&OwnerId> = of_group.map(|held| &held.lease.owner).collect();
        let theirs = holders.filter(|held| owners.contains(&held.lease.owner));
        let runs: BTreeSet<RunId> = theirs.map(|held| held.run).collect();
        Ok(runs.into_iter().collect())
    }

    async fn acquire(&self, request: &LeaseRequest) -> Result<Option<Lease>, StoreError> {
        let now = self.clock.wall();
        let mut state = self.state();
        if !state.owners.contains_key(&request.owner) {
            return Err(StoreError::lost());
        }
        let holders = state
            .leases
            .iter()
            .filter(|held| held.lease.group == request.group);
        let holders: Vec<Held> = holders.cloned().collect();
        let dead = holders
            .iter()
            .filter(|held| !state.lives(&held.lease.owner, now));
        let dead: Vec<&Held> = dead.collect();
        let held = holders.len() - dead.len();
        for dead in dead {
            state.disown(&dead.lease.owner);
        }
        if held >= request.limit as usize {
            return Ok(None);
        }
        state.last_fence += 1;
        let lease = Lease {
            group: Arc::clone(&request.group),
            fence: state.last_fence,
            owner: request.owner.clone(),
        };
        state.leases.push(Held {
            lease: lease.clone(),
            run: request.run,
        });
        Ok(Some(lease))
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.state().leases.retain(|held| held.lease != *lease);
        Ok(())
    }

    async fn heartbeat(&self, owner: &OwnerId) -> Result<(), StoreError> {
        let now = self.clock.wall();
        match self.state().owners.get_mut(owner) {
            Some(beat) => *beat = now,
            None => return Err(StoreError::lost()),
        }
        Ok(())
    }

    async fn disown(&self, owner: &OwnerId) -> Result<(), StoreError> {
        self.state().disown(owner);
        Ok(())
    }

    fn log(&self, key: &LogKey) -> Result<Box<dyn LogWriter>, StoreError> {
        let mut state = self.state();
        let log = state.logs.entry(key.clone()).or_default();
        Ok(Box::new(MemoryLog(Arc::clone(log))))
    }

    async fn logged_steps(&self, query: &LogQuery) -> Result<Vec<LogKey>, StoreError> {
        Ok(logged_steps(&self.state().logs, query))
    }

    async fn read_part(
        &self,
        key: &LogKey,
        position: u64,
        most: usize,
    ) -> Result<LogPart, StoreError> {
        let log = self.state().logs.get(key).map(Arc::clone);
        let Some(log) = log else {
            return Ok(LogPart::new(Vec::new(), position));
        };
        let log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(position).unwrap_or(usize::MAX);
        let mut read = 0;
        let chunks = log.iter().skip(from).take_while(|chunk| {
            let fits = read < most;
            read += chunk.bytes.len();
            fits
        });
        let chunks: Vec<OutputChunk> = chunks.cloned().collect();
        let end = position + chunks.len() as u64;
        Ok(LogPart::new(chunks, end))
    }

    fn keep_tests(&self, key: &LogKey, tests: Vec<TestRecord>) -> Commit {
        let (commit, done) = Commit::pair();
        done.done(self.state().keep_tests(key, tests));
        commit
    }

    async fn tests(&self, query: &TestQuery) -> Result<Vec<TestEntry>, StoreError> {
        let state = self.state();
        let asked = state.asked(query, &state.reports.tests);
        let entries = asked.flat_map(|(run, key, tests)| {
            tests.iter().map(move |test| TestEntry {
                key: key.clone(),
                revision: run.new.facts.revision.clone(),
                created: run.new.created,
                test: test.clone(),
            })
        });
        Ok(entries.collect())
    }

    async fn coverage(&self, query: &TestQuery) -> Result<Vec<CoverageEntry>, StoreError> {
        let state = self.state();
        let asked = state.asked(query, &state.reports.coverage);
        let entries = asked.map(|(run, key, totals)| CoverageEntry {
            key,
            revision: run.new.facts.revision.clone(),
            created: run.new.created,
            totals: *totals,
        });
        Ok(entries.collect())
    }

    async fn prune(&self, retention: &Retention) -> Result<Vec<RunId>, StoreError> {
        let now = self.clock.wall();
        let mut state = self.state();
        let ended = state
            .runs
            .values()
            .rev()
            .filter(|kept| kept.ended.is_some());
        let gone = (0_u64..)
            .zip(ended)
            .filter(|(place, kept)| retention.drops(*place, now.since(kept.new.created)));
        let gone: Vec<RunId> = gone.map(|(_, kept)| kept.new.id).collect();
        state.runs.retain(|run, _| !gone.contains(run));
        state.logs.retain(|key, _| !gone.contains(&key.run));
        state.reports.remove(&gone);
        state
            .requests
            .retain(|kept| !gone.contains(&kept.request.run));
        Ok(gone)
    }

    async fn mark(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.state().marks.get(key).cloned())
    }

    async fn set_mark(&self, key: &str, old: Option<&str>, new: &str) -> Result<bool, StoreError> {
        let mut state = self.state();
        let is_current = state.marks.get(key).map(String::as_str) == old;
        if is_current {
            state.marks.insert(key.to_owned(), new.to_owned());
        }
        Ok(is_current)
    }
}

type Logs = HashMap<LogKey, Arc<Mutex<Vec<OutputChunk>>>>;

/// The steps that a query asks for: jobs in the order in which they first said something.
fn logged_steps(logs: &Logs, query: &LogQuery) -> Vec<LogKey> {
    let mut first: HashMap<&str, Timestamp> = HashMap::new();
    let mut last: HashMap<&str, u32> = HashMap::new();
    let said = |log: &Mutex<Vec<OutputChunk>>| {
        let log = log.lock().unwrap_or_else(PoisonError::into_inner);
        !log.is_empty()
    };
    let asked = logs.iter().filter(|(key, log)| {
        key.run == query.run && query.job.as_ref().is_none_or(|job| **job == *key.job) && said(log)
    });
    let mut steps: Vec<&LogKey> = asked.map(|(key, _)| key).collect();
    for key in &steps {
        let attempt = last.entry(&key.job).or_default();
        *attempt = (*attempt).max(key.attempt);
    }
    steps.retain(|key| {
        let attempt = query.attempt.or(last.get(&*key.job).copied());
        attempt == Some(key.attempt) && query.step.is_none_or(|step| step == key.step)
    });
    for key in &steps {
        let log = logs[*key].lock().unwrap_or_else(PoisonError::into_inner);
        let time = log.first().map_or(Timestamp::default(), |chunk| chunk.time);
        let earliest = first.entry(&key.job).or_insert(time);
        *earliest = time.min(*earliest);
    }
    steps.sort_by_key(|key| (first.get(&*key.job).copied(), &key.job, key.step));
    steps.into_iter().cloned().collect()
}

#[derive(Debug)]
struct MemoryLog(Arc<Mutex<Vec<OutputChunk>>>);

impl LogWriter for MemoryLog {
    fn write(&mut self, chunk: &OutputChunk) -> Result<(), StoreError> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(chunk.clone());
        Ok(())
    }
}
