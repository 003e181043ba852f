//! The names of the jobs of a run, in little memory: a table of ids, with the jobs keeping the text.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};

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
    /// Made at the first look-up, or before where names may be there twice.
    table: OnceLock<Table>,
    groups: HashMap<Arc<str>, Span>,
}

impl Names {
    /// The names of `jobs` and `groups`, and those that stand for more than one thing, each once.
    pub(super) fn new(jobs: &[JobSpec], groups: &[Group]) -> (Self, Vec<Arc<str>>) {
        let mut names = Self::default();
        let mut twice: Vec<Arc<str>> = Vec::new();
        if !ascend(jobs) {
            let table = Table::new(jobs, |id| twice.push(Arc::clone(&jobs[id].name)));
            names.table = table.into();
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

    /// The one job of this name.
    pub(super) fn find(&self, jobs: &[JobSpec], name: &str) -> Option<JobId> {
        let table = self.table.get_or_init(|| Table::new(jobs, drop));
        table.find(jobs, name)
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

/// Whether each name is longer than the one before it, or as long and after it in the alphabet: then none
/// is there twice. Names that a program counts up are so.
fn ascend(jobs: &[JobSpec]) -> bool {
    jobs.is_sorted_by(|a, b| (a.name.len(), &a.name) < (b.name.len(), &b.name))
}

/// The ids of jobs by the hash of their names.
#[derive(Debug, Clone)]
struct Table {
    ids: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Table {
    /// The table of `jobs`; `again` is given those whose name an earlier one has.
    fn new(jobs: &[JobSpec], mut again: impl FnMut(usize)) -> Self {
        let mut ids = HashTable::with_capacity(jobs.len());
        let hasher = DefaultHashBuilder::default();
        let name = |id: u32| &*jobs[id as usize].name;
        for (id, job) in (0u32..).zip(jobs) {
            let entry = ids.entry(
                hasher.hash_one(&*job.name),
                |other| name(*other) == &*job.name,
                |other| hasher.hash_one(name(*other)),
            );
            match entry {
                Entry::Occupied(_) => again(id as usize),
                Entry::Vacant(entry) => {
                    entry.insert(id);
                }
            }
        }
        Self { ids, hasher }
    }

    fn find(&self, jobs: &[JobSpec], name: &str) -> Option<JobId> {
        let hash = self.hasher.hash_one(name);
        let found = self.ids.find(hash, |id| *jobs[*id as usize].name == *name);
        found.map(|id| JobId::from_index(*id as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_doubles_told_whatever_their_order() {
        for (names, doubles) in [
            (&["a", "b", "aa", "ab"][..], &[][..]),
            (&["j9", "j10", "j11"], &[]),
            (&["a", "a", "b"], &["a"]),
            (&["b", "a", "b", "c", "a", "b"], &["a", "b"]),
        ] {
            let jobs: Vec<JobSpec> = names.iter().map(|name| JobSpec::new(*name)).collect();
            let (found, twice) = Names::new(&jobs, &[]);
            let twice: Vec<&str> = twice.iter().map(|name| &**name).collect();
            assert_eq!(twice, doubles);
            for name in names {
                let first = names.iter().position(|other| other == name);
                assert_eq!(found.find(&jobs, name).map(JobId::index), first);
            }
            assert_eq!(found.find(&jobs, "none"), None);
        }
    }

    #[test]
    fn a_group_with_the_name_of_a_job_is_a_double() {
        let jobs = [JobSpec::new("a"), JobSpec::new("b (1)")];
        let group = |name: &str| Group {
            name: name.into(),
            members: Span::new(1, 2),
        };
        assert!(Names::new(&jobs, &[group("b")]).1.is_empty());
        assert_eq!(&*Names::new(&jobs, &[group("a")]).1[0], "a");
        assert_eq!(&*Names::new(&jobs, &[group("b"), group("b")]).1[0], "b");
    }
}
