//! Takes what a step read of reports: into the store, the book of the run, and the events.

use std::sync::Arc;

use super::book::BadTests;
use super::services::JobServices;
use super::stated::Stated;
use crate::event::{
    CoverageTotals, FindingCounts, FindingRecord, MetricValue, ReportFile, RunEvent, TestCounts,
    TestRecord,
};
use crate::step::StepServices;
use crate::store::LogKey;

/// How many bad tests an event lists.
const MOST_LISTED: usize = 100;
/// How many values an event and the end of a job list.
pub(super) const MOST_VALUES: usize = 500;

impl JobServices {
    /// Takes the test results of a step.
    pub(super) fn note_tests(
        &self,
        step: u32,
        files: Vec<ReportFile>,
        mut tests: Vec<TestRecord>,
        mut problems: Vec<String>,
    ) {
        let (host, job, attempt) = (self.host(), self.ticket().job, self.ticket().attempt);
        let rules = &self.job().options.reports;
        let mut counts = TestCounts::default();
        let masked = |text: &mut String| *text = host.secrets.mask(text);
        for test in &mut tests {
            if !host.secrets.is_empty() {
                [&mut test.suite, &mut test.class, &mut test.name]
                    .into_iter()
                    .chain(&mut test.file)
                    .chain(&mut test.message)
                    .for_each(masked);
            }
            test.quarantined = test.outcome.is_bad() && rules.is_quarantined(&test.id());
            counts.add(test.outcome, test.flaky, test.time);
        }
        problems.iter_mut().for_each(masked);
        let mut bad = BadTests::default();
        let mut listed = Vec::new();
        for test in TestRecord::bad_in_the_end(&tests) {
            bad.add(test.id(), test.quarantined);
            if listed.len() < MOST_LISTED {
                listed.push(test.clone());
            }
        }
        for problem in problems {
            bad.add_problem(problem);
        }
        host.book.add_tests(job, &counts, bad);
        let name = Arc::clone(&self.job().name);
        if let Some(store) = &host.store {
            let key = LogKey {
                run: host.run,
                job: Arc::clone(&name),
                attempt,
                step,
            };
            // Like an event on which nothing depends: durable soon.
            drop(store.keep_tests(&key, tests));
        }
        host.recorder.note(RunEvent::TestResults {
            job: name,
            attempt,
            step,
            counts,
            files: self.masked_files(files),
            failed: listed,
        });
    }

    /// Takes the coverage of a step.
    pub(super) fn note_coverage(&self, step: u32, files: Vec<ReportFile>, totals: CoverageTotals) {
        let (host, job, attempt) = (self.host(), self.ticket().job, self.ticket().attempt);
        host.book.add_coverage(job, &totals);
        let work_dir = self.working_dir();
        if let Some(root) = &work_dir {
            host.book.add_root(job, root.clone());
        }
        host.recorder.note(RunEvent::Coverage {
            job: Arc::clone(&self.job().name),
            attempt,
            step,
            totals,
            work_dir,
            files: self.masked_files(files),
        });
    }

    /// Takes the values of a step.
    pub(super) fn note_metrics(
        &self,
        step: u32,
        files: Vec<ReportFile>,
        mut values: Vec<MetricValue>,
    ) {
        let (host, job, attempt) = (self.host(), self.ticket().job, self.ticket().attempt);
        let count = values.len() as u64;
        values.truncate(MOST_VALUES);
        if !host.secrets.is_empty() {
            for value in &mut values {
                value.name = host.secrets.mask(&value.name);
            }
        }
        host.book.add_metrics(job, &values);
        host.recorder.note(RunEvent::Metrics {
            job: Arc::clone(&self.job().name),
            attempt,
            step,
            count,
            values,
            files: self.masked_files(files),
        });
    }

    /// Takes the findings of a step.
    pub(super) fn note_findings(
        &self,
        step: u32,
        files: Vec<ReportFile>,
        counts: FindingCounts,
        mut worst: Vec<FindingRecord>,
    ) {
        let (host, job, attempt) = (self.host(), self.ticket().job, self.ticket().attempt);
        worst.truncate(MOST_LISTED);
        self.mask_findings(&mut worst);
        host.book.add_findings(job, &counts);
        host.recorder.note(RunEvent::Findings {
            job: Arc::clone(&self.job().name),
            attempt,
            step,
            counts,
            worst,
            files: self.masked_files(files),
        });
    }

    /// Takes the secrets out of findings.
    pub(super) fn mask_findings(&self, findings: &mut [FindingRecord]) {
        let secrets = &self.host().secrets;
        if !secrets.is_empty() {
            for finding in findings {
                for text in [&mut finding.rule, &mut finding.place, &mut finding.message] {
                    *text = secrets.mask(text);
                }
            }
        }
    }

    /// What looks for the coverage in the output of the job, if it has a pattern for it.
    pub(super) fn stated(&self) -> Option<&Arc<Stated>> {
        let pattern = self.job().options.reports.coverage_pattern.as_ref()?;
        let make = || match Stated::new(pattern) {
            Ok(stated) => Some(Arc::new(stated)),
            Err(words) => {
                self.host().warn(Some(Arc::clone(&self.job().name)), words);
                None
            }
        };
        self.used().stated.get_or_init(make).as_ref()
    }

    /// Takes the coverage that the output of the job states, if it does.
    pub(super) fn note_stated(&self) {
        if let Some((step, percent)) = self.stated().and_then(|stated| stated.found()) {
            let totals = CoverageTotals {
                stated: Some(percent),
                ..CoverageTotals::default()
            };
            self.note_coverage(step, Vec::new(), totals);
        }
    }

    fn masked_files(&self, mut files: Vec<ReportFile>) -> Vec<ReportFile> {
        let secrets = &self.host().secrets;
        if !secrets.is_empty() {
            for file in &mut files {
                file.path = secrets.mask(&file.path);
                for diagnostic in &mut file.diagnostics {
                    diagnostic.message = secrets.mask(&diagnostic.message);
                }
            }
        }
        files
    }
}
