//! A machine with a clock, driven by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::id::JobId;
use crate::job::JobSpec;
use crate::outcome::{Outcome, OutcomeKind};
use crate::scheduler::{JobState, Limits, Machine, Notice, Ticket};
use crate::workflow::{Plan, RunFacts, WorkflowSpec};

pub(super) const ZERO: Duration = Duration::ZERO;

pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(super) fn plan(jobs: Vec<JobSpec>) -> Arc<Plan> {
    let spec = WorkflowSpec::builder("test")
        .jobs(jobs)
        .build()
        .expect("a valid workflow");
    Arc::new(spec.plan(&RunFacts::default()).expect("a plan"))
}

/// A machine with a clock, driven by hand.
pub(super) struct Bench {
    pub(super) plan: Arc<Plan>,
    pub(super) machine: Machine,
    pub(super) now: Duration,
    pub(super) running: BTreeMap<JobId, Ticket>,
    pub(super) notices: Vec<Notice>,
}

impl Bench {
    pub(super) fn new(jobs: Vec<JobSpec>, limits: Limits) -> Self {
        let plan = plan(jobs);
        let mut machine = Machine::new(Arc::clone(&plan), limits);
        machine.start(ZERO).expect("a legal start");
        let mut bench = Self {
            plan,
            machine,
            now: ZERO,
            running: BTreeMap::new(),
            notices: Vec::new(),
        };
        bench.pop();
        bench
    }

    pub(super) fn pop(&mut self) -> Vec<JobId> {
        let mut popped = Vec::new();
        while let Some(ticket) = self.machine.pop(self.now).expect("a legal pop") {
            self.running.insert(ticket.job, ticket);
            popped.push(ticket.job);
        }
        let mut buffer = Vec::new();
        self.machine.swap_notices(&mut buffer);
        self.notices.append(&mut buffer);
        popped
    }

    pub(super) fn id(&self, name: &str) -> JobId {
        self.plan.find(name).expect("the job exists")
    }

    pub(super) fn finish(&mut self, name: &str, outcome: Outcome) -> Vec<String> {
        let job = self.id(name);
        self.running.remove(&job).expect("the job runs");
        self.machine
            .finish(job, outcome, seconds(1), self.now, || 0.5)
            .expect("a legal end");
        let popped = self.pop();
        popped
            .iter()
            .map(|job| self.plan.job(*job).name.to_string())
            .collect()
    }

    pub(super) fn advance(&mut self, now: Duration) -> Vec<String> {
        self.now = now;
        self.machine.advance(now).expect("legal timers");
        let popped = self.pop();
        popped
            .iter()
            .map(|job| self.plan.job(*job).name.to_string())
            .collect()
    }

    pub(super) fn outcome(&self, name: &str) -> OutcomeKind {
        let job = self.id(name);
        assert_eq!(
            self.machine.state(job),
            JobState::Done,
            "`{name}` has not ended"
        );
        self.machine.record(job).outcome.kind()
    }

    pub(super) fn running(&self) -> Vec<String> {
        self.running
            .keys()
            .map(|job| self.plan.job(*job).name.to_string())
            .collect()
    }
}

pub(super) fn failed() -> Outcome {
    Outcome::from_exit_code(1)
}
