//! The jobs of one run: names resolved, the graph built.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{InvalidWorkflow, Problem, RunFacts, WorkflowSpec};
use crate::graph::{Cycle, Dag, Edge};
use crate::id::JobId;
use crate::job::JobSpec;

/// The jobs of one run, by dense id, with the graph of their dependencies.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plan {
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The jobs, in the order of their ids.
    pub jobs: Vec<JobSpec>,
    /// Who waits for whom.
    pub dag: Dag,
    /// The jobs in an order in which each stands after all it waits for.
    pub order: Vec<JobId>,
    /// The jobs that are not part of this run, and why.
    pub skipped: BTreeMap<JobId, Arc<str>>,
}

impl Plan {
    /// Makes the jobs of the run that `facts` describes.
    pub(super) fn new(spec: &WorkflowSpec, _facts: &RunFacts) -> Result<Self, InvalidWorkflow> {
        let jobs = spec.jobs.clone();
        let (dag, order) = link(&jobs)?;
        Ok(Self {
            workflow: Arc::clone(&spec.name),
            jobs,
            dag,
            order,
            skipped: BTreeMap::new(),
        })
    }

    /// x
    pub fn find(&self, name: &str) -> Option<JobId> {
        self.jobs
            .iter()
            .position(|j| &*j.name == name)
            .map(JobId::from_index)
    }
    /// x
    pub fn upstream(&self, _: JobId) -> Vec<JobId> {
        Vec::new()
    }
    /// x
    pub fn restrict(&self, _: &[String], _: bool) -> Result<Self, InvalidWorkflow> {
        Ok(self.clone())
    }

    /// The job with this id.
    #[must_use]
    pub fn job(&self, id: JobId) -> &JobSpec {
        &self.jobs[id.index()]
    }
}

/// Reports every problem that the workflow has whatever the run is for.
pub(super) fn validate(spec: &WorkflowSpec) -> Result<(), InvalidWorkflow> {
    link(&spec.jobs).map(drop)
}

fn link(jobs: &[JobSpec]) -> Result<(Dag, Vec<JobId>), InvalidWorkflow> {
    let mut problems = Vec::new();
    let mut ids: HashMap<&str, JobId> = HashMap::with_capacity(jobs.len());
    for (index, job) in jobs.iter().enumerate() {
        if ids.insert(&job.name, JobId::from_index(index)).is_some() {
            problems.push(Problem::DuplicateJob(job.name.to_string()));
        }
    }
    for job in jobs {
        for need in &job.needs {
            if !need.optional && !ids.contains_key(&*need.job) {
                problems.push(Problem::UnknownJob {
                    job: job.name.to_string(),
                    needs: need.job.to_string(),
                    did_you_mean: None,
                });
            }
        }
    }
    InvalidWorkflow::check(problems)?;
    let edges = || {
        jobs.iter().enumerate().flat_map(|(index, job)| {
            let ids = &ids;
            job.needs.iter().filter_map(move |need| {
                let from = *ids.get(&*need.job)?;
                Some((
                    from,
                    Edge {
                        to: JobId::from_index(index),
                        accept: need.accept,
                    },
                ))
            })
        })
    };
    let dag = Dag::new(jobs.len(), edges);
    match dag.order() {
        Ok(order) => Ok((dag, order)),
        Err(Cycle(path)) => {
            let mut names: Vec<String> = path
                .iter()
                .map(|id| jobs[id.index()].name.to_string())
                .collect();
            names.extend(names.first().cloned());
            InvalidWorkflow::check(vec![Problem::Cycle(names)])?;
            Ok((dag, Vec::new()))
        }
    }
}
