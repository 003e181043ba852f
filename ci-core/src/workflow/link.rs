//! Turns the names in `needs` into the graph, and finds what does not fit together.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::{Group, Names, Span};
use super::{GoodSteps, Place, Problem};
use crate::graph::{Dag, Edge};
use crate::id::JobId;
use crate::job::{JobSpec, Need};
use crate::outcome::{OutcomeKind, OutcomeSet};
use crate::similar::Suggest;
use crate::step::Action;

/// The jobs of a run, linked.
pub(super) struct Linked {
    pub(super) names: Names,
    pub(super) dag: Dag,
    pub(super) order: Vec<JobId>,
}

/// Links `jobs`. Where `problems` gets an entry the result is only good for finding more of them.
pub(super) fn link(
    jobs: &[JobSpec],
    groups: &[Group],
    skipped: &BTreeMap<JobId, Arc<str>>,
    problems: &mut Vec<Problem>,
) -> Linked {
    let (names, twice) = Names::new(jobs, groups);
    problems.extend(
        twice
            .iter()
            .map(|name| Problem::DuplicateJob(name.to_string())),
    );
    let mut linker = Linker {
        jobs,
        targets: Vec::with_capacity(jobs.iter().map(|job| job.needs.len()).sum()),
        never: Vec::new(),
        problems,
    };
    linker.resolve(&names, twice.is_empty());
    let mut dag = linker.dag();
    let order = linker.order(&dag);
    if !skipped.is_empty() {
        // What is skipped takes edges away and adds none: the order stays good.
        linker.filter(skipped);
        dag = linker.dag();
    }
    Linked { names, dag, order }
}

/// Whether `job` waits for `target`, which it names in `need`. A job that is skipped waits for
/// nothing, and an optional need on one that is skipped is void.
pub(super) fn waits(
    skipped: &BTreeMap<JobId, Arc<str>>,
    job: JobId,
    need: &Need,
    target: JobId,
) -> bool {
    skipped.is_empty()
        || !(skipped.contains_key(&job) || (need.optional && skipped.contains_key(&target)))
}

struct Linker<'a> {
    jobs: &'a [JobSpec],
    /// The jobs that each need stands for, for all needs of all jobs in turn.
    targets: Vec<Span>,
    /// Jobs that can never start, whatever happens.
    never: Vec<JobId>,
    problems: &'a mut Vec<Problem>,
}

impl Linker<'_> {
    /// Finds the jobs of all needs. Where names are `unique`, many of them need no look-up.
    fn resolve(&mut self, names: &Names, unique: bool) {
        let mut suggest = Suggest::new();
        for (index, job) in self.jobs.iter().enumerate() {
            let first = self.targets.len();
            for need in &job.needs {
                // Many jobs need the one before them.
                let before = index.checked_sub(1).filter(|_| unique);
                let before = before.filter(|before| self.jobs[*before].name == need.job);
                let members = match before {
                    Some(before) => Some(Span::new(before, index)),
                    None => names.members(self.jobs, &need.job),
                };
                if members.is_none() && !need.optional {
                    let declared = names.groups().map(|(name, _)| &**name);
                    let candidates = self.jobs.iter().map(|job| &*job.name).chain(declared);
                    self.problems.push(Problem::UnknownJob {
                        job: job.name.to_string(),
                        needs: need.job.to_string(),
                        did_you_mean: suggest.closest(&need.job, candidates).map(str::to_owned),
                    });
                }
                self.targets.push(members.unwrap_or(Span::EMPTY));
            }
            if let Some(why) = contradiction(job, &self.targets[first..]) {
                self.never.push(JobId::from_index(index));
                self.problems.push(Problem::Unreachable {
                    job: job.name.to_string(),
                    why,
                });
            }
        }
    }

    fn dag(&self) -> Dag {
        Dag::new(self.jobs.len(), || {
            let needs = self.jobs.iter().enumerate().flat_map(|(index, job)| {
                let to = JobId::from_index(index);
                job.needs.iter().map(move |need| Edge {
                    to,
                    accept: need.accept,
                })
            });
            needs
                .zip(&self.targets)
                .flat_map(|(edge, members)| members.jobs().map(move |from| (from, edge)))
        })
    }

    /// The order of the jobs; a cycle of each knot of jobs that has none.
    fn order(&mut self, dag: &Dag) -> Vec<JobId> {
        let name = |id: &JobId| self.jobs[id.index()].name.to_string();
        if let Ok(order) = dag.order() {
            self.follow_never(dag, &order);
            return order;
        }
        for cycle in dag.cycles() {
            let mut path: Vec<String> = cycle.0.iter().map(name).collect();
            path.extend(path.first().cloned());
            self.problems.push(Problem::Cycle(path));
        }
        Vec::new()
    }

    /// Reports the jobs that wait for one that can never start.
    fn follow_never(&mut self, dag: &Dag, order: &[JobId]) {
        if self.never.is_empty() {
            return;
        }
        let mut never = vec![false; self.jobs.len()];
        for job in &self.never {
            never[job.index()] = true;
        }
        for from in order {
            if !never[from.index()] {
                continue;
            }
            for edge in dag.edges(*from) {
                let blocked = !edge.accept.contains(OutcomeKind::NotRun);
                if blocked && !std::mem::replace(&mut never[edge.to.index()], true) {
                    self.problems.push(Problem::Unreachable {
                        job: self.jobs[edge.to.index()].name.to_string(),
                        why: format!(
                            "it needs `{}`, which can never start",
                            self.jobs[from.index()].name
                        ),
                    });
                }
            }
        }
    }

    /// Takes away the needs that skipped jobs make void.
    fn filter(&mut self, skipped: &BTreeMap<JobId, Arc<str>>) {
        let mut targets = self.targets.iter_mut();
        for (index, job) in self.jobs.iter().enumerate() {
            let id = JobId::from_index(index);
            for (need, members) in job.needs.iter().zip(&mut targets) {
                // All the jobs made from one share its condition.
                let Some(target) = members.first() else {
                    continue;
                };
                if !waits(skipped, id, need, target) {
                    *members = Span::EMPTY;
                } else if skipped.contains_key(&target)
                    && !need.accept.contains(OutcomeKind::Skipped)
                {
                    self.problems.push(Problem::FilteredDependency {
                        job: job.name.to_string(),
                        needs: need.job.to_string(),
                    });
                    *members = Span::EMPTY;
                }
            }
        }
    }
}

/// Reports the jobs of which steps attach the workspace and that are none. One that stands not before
/// the job added nothing yet, which is no mistake: it may be so on another branch.
pub(super) fn check_sources(jobs: &[JobSpec], names: &Names, problems: &mut Vec<Problem>) {
    let mut suggest = Suggest::new();
    let mut good = GoodSteps::default();
    for job in jobs {
        good.check(job, problems, |problems| {
            for (index, from) in sources(job) {
                if names.members(jobs, from).is_some() {
                    continue;
                }
                let declared = names.groups().map(|(name, _)| &**name);
                let candidates = jobs.iter().map(|job| &*job.name).chain(declared);
                problems.push(Problem::UnknownSource {
                    place: Place::step(job, index),
                    from: from.clone(),
                    did_you_mean: suggest.closest(from, candidates).map(str::to_owned),
                });
            }
        });
    }
}

/// The jobs of which a job attaches the workspace, each with the index of the step that does.
fn sources(job: &JobSpec) -> impl Iterator<Item = (usize, &String)> {
    let steps = job.steps.iter().enumerate();
    steps.flat_map(|(index, step)| {
        let from: &[String] = match &step.action {
            Action::AttachWorkspace(workspace) => &workspace.from,
            _ => &[],
        };
        from.iter().map(move |from| (index, from))
    })
}

/// Why the needs of `job` alone keep it from ever starting.
fn contradiction(job: &JobSpec, targets: &[Span]) -> Option<String> {
    let (first, rest) = job.needs.split_first()?;
    let unusual = |need: &&Need| need.accept != OutcomeSet::SUCCESS;
    for need in job.needs.iter().filter(unusual) {
        if need.accept.iter().next().is_none() {
            return Some(format!("it accepts no outcome of `{}`", need.job));
        }
        // A job on hold stays so until the run ends.
        if need.accept.iter().all(|kind| kind == OutcomeKind::OnHold) {
            return Some(format!("it waits until `{}` is held for good", need.job));
        }
    }
    if rest.iter().all(|need| need.accept == first.accept) {
        return None;
    }
    let mut accepts: BTreeMap<JobId, OutcomeSet> = BTreeMap::new();
    for (need, members) in job.needs.iter().zip(targets) {
        for target in members.jobs() {
            let common = accepts.entry(target).or_insert(OutcomeSet::ANY);
            let both: Vec<OutcomeKind> = common
                .iter()
                .filter(|kind| need.accept.contains(*kind))
                .collect();
            *common = OutcomeSet::of(&both);
            if both.is_empty() {
                return Some(format!(
                    "it needs `{}` more than once, with outcomes that exclude each other",
                    need.job
                ));
            }
        }
    }
    None
}
