//! The names of the jobs of a run, in little memory: a table of ids, with the jobs keeping the text.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::id::JobId;
use crate::job::JobSpec;

/// Jobs whose ids follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    pub(super) const EMPTY: Self = Self { start: 0, len: 0 };

    /// The jobs from index `start` up to, not including, `end`.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let start = JobId::from_index(start);
        Self {
            start: u32::try_from(start.index()).unwrap_or(u32::MAX),
            len: u32::try_from(end.saturating_sub(start.index())).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn first(self) -> Option<JobId> {
        self.jobs().next()
    }

    /// The same jobs after every index became another, in the same order.
    pub(super) fn map(self, new_index: impl Fn(usize) -> usize) -> Self {
        let start = self.start as usize;
        Self::new(new_index(start), new_index(start + self.len as usize))
    }

    pub(super) fn jobs(self) -> impl DoubleEndedIterator<Item = JobId> + use<> {
        (self.start as usize..self.start as usize + self.len as usize).map(JobId::from_index)
    }
}

/// The jobs that were made from one that has a matrix or shards.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) name: Arc<str>,
    pub(super) members: Span,
}

/// Finds jobs by name. It keeps ids only; every look-up is given the jobs it was made of.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    groups: HashMap<Arc<str>, Span>,
}

impl Names {
    /// The names of `jobs` and `groups`, and those that stand for more than one thing, each once.
    pub(super) fn new(jobs: &[JobSpec], groups: &[Group]) -> (Self, Vec<Arc<str>>) {
        let mut names = Self {
            table: HashTable::with_capacity(jobs.len()),
            ..Self::default()
        };
        let mut twice: Vec<Arc<str>> = Vec::new();
        for (id, job) in (0u32..).zip(jobs) {
            if !names.insert(jobs, id, &job.name) {
                twice.push(Arc::clone(&job.name));
            }
        }
        for group in groups {
            let taken = names.find(jobs, &group.name).is_some();
            let before = names.groups.insert(Arc::clone(&group.name), group.members);
            if taken || before.is_some() {
                twice.push(Arc::clone(&group.name));
            }
        }
        twice.sort();
        twice.dedup();
        (names, twice)
    }

    fn insert(&mut self, jobs: &[JobSpec], id: u32, name: &str) -> bool {
        let hasher = &self.hasher;
        let entry = self.table.entry(
            hasher.hash_one(name),
            |other| *jobs[*other as usize].name == *name,
            |other| hasher.hash_one(&*jobs[*other as usize].name),
        );
        match entry {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(id);
                true
            }
        }
    }

    /// The one job of this name.
    pub(super) fn find(&self, jobs: &[JobSpec], name: &str) -> Option<JobId> {
        self.table
            .find(self.hasher.hash_one(name), |id| {
                *jobs[*id as usize].name == *name
            })
            .map(|id| JobId::from_index(*id as usize))
    }

    /// The job of this name, or the jobs made from the one that was declared under it.
    pub(super) fn members(&self, jobs: &[JobSpec], name: &str) -> Option<Span> {
        match self.find(jobs, name) {
            Some(job) => Some(Span::new(job.index(), job.index() + 1)),
            None => self.groups.get(name).copied(),
        }
    }

    /// The names that were declared for several jobs, with those jobs.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&Arc<str>, Span)> {
        self.groups.iter().map(|(name, span)| (name, *span))
    }
}
