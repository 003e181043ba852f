//! What is found out while a project compiles: problems, and rows of the fidelity report.

use std::rc::Rc;
use std::sync::Arc;

use super::cache::Cache;
use crate::config::fidelity::{Level, Row};
use crate::yaml::Mark;
use crate::yaml::problem::Problems;

/// What is found out while a project compiles.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) cache: Rc<Cache>,
    pub(super) problems: Problems,
    pub(super) rows: Vec<Row>,
    /// Whether an include was left out: what is unknown may have been in it.
    pub(super) stubbed: bool,
}

impl Notes {
    pub(super) fn missing(&mut self, mark: &Mark, key: &str, why: impl Into<String>) {
        self.row(Row::new(Level::Missing, mark, key, why));
    }

    pub(super) fn of_job(
        &mut self,
        level: Level,
        mark: &Mark,
        job: &Arc<str>,
        key: &str,
        why: impl Into<String>,
    ) {
        self.row(Row::new(level, mark, key, why).of_job(job));
    }

    pub(super) fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The rows in the order of their places, each once: a base that many jobs extend says it once.
    pub(super) fn take_rows(&mut self) -> Vec<Row> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by(|a, b| (a.mark.place(), &a.key).cmp(&(b.mark.place(), &b.key)));
        rows.dedup_by(|a, b| a.mark == b.mark && a.key == b.key && a.why == b.why);
        rows
    }
}
