//! What the journal of a run says about its jobs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::event::{EventRecord, JobReports, RunEvent};
use crate::outcome::{CancelReason, Outcome};
use crate::scheduler::JobEnd;

/// The state of a run's jobs as its journal tells it.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The jobs that ended for good.
    pub(super) ended: HashMap<Arc<str>, JobEnd>,
    /// What the reports of these jobs came to.
    pub(super) reports: HashMap<Arc<str>, Arc<JobReports>>,
    /// Where they worked, for the paths in their coverage reports.
    pub(super) work_dirs: HashMap<Arc<str>, Vec<String>>,
    /// How many attempts of other jobs failed and were to be repeated.
    pub(super) failed_attempts: HashMap<Arc<str>, u32>,
    /// The decisions about held jobs.
    pub(super) decisions: HashMap<Arc<str>, Decision>,
    /// The executors that jobs were given to.
    pub(super) executors: HashSet<Arc<str>>,
    /// The outcome the run ended with, if it has.
    pub(super) finished: Option<crate::outcome::OutcomeKind>,
    /// The number of the last event.
    pub(super) last_seq: u64,
}

/// What somebody decided about a held job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) approved: bool,
    pub(super) by: String,
}

impl History {
    /// Reads a journal, oldest event first.
    pub(super) fn of(journal: &[EventRecord]) -> Self {
        let mut history = Self::default();
        for record in journal {
            history.last_seq = history.last_seq.max(record.seq);
            match &record.event {
                RunEvent::JobFinished {
                    job,
                    result,
                    attempts,
                    duration,
                    reports,
                    ..
                } => {
                    if let Some(reports) = reports {
                        history.reports.insert(Arc::clone(job), Arc::clone(reports));
                    }
                    let end = JobEnd {
                        outcome: result.clone(),
                        attempts: *attempts,
                        spent: *duration,
                    };
                    history.ended.insert(Arc::clone(job), end);
                }
                RunEvent::JobStarted { executor, .. } => {
                    history.executors.insert(Arc::clone(executor));
                }
                RunEvent::JobRetrying { job, attempt, .. } => {
                    history.failed_attempts.insert(Arc::clone(job), *attempt);
                }
                RunEvent::JobApproved { job, approved, by } => {
                    let decision = Decision {
                        approved: *approved,
                        by: by.clone(),
                    };
                    history.decisions.insert(Arc::clone(job), decision);
                }
                RunEvent::Coverage {
                    job,
                    work_dir: Some(dir),
                    ..
                } => {
                    let dirs = history.work_dirs.entry(Arc::clone(job)).or_default();
                    dirs.push(dir.clone());
                }
                RunEvent::RunFinished { outcome, .. } => history.finished = Some(*outcome),
                _ => {}
            }
        }
        history.forget_shutdown();
        history
    }

    /// Jobs that ended only because the engine was told to end have not had their chance.
    fn forget_shutdown(&mut self) {
        self.ended
            .retain(|_, end| end.outcome != Outcome::Canceled(CancelReason::Shutdown));
    }
}
