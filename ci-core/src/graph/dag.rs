//! A directed acyclic graph of jobs in two flat arrays.

use crate::id::JobId;
use crate::outcome::OutcomeSet;

/// An edge to a job that waits, with the outcomes that let it start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The job that waits.
    pub to: JobId,
    /// The outcomes that let it start.
    pub accept: OutcomeSet,
}

/// Jobs by dense id with their outgoing edges, in compressed sparse rows.
#[derive(Debug, Clone, Default)]
pub struct Dag {
    /// Where each job's edges begin; one more entry than there are jobs.
    offsets: Vec<u32>,
    edges: Vec<Edge>,
    in_degrees: Vec<u32>,
}

/// Jobs that wait for each other, in order, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle(pub Vec<JobId>);

impl Dag {
    /// The graph of `jobs` jobs in which for each `(from, edge)` the edge's job waits for `from`.
    /// The iterator is walked twice and must give the same edges both times.
    pub fn new<I>(jobs: usize, edges: impl Fn() -> I) -> Self
    where
        I: Iterator<Item = (JobId, Edge)>,
    {
        let mut offsets = vec![0u32; jobs + 1];
        let mut in_degrees = vec![0u32; jobs];
        // Not `for`: chained iterators are much faster from within.
        edges().for_each(|(from, edge)| {
            offsets[from.index() + 1] += 1;
            in_degrees[edge.to.index()] += 1;
        });
        for index in 0..jobs {
            offsets[index + 1] += offsets[index];
        }
        let total = offsets[jobs] as usize;
        let mut next = offsets.clone();
        let none = Edge {
            to: JobId::from_index(0),
            accept: OutcomeSet::SUCCESS,
        };
        let mut flat = vec![none; total];
        edges().for_each(|(from, edge)| {
            let slot = &mut next[from.index()];
            flat[*slot as usize] = edge;
            *slot += 1;
        });
        Self {
            offsets,
            edges: flat,
            in_degrees,
        }
    }

    /// How many jobs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.in_degrees.len()
    }

    /// Whether there are no jobs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.in_degrees.is_empty()
    }

    /// The edges to the jobs that wait for `job`.
    #[must_use]
    pub fn edges(&self, job: JobId) -> &[Edge] {
        let index = job.index();
        &self.edges[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }

    /// On how many edges `job` waits.
    #[must_use]
    pub fn in_degree(&self, job: JobId) -> u32 {
        self.in_degrees[job.index()]
    }

    /// All jobs.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = JobId> + use<> {
        (0..self.len()).map(JobId::from_index)
    }

    /// The jobs in an order in which each stands after all it waits for (Kahn 1962), or one cycle.
    pub fn order(&self) -> Result<Vec<JobId>, Cycle> {
        if self.is_in_order() {
            return Ok(self.jobs().collect());
        }
        let mut waiting = self.in_degrees.clone();
        let mut order: Vec<JobId> = self
            .jobs()
            .filter(|job| waiting[job.index()] == 0)
            .collect();
        let mut done = 0;
        while let Some(job) = order.get(done).copied() {
            done += 1;
            for edge in self.edges(job) {
                let count = &mut waiting[edge.to.index()];
                *count -= 1;
                if *count == 0 {
                    order.push(edge.to);
                }
            }
        }
        if order.len() == self.len() {
            Ok(order)
        } else {
            Err(self.find_cycle(&waiting))
        }
    }

    /// Whether each job stands after all it waits for: most people write them down so.
    fn is_in_order(&self) -> bool {
        self.jobs()
            .all(|job| self.edges(job).iter().all(|edge| edge.to > job))
    }

    /// A cycle among the jobs that still wait: every one of them has a predecessor that waits too, so
    /// walking backwards comes round.
    fn find_cycle(&self, waiting: &[u32]) -> Cycle {
        let mut predecessor = vec![None; self.len()];
        for from in self.jobs().filter(|job| waiting[job.index()] > 0) {
            for edge in self.edges(from) {
                if waiting[edge.to.index()] > 0 {
                    predecessor[edge.to.index()] = Some(from);
                }
            }
        }
        let start = self.jobs().find(|job| waiting[job.index()] > 0);
        let mut seen = vec![false; self.len()];
        let mut at = start;
        while let Some(job) = at {
            if std::mem::replace(&mut seen[job.index()], true) {
                break;
            }
            at = predecessor[job.index()];
        }
        let Some(entry) = at else {
            return Cycle(Vec::new());
        };
        let mut path = vec![entry];
        let mut job = predecessor[entry.index()];
        while let Some(next) = job.filter(|next| *next != entry) {
            path.push(next);
            job = predecessor[next.index()];
        }
        path.reverse();
        Cycle(path)
    }

    /// For each job the longest path from its start to the end of the run, itself included, where
    /// `weight` is how long a job takes. `order` is what [`order`](Self::order) gave.
    pub fn ranks(&self, order: &[JobId], weight: impl Fn(JobId) -> u32) -> Vec<u32> {
        let mut ranks = vec![0u32; self.len()];
        for job in order.iter().rev() {
            let after = self
                .edges(*job)
                .iter()
                .map(|edge| ranks[edge.to.index()])
                .max();
            ranks[job.index()] = weight(*job).saturating_add(after.unwrap_or(0));
        }
        ranks
    }
}
