//! What running jobs hold besides a slot: places in groups, processor time and memory.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::id::JobId;

/// How many jobs may have started past one that lacks processors or memory before they have to wait
/// for it: else a big job would never see enough of them free at once.
const MAX_OVERTAKEN: u32 = 16;

/// What a job takes of the machine while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// Processor cores, in thousandths.
    pub cpu_milli: u32,
    /// Memory, in MiB.
    pub memory_mib: u32,
}

impl Demand {
    /// Nothing.
    pub const NONE: Self = Self {
        cpu_milli: 0,
        memory_mib: 0,
    };

    fn fits(self, free: Self) -> bool {
        self.cpu_milli <= free.cpu_milli && self.memory_mib <= free.memory_mib
    }

    fn clamped(self, total: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.min(total.cpu_milli),
            memory_mib: self.memory_mib.min(total.memory_mib),
        }
    }
}

/// A named number of places: a concurrency group, or the limit of an executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// The name, for people.
    pub name: Arc<str>,
    /// How many jobs hold a place at once.
    pub limit: u32,
    /// The jobs that need a place.
    pub jobs: Vec<JobId>,
}

/// What is free, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Resources {
    free: Demand,
    demands: HashMap<JobId, Demand>,
    /// Jobs that lack processors or memory.
    short: Vec<JobId>,
    /// For each job that ever lacked them and has not started: how many have started past it.
    overtaken: HashMap<JobId, u32>,
    /// The one job that was overtaken too often: no other that takes processors or memory starts
    /// before it. Only ever one, or two of them would wait for each other.
    reserved: Option<JobId>,
    pools: Vec<PoolState>,
    memberships: HashMap<JobId, Vec<u32>>,
}

#[derive(Debug)]
struct PoolState {
    name: Arc<str>,
    free: u32,
    waiting: Vec<JobId>,
}

/// What a job asked for and got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// All it needs.
    All,
    /// It has to wait, for this.
    Lacks(String),
}

impl Resources {
    pub(super) fn new(total: Demand, demands: HashMap<JobId, Demand>, pools: Vec<Pool>) -> Self {
        let mut memberships: HashMap<JobId, Vec<u32>> = HashMap::new();
        let mut states = Vec::with_capacity(pools.len());
        for (index, pool) in (0u32..).zip(pools) {
            for job in pool.jobs {
                memberships.entry(job).or_default().push(index);
            }
            states.push(PoolState {
                name: pool.name,
                free: pool.limit,
                waiting: Vec::new(),
            });
        }
        let demands = demands
            .into_iter()
            .map(|(job, demand)| (job, demand.clamped(total)));
        Self {
            free: total,
            demands: demands
                .filter(|(_, demand)| *demand != Demand::NONE)
                .collect(),
            short: Vec::new(),
            overtaken: HashMap::new(),
            reserved: None,
            pools: states,
            memberships,
        }
    }

    /// Takes all that `job` needs, or notes what it waits for.
    pub(super) fn take(&mut self, job: JobId) -> Taken {
        if self.memberships.is_empty() && self.demands.is_empty() {
            return Taken::All;
        }
        let places = self.memberships.get(&job).map_or(&[][..], Vec::as_slice);
        if let Some(full) = places
            .iter()
            .find(|index| self.pools[**index as usize].free == 0)
        {
            let pool = &mut self.pools[*full as usize];
            pool.waiting.push(job);
            return Taken::Lacks(format!("a place in `{}`", pool.name));
        }
        let mut started_with = false;
        if let Some(demand) = self.demands.get(&job).copied() {
            let starved = self.reserved.is_some_and(|other| other != job);
            if starved || !demand.fits(self.free) {
                self.short.push(job);
                self.overtaken.entry(job).or_insert(0);
                return Taken::Lacks(format!(
                    "{} CPU and {} MiB of memory",
                    f64::from(demand.cpu_milli) / 1000.0,
                    demand.memory_mib
                ));
            }
            self.free.cpu_milli -= demand.cpu_milli;
            self.free.memory_mib -= demand.memory_mib;
            started_with = true;
        }
        for index in places {
            self.pools[*index as usize].free -= 1;
        }
        if started_with {
            self.started(job);
        }
        Taken::All
    }

    /// Counts who was overtaken by `job`, and reserves for the first who was too often.
    fn started(&mut self, job: JobId) {
        self.overtaken.remove(&job);
        if self.reserved == Some(job) {
            self.reserved = None;
        }
        self.overtaken.values_mut().for_each(|count| *count += 1);
        if self.reserved.is_none() {
            let most = self
                .overtaken
                .iter()
                .max_by_key(|(job, count)| (**count, Reverse(**job)));
            self.reserved = most
                .filter(|(_, count)| **count >= MAX_OVERTAKEN)
                .map(|(job, _)| *job);
        }
    }

    /// Gives back what `job` holds, and hands the jobs that may fit now to `wake`.
    pub(super) fn give(&mut self, job: JobId, mut wake: impl FnMut(JobId)) {
        for index in self.memberships.get(&job).map_or(&[][..], Vec::as_slice) {
            let pool = &mut self.pools[*index as usize];
            pool.free += 1;
            pool.waiting.drain(..).for_each(&mut wake);
        }
        if let Some(demand) = self.demands.get(&job) {
            self.free.cpu_milli += demand.cpu_milli;
            self.free.memory_mib += demand.memory_mib;
            self.short.drain(..).for_each(wake);
        }
    }

    /// Forgets that `job` waits, and hands the jobs that may fit now to `wake`.
    pub(super) fn forget(&mut self, job: JobId, wake: impl FnMut(JobId)) {
        self.short.retain(|waiting| *waiting != job);
        self.overtaken.remove(&job);
        for index in self.memberships.get(&job).map_or(&[][..], Vec::as_slice) {
            self.pools[*index as usize]
                .waiting
                .retain(|waiting| *waiting != job);
        }
        if self.reserved == Some(job) {
            self.reserved = None;
            self.short.drain(..).for_each(wake);
        }
    }
}
