//! Takes what a step read of reports: into the store, the book of the run, and the events.

use std::sync::Arc;

use super::book::BadTests;
use super::services::JobServices;
use super::stated::Stated;
use crate::event::{CoverageTotals, ReportFile, RunEvent, TestCounts, TestRecord};
use crate::step::StepServices;
use crate::store::LogKey;

/// How many bad tests an event lists.
const MOST_LISTED: usize = 100;

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
