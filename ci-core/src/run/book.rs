//! What the reports of the jobs said so far.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::reported::MOST_VALUES;
use crate::event::{CoverageTotals, FindingCounts, JobReports, MetricValue, TestCounts};
use crate::id::JobId;

/// How many bad tests are named where there is room for a few.
const NAMED: usize = 3;

/// The reports of all jobs. Most runs have none, and then it costs a look at a flag.
#[derive(Debug, Default)]
pub(super) struct Book {
    used: AtomicBool,
    pages: Mutex<HashMap<JobId, Page>>,
    /// The jobs with gates on coverage that are done, and that these gates may be judged with.
    done: Mutex<HashSet<JobId>>,
}

/// What the reports of the last attempt of a job said.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    pub(super) tests: Option<TestCounts>,
    pub(super) bad: BadTests,
    pub(super) coverage: Option<CoverageTotals>,
    /// The values, as many as the end of a job lists.
    pub(super) metrics: Vec<MetricValue>,
    pub(super) findings: Option<FindingCounts>,
    /// The directories that paths in its coverage reports may be below.
    pub(super) roots: Vec<String>,
}

/// The tests that are bad in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct BadTests {
    /// How many count against the job.
    pub(super) counting: u64,
    /// How many are in quarantine.
    pub(super) quarantined: u64,
    /// What went wrong outside of tests.
    pub(super) problems: u64,
    /// The first of those that count, in words.
    pub(super) named: Vec<String>,
}

impl BadTests {
    /// Notes a bad test.
    pub(super) fn add(&mut self, id: String, quarantined: bool) {
        if quarantined {
            self.quarantined += 1;
        } else {
            self.counting += 1;
            self.name(id);
        }
    }

    /// Notes something that went wrong outside of tests.
    pub(super) fn add_problem(&mut self, words: String) {
        self.problems += 1;
        self.name(words);
    }

    fn name(&mut self, words: String) {
        if self.named.len() < NAMED {
            self.named.push(words);
        }
    }

    fn merge(&mut self, other: Self) {
        self.counting += other.counting;
        self.quarantined += other.quarantined;
        self.problems += other.problems;
        other.named.into_iter().for_each(|words| self.name(words));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Book {
    fn is_used(&self) -> bool {
        self.used.load(Ordering::Acquire)
    }

    /// An attempt of a job begins: what earlier ones said counts no longer.
    pub(super) fn begin(&self, job: JobId) {
        if self.is_used() {
            lock(&self.pages).remove(&job);
            lock(&self.done).remove(&job);
        }
    }

    fn change(&self, job: JobId, change: impl FnOnce(&mut Page)) {
        self.used.store(true, Ordering::Release);
        change(lock(&self.pages).entry(job).or_default());
    }

    /// Adds the tests of a step.
    pub(super) fn add_tests(&self, job: JobId, counts: &TestCounts, bad: BadTests) {
        self.change(job, |page| {
            page.tests.get_or_insert_default().merge(counts);
            page.bad.merge(bad);
        });
    }

    /// Adds the coverage of a step. Exact for steps that cover different files; where gates need the
    /// whole truth, the reports themselves are merged.
    pub(super) fn add_coverage(&self, job: JobId, totals: &CoverageTotals) {
        self.change(job, |page| {
            let all = page.coverage.get_or_insert_default();
            for (all, one) in [
                (&mut all.lines, totals.lines),
                (&mut all.branches, totals.branches),
                (&mut all.functions, totals.functions),
            ] {
                all.covered = all.covered.saturating_add(one.covered);
                all.total = all.total.saturating_add(one.total);
            }
            all.stated = totals.stated.or(all.stated);
        });
    }

    /// Adds the values of a step.
    pub(super) fn add_metrics(&self, job: JobId, values: &[MetricValue]) {
        self.change(job, |page| {
            let room = MOST_VALUES.saturating_sub(page.metrics.len());
            page.metrics.extend(values.iter().take(room).cloned());
        });
    }

    /// Adds the findings of a step.
    pub(super) fn add_findings(&self, job: JobId, counts: &FindingCounts) {
        self.change(job, |page| {
            page.findings.get_or_insert_default().merge(counts);
        });
    }

    /// Notes where the job worked.
    pub(super) fn add_root(&self, job: JobId, root: String) {
        self.change(job, |page| page.roots.push(root));
    }

    /// Takes what an earlier life of the run, or the run that is repeated, said of a job.
    pub(super) fn restore(&self, job: JobId, earlier: Option<Page>, fine: bool) {
        if let Some(earlier) = earlier {
            self.change(job, |page| *page = earlier);
        }
        if fine {
            lock(&self.done).insert(job);
        }
    }

    /// What the reports of a job said.
    pub(super) fn page(&self, job: JobId) -> Page {
        if !self.is_used() {
            return Page::default();
        }
        lock(&self.pages).get(&job).cloned().unwrap_or_default()
    }

    /// What the reports of a job came to, if it kept any.
    pub(super) fn reports(&self, job: JobId) -> Option<Arc<JobReports>> {
        if !self.is_used() {
            return None;
        }
        let pages = lock(&self.pages);
        let page = pages.get(&job)?;
        let reports = JobReports {
            tests: page.tests,
            coverage: page.coverage,
            metrics: page.metrics.clone(),
            findings: page.findings,
        };
        (reports != JobReports::default()).then(|| Arc::new(reports))
    }

    /// Notes that a shard is done, and says whether all of `shards` are. One of them at most gets to
    /// hear that it was the last.
    #[cfg(any(test, all(feature = "reports", feature = "storage")))]
    pub(super) fn is_last(&self, job: JobId, shards: &[JobId]) -> bool {
        self.used.store(true, Ordering::Release);
        let mut done = lock(&self.done);
        done.insert(job);
        shards.iter().all(|shard| done.contains(shard))
    }

    /// Takes back that a shard is done: it did not pass.
    #[cfg(any(test, all(feature = "reports", feature = "storage")))]
    pub(super) fn reopen(&self, job: JobId) {
        lock(&self.done).remove(&job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(index: usize) -> JobId {
        JobId::from_index(index)
    }

    #[test]
    fn only_the_last_shard_hears_that_it_is() {
        let book = Book::default();
        let shards = [id(0), id(1), id(2)];
        assert!(!book.is_last(id(1), &shards));
        book.restore(id(0), None, true);
        assert!(book.is_last(id(2), &shards));
        book.begin(id(1));
        assert!(!book.is_last(id(2), &shards), "one runs again");
        assert!(book.is_last(id(1), &shards));
    }

    #[test]
    fn a_new_attempt_starts_from_nothing() {
        let book = Book::default();
        assert!(book.reports(id(0)).is_none());
        let counts = TestCounts {
            tests: 2,
            failed: 1,
            ..TestCounts::default()
        };
        let mut bad = BadTests::default();
        bad.add("a::b".into(), false);
        bad.add("a::c".into(), true);
        book.add_tests(id(0), &counts, bad.clone());
        book.add_tests(id(0), &counts, bad);
        let page = book.page(id(0));
        assert_eq!((page.bad.counting, page.bad.quarantined), (2, 2));
        assert_eq!(book.reports(id(0)).unwrap().tests.unwrap().tests, 4);
        book.begin(id(0));
        assert!(book.reports(id(0)).is_none());
    }
}
