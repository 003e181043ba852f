//! What every picture of a plan shows: nodes, edges, stages, and the words on them.

use std::collections::HashMap;

use crate::id::JobId;
use crate::job::{JobSpec, Start};
use crate::outcome::{OutcomeKind, OutcomeSet};
use crate::workflow::Plan;

/// A plan as nodes and edges to draw.
#[derive(Debug)]
pub(super) struct Picture<'a> {
    pub(super) title: &'a str,
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) edges: Vec<Line>,
    /// The names of the stages, in the order in which they first occur.
    pub(super) stages: Vec<&'a str>,
}

/// A job to draw.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    /// What is special about the job, in a few words; empty for most.
    pub(super) note: String,
    /// The stage, as an index into [`Picture::stages`].
    pub(super) stage: Option<usize>,
    /// Why it is not part of the run.
    pub(super) skipped: Option<&'a str>,
    /// Whether it is a teardown job.
    pub(super) always: bool,
}

/// A dependency to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Line {
    pub(super) from: usize,
    pub(super) to: usize,
    accept: OutcomeSet,
    /// Whether nobody waits, because one end is not part of the run.
    pub(super) void: bool,
}

impl<'a> Picture<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let mut stages = Vec::new();
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let nodes = plan.jobs.iter().zip(plan.dag.jobs()).map(|(job, id)| {
            let stage = job.options.stage.as_deref().map(|stage| {
                *numbers.entry(stage).or_insert_with(|| {
                    stages.push(stage);
                    stages.len() - 1
                })
            });
            Node {
                name: &job.name,
                note: note(job),
                stage,
                skipped: plan.skipped.get(&id).map(AsRef::as_ref),
                always: job.options.always,
            }
        });
        Self {
            title: &plan.workflow,
            nodes: nodes.collect(),
            edges: lines(plan),
            stages,
        }
    }

    /// The nodes of each stage, and those of none.
    pub(super) fn by_stage(&self) -> (Vec<Vec<usize>>, Vec<usize>) {
        let mut stages = vec![Vec::new(); self.stages.len()];
        let mut rest = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            match node.stage {
                Some(stage) => stages[stage].push(index),
                None => rest.push(index),
            }
        }
        (stages, rest)
    }
}

impl Node<'_> {
    /// What a pointer that rests on the node is told.
    pub(super) fn tip(&self) -> String {
        let mut tip = self.name.to_owned();
        for words in [self.note.as_str(), self.skipped.unwrap_or_default()] {
            if !words.is_empty() {
                tip.push_str("; ");
                tip.push_str(words);
            }
        }
        tip
    }
}

impl Line {
    /// The outcomes that it accepts, where that is not just success.
    pub(super) fn label(&self) -> Option<String> {
        if self.accept == OutcomeSet::SUCCESS {
            return None;
        }
        if self.accept == OutcomeSet::ANY {
            return Some("any".to_owned());
        }
        let kinds: Vec<&str> = self.accept.iter().map(OutcomeKind::as_str).collect();
        Some(kinds.join(", "))
    }
}

fn note(job: &JobSpec) -> String {
    let mut words = Vec::new();
    match &job.options.start {
        Start::Auto => {}
        Start::Delayed(delay) => words.push(format!("after {delay:?}")),
        Start::Manual { optional: true, .. } => words.push("manual, optional".to_owned()),
        Start::Manual { .. } => words.push("manual".to_owned()),
    }
    if job.options.always {
        words.push("always".to_owned());
    }
    if job.options.allow_failure != crate::job::AllowFailure::Never {
        words.push("may fail".to_owned());
    }
    words.join(", ")
}

/// The edges of the graph, and those that the jobs left out of the run would have had.
fn lines(plan: &Plan) -> Vec<Line> {
    let skipped = |id: JobId| plan.skipped.contains_key(&id);
    let mut lines: Vec<Line> = Vec::new();
    for from in plan.dag.jobs() {
        lines.extend(plan.dag.edges(from).iter().map(|edge| Line {
            from: from.index(),
            to: edge.to.index(),
            accept: edge.accept,
            void: skipped(from),
        }));
    }
    if plan.skipped.is_empty() {
        return lines;
    }
    for (to, job) in plan.dag.jobs().zip(plan.jobs.iter()) {
        for need in &job.needs {
            for from in plan.members(&need.job) {
                if skipped(to) || (need.optional && skipped(from)) {
                    lines.push(Line {
                        from: from.index(),
                        to: to.index(),
                        accept: need.accept,
                        void: true,
                    });
                }
            }
        }
    }
    lines
}
