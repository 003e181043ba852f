//! The tests and the coverage that a store in memory has.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::LogKey;
use crate::event::{CoverageTotals, EventRecord, RunEvent, TestRecord};
use crate::id::RunId;

/// A step of an attempt of a job of a run, in the order in which a store lists them.
pub(super) type Place = (RunId, Arc<str>, u32, u32);

/// The tests and the coverage of all runs.
#[derive(Debug, Default)]
pub(super) struct KeptReports {
    pub(super) tests: BTreeMap<Place, Vec<TestRecord>>,
    pub(super) coverage: BTreeMap<Place, CoverageTotals>,
}

impl KeptReports {
    /// Takes what an event says of coverage.
    pub(super) fn note(&mut self, record: &EventRecord) {
        if let RunEvent::Coverage {
            job,
            attempt,
            step,
            totals,
            ..
        } = &record.event
        {
            let place = (record.run, Arc::clone(job), *attempt, *step);
            self.coverage.insert(place, *totals);
        }
    }

    /// Keeps the tests of a step in the place of those before.
    pub(super) fn keep(&mut self, key: &LogKey, tests: Vec<TestRecord>) {
        let place = (key.run, Arc::clone(&key.job), key.attempt, key.step);
        self.tests.insert(place, tests);
    }

    /// Forgets runs.
    pub(super) fn remove(&mut self, runs: &[RunId]) {
        self.tests.retain(|place, _| !runs.contains(&place.0));
        self.coverage.retain(|place, _| !runs.contains(&place.0));
    }
}

/// The step at a place.
pub(super) fn key_of((run, job, attempt, step): &Place) -> LogKey {
    LogKey {
        run: *run,
        job: Arc::clone(job),
        attempt: *attempt,
        step: *step,
    }
}
