//! The stages that have a time budget: what each has spent, and whose jobs it counts.

use std::collections::HashMap;
use std::time::Duration;

use crate::id::JobId;
use crate::workflow::{Budget, OverBudget, Plan};

/// The stages with a budget, by the place of their budget.
#[derive(Debug)]
pub(super) struct Stages {
    stages: Vec<Stage>,
    stage_of: HashMap<JobId, u32>,
}

#[derive(Debug)]
struct Stage {
    limit: Duration,
    over: OverBudget,
    started: Option<Duration>,
    ended: Duration,
    undone: usize,
}

impl Stages {
    pub(super) fn new(plan: &Plan, budgets: &[Budget]) -> Self {
        let mut stage_of = HashMap::new();
        let mut stages = Vec::with_capacity(budgets.len());
        for (index, budget) in (0u32..).zip(budgets) {
            let members = plan
                .dag
                .jobs()
                .filter(|job| plan.job(*job).options.stage.as_ref() == Some(&budget.stage));
            let before = stage_of.len();
            stage_of.extend(members.map(|job| (job, index)));
            stages.push(Stage {
                limit: budget.limit,
                over: budget.over,
                started: None,
                ended: Duration::ZERO,
                undone: stage_of.len() - before,
            });
        }
        Self { stages, stage_of }
    }

    /// A job began. Gives the stage and the end of its budget if it was the first of it.
    pub(super) fn started(&mut self, job: JobId, now: Duration) -> Option<(u32, Duration)> {
        let index = *self.stage_of.get(&job)?;
        let stage = &mut self.stages[index as usize];
        if stage.started.is_some() {
            return None;
        }
        stage.started = Some(now);
        Some((index, now + stage.limit))
    }

    /// A job ended for good.
    pub(super) fn ended(&mut self, job: JobId, now: Duration) {
        if let Some(index) = self.stage_of.get(&job) {
            let stage = &mut self.stages[*index as usize];
            stage.ended = now;
            stage.undone = stage.undone.saturating_sub(1);
        }
    }

    /// The budget of a stage is over. Gives the jobs to stop; `None` if all have ended.
    pub(super) fn over(&self, index: u32) -> Option<Vec<JobId>> {
        let stage = &self.stages[index as usize];
        if stage.undone == 0 {
            return None;
        }
        if stage.over != OverBudget::Fail {
            return Some(Vec::new());
        }
        let members = self.stage_of.iter().filter(|(_, stage)| **stage == index);
        let mut members: Vec<JobId> = members.map(|(job, _)| *job).collect();
        members.sort_unstable();
        Some(members)
    }

    /// What each stage has spent; `None` if it never began.
    pub(super) fn spent(&self) -> impl Iterator<Item = Option<Duration>> {
        self.stages.iter().map(|stage| {
            let started = stage.started?;
            Some(stage.ended.saturating_sub(started))
        })
    }
}
