//! What of the logs of a run is missing, or cannot be read any more.

use std::path::Path;

use super::LogDir;
use super::index::damaged;
use super::own;
use super::pack;
use crate::event::RunEvent;
use crate::id::RunId;
use crate::store::{StoreError, StoreErrorKind, StoredRun};

/// What the journal of a run lets expect of its logs.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Expected {
    /// Whether a job had a session, before which its log is opened.
    pub(super) has_logs: bool,
    /// Whether a process died: the last thing it wrote may be cut off.
    pub(super) was_killed: bool,
    /// Whether the run has ended: the process that did it wrote all that it had.
    pub(super) has_ended: bool,
}

impl Expected {
    pub(in crate::store) fn of(run: &StoredRun) -> Self {
        let any = |is: fn(&RunEvent) -> bool| run.journal.iter().any(|record| is(&record.event));
        Self {
            has_logs: any(|event| matches!(event, RunEvent::JobPrepared { .. })),
            was_killed: any(|event| matches!(event, RunEvent::RunStarted { resumed: true, .. })),
            has_ended: run.summary.outcome.is_some(),
        }
    }
}

impl LogDir {
    /// An error for each file of a run that nobody writes any more and that is not whole.
    pub(in crate::store) fn damage(
        &self,
        run: RunId,
        expected: Expected,
    ) -> Result<Vec<StoreError>, StoreError> {
        let run_dir = self.run_dir(run);
        let index = self.index(run);
        let mut index = super::dir::lock(&index);
        index.refresh(&run_dir)?;
        let mut found = Vec::new();
        let last = index.numbers().max().unwrap_or(0);
        for number in 1..=last {
            let path = pack::path_of(&run_dir, number);
            if !index.numbers().any(|it| it == number) {
                found.push(missing(&path));
                continue;
            }
            let may_be_cut = !expected.has_ended || (expected.was_killed && number < last);
            if index.is_damaged(number) || (!may_be_cut && index.rest(number) > 0) {
                found.push(damaged(&path));
            }
        }
        drop(index);
        let may_be_cut = !expected.has_ended || expected.was_killed;
        let mut has_own = false;
        for (_, dir) in own::jobs(&run_dir, None) {
            for path in own::files_in(&dir) {
                has_own = true;
                let is_whole = own::is_whole(&path, may_be_cut);
                if !is_whole.map_err(|error| own::failed("read", &path, error))? {
                    found.push(damaged(&path));
                }
            }
        }
        if last == 0 && !has_own && expected.has_logs {
            found.push(missing(&run_dir));
        }
        Ok(found)
    }
}

/// What the run has written is not there.
fn missing(path: &Path) -> StoreError {
    let message = format!("the log `{}` is missing", path.display());
    StoreError::new(StoreErrorKind::Damaged, message).with_hint(
        "logs are in the directory beside the store and move with it: bring them back, or run the \
         jobs again with `ci rerun`",
    )
}
