//! The jobs of one run: names resolved, the graph built.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::check::check;
use super::expand::expand;
use super::filter::filter;
use super::link::{Linked, check_sources, link, waits};
use super::names::{Group, Names};
use super::{InvalidWorkflow, Problem, RunFacts, WorkflowSpec};
use crate::graph::Dag;
use crate::id::JobId;
use crate::job::JobSpec;
use crate::similar::Suggest;

/// The jobs of one run, by dense id, with the graph of their dependencies.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plan {
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The jobs, in the order of their ids. Those made from one job with a matrix or shards stand
    /// together, in the place of that job.
    pub jobs: Arc<Vec<JobSpec>>,
    /// Who waits for whom. A skipped job waits for nothing; the edges from it are those of needs
    /// that accept [`Skipped`](crate::outcome::OutcomeKind::Skipped).
    pub dag: Dag,
    /// The jobs in an order in which each stands after all it waits for.
    pub order: Vec<JobId>,
    /// The jobs that are not part of this run, and why.
    pub skipped: BTreeMap<JobId, Arc<str>>,
    names: Names,
}

impl Plan {
    /// Makes the jobs of the run that `facts` describes.
    pub(super) fn new(spec: &WorkflowSpec, facts: &RunFacts) -> Result<Self, InvalidWorkflow> {
        let mut problems = Vec::new();
        check(spec, &mut problems);
        let expanded = expand(&spec.jobs);
        let skipped = filter(&expanded.jobs, facts);
        let Linked { names, dag, order } =
            link(&expanded.jobs, &expanded.groups, &skipped, &mut problems);
        check_sources(&expanded.jobs, &names, &mut problems);
        InvalidWorkflow::check(problems)?;
        Ok(Self {
            workflow: Arc::clone(&spec.name),
            jobs: expanded.jobs,
            dag,
            order,
            skipped,
            names,
        })
    }

    /// The job with this id.
    #[must_use]
    pub fn job(&self, id: JobId) -> &JobSpec {
        &self.jobs[id.index()]
    }

    /// The job of this name. The name that was declared for several jobs finds none of them; see
    /// [`members`](Self::members).
    #[must_use]
    pub fn find(&self, name: &str) -> Option<JobId> {
        self.names.find(&self.jobs, name)
    }

    /// The jobs that a name stands for: the one of that name, or all that were made from the job
    /// declared under it. Empty where there is none.
    pub fn members(&self, name: &str) -> impl DoubleEndedIterator<Item = JobId> + use<> {
        let members = self.names.members(&self.jobs, name);
        members.unwrap_or_default().jobs()
    }

    /// The jobs that `job` waits for, directly or not, each after those it waits for itself.
    #[must_use]
    pub fn upstream(&self, job: JobId) -> Vec<JobId> {
        let mut seen = HashSet::from([job]);
        let mut done = Vec::new();
        // Depth first, with the way down kept here and not on the stack: workflows may be deep.
        let mut way = vec![(job, self.direct(job))];
        while let Some((at, before)) = way.last_mut() {
            match before.pop() {
                Some(next) if seen.insert(next) => way.push((next, self.direct(next))),
                Some(_) => {}
                None => {
                    done.push(*at);
                    way.pop();
                }
            }
        }
        done.pop();
        done
    }

    /// The jobs that `job` waits for itself, the first last.
    fn direct(&self, job: JobId) -> Vec<JobId> {
        let needs = self.job(job).needs.iter().rev();
        needs
            .flat_map(|need| {
                let members = self.members(&need.job).rev();
                members.filter(move |target| waits(&self.skipped, job, need, *target))
            })
            .collect()
    }

    /// Only the jobs of these names, as declared or as spelled out, and if wanted all they wait for.
    /// The ids are new. A need on a job that is left out is void.
    pub fn restrict<S: AsRef<str>>(
        &self,
        names: &[S],
        with_dependencies: bool,
    ) -> Result<Self, InvalidWorkflow> {
        let chosen = self.choose(names, with_dependencies)?;
        let kept = |name: &str| self.members(name).any(|id| chosen[id.index()]);
        let mut new_ids: Vec<usize> = Vec::with_capacity(self.jobs.len() + 1);
        let mut jobs: Vec<JobSpec> = Vec::new();
        let mut skipped = BTreeMap::new();
        for (job, id) in self.jobs.iter().zip(self.dag.jobs()) {
            new_ids.push(jobs.len());
            if !chosen[id.index()] {
                continue;
            }
            if let Some(why) = self.skipped.get(&id) {
                skipped.insert(JobId::from_index(jobs.len()), Arc::clone(why));
            }
            let mut job = job.clone();
            job.needs.retain(|need| kept(&need.job));
            jobs.push(job);
        }
        new_ids.push(jobs.len());
        let groups: Vec<Group> = self
            .names
            .groups()
            .map(|(name, members)| Group {
                name: Arc::clone(name),
                members: members.map(|index| new_ids[index]),
            })
            .collect();
        let mut problems = Vec::new();
        let Linked { names, dag, order } = link(&jobs, &groups, &skipped, &mut problems);
        InvalidWorkflow::check(problems)?;
        Ok(Self {
            workflow: Arc::clone(&self.workflow),
            jobs: Arc::new(jobs),
            dag,
            order,
            skipped,
            names,
        })
    }

    /// Which jobs the names and, if wanted, their dependencies choose.
    fn choose<S: AsRef<str>>(
        &self,
        names: &[S],
        with_dependencies: bool,
    ) -> Result<Vec<bool>, InvalidWorkflow> {
        let mut chosen = vec![false; self.jobs.len()];
        let mut problems = Vec::new();
        let mut suggest = Suggest::new();
        for name in names.iter().map(AsRef::as_ref) {
            if self.names.members(&self.jobs, name).is_none() {
                let declared = self.names.groups().map(|(name, _)| &**name);
                let candidates = self.jobs.iter().map(|job| &*job.name).chain(declared);
                problems.push(Problem::NoSuchJob {
                    name: name.to_owned(),
                    did_you_mean: suggest.closest(name, candidates).map(str::to_owned),
                });
            }
            for id in self.members(name) {
                chosen[id.index()] = true;
            }
        }
        InvalidWorkflow::check(problems)?;
        if with_dependencies {
            for id in self.order.iter().rev() {
                let wanted = |edge: &crate::graph::Edge| chosen[edge.to.index()];
                if self.dag.edges(*id).iter().any(wanted) {
                    chosen[id.index()] = true;
                }
            }
        }
        Ok(chosen)
    }
}

/// Reports every problem that the workflow has whatever the run is for.
pub(super) fn validate(spec: &WorkflowSpec) -> Result<(), InvalidWorkflow> {
    let mut problems = Vec::new();
    check(spec, &mut problems);
    let expanded = expand(&spec.jobs);
    let linked = link(
        &expanded.jobs,
        &expanded.groups,
        &BTreeMap::new(),
        &mut problems,
    );
    check_sources(&expanded.jobs, &linked.names, &mut problems);
    InvalidWorkflow::check(problems)
}
