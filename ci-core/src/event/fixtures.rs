//! Events for tests: one of each kind, any at all, and runs told in a few words.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{
    CoverageRatio, CoverageTotals, EventRecord, FindingCounts, FindingRecord, FindingSeverity,
    GateOutcome, JobInfo, JobReports, JobResult, MetricGate, MetricValue, ReportDiagnostic,
    ReportFile, RunEvent, StoredKind, TestCounts, TestOutcome, TestRecord,
};
use crate::clock::Timestamp;
use crate::id::RunId;
use crate::outcome::{CancelReason, Failure, Outcome, OutcomeKind, TimeLimit};
use crate::session::Stream;

/// A run id that does not change from test to test.
pub(super) fn run_id() -> RunId {
    "0193f2a4-7c1e-7000-8000-000000000000".parse().unwrap()
}

/// When the runs of the tests begin.
pub(super) const START: u64 = 1_790_000_000_000;

/// A job as the start of a run shows it.
pub(super) fn info(name: &str, needs: &[&str], steps: u32) -> JobInfo {
    JobInfo {
        name: name.into(),
        needs: needs.iter().map(|&need| need.into()).collect(),
        stage: None,
        executor: "local".into(),
        steps,
    }
}

/// How a job ended.
pub(super) fn result(name: &str, outcome: &Outcome, attempts: u32, seconds: f64) -> JobResult {
    JobResult {
        name: name.into(),
        outcome: outcome.kind(),
        exit_code: outcome.exit_code(),
        reason: outcome.reason(),
        attempts,
        duration: Duration::from_secs_f64(seconds),
        allowed: false,
        reports: None,
    }
}

/// Tells a run: each event with the seconds since its start.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) records: Vec<EventRecord>,
    now: Duration,
}

impl Story {
    pub(super) fn at(&mut self, seconds: f64) -> &mut Self {
        self.now = Duration::from_secs_f64(seconds);
        self
    }

    pub(super) fn push(&mut self, event: RunEvent) -> &mut Self {
        let millis = u64::try_from(self.now.as_millis()).unwrap();
        self.records.push(EventRecord {
            run: run_id(),
            seq: self.records.len() as u64 + 1,
            time: Timestamp::from_millis(START + millis),
            event,
        });
        self
    }

    pub(super) fn run(&mut self, jobs: Vec<JobInfo>) -> &mut Self {
        self.push(RunEvent::RunStarted {
            workflow: "quickstart".into(),
            jobs,
            resumed: false,
        })
    }

    pub(super) fn start(&mut self, job: &str, attempt: u32) -> &mut Self {
        self.push(RunEvent::JobStarted {
            job: job.into(),
            attempt,
            executor: "local".into(),
        })
    }

    pub(super) fn step(&mut self, job: &str, step: u32, name: &str) -> &mut Self {
        self.push(RunEvent::StepStarted {
            job: job.into(),
            attempt: 1,
            step,
            name: name.into(),
        })
    }

    pub(super) fn say(&mut self, job: &str, step: u32, text: &str) -> &mut Self {
        self.push(RunEvent::Output {
            job: job.into(),
            step,
            stream: Stream::Stdout,
            text: text.into(),
        })
    }

    pub(super) fn step_end(&mut self, job: &str, step: u32, result: Outcome) -> &mut Self {
        self.push(RunEvent::StepFinished {
            job: job.into(),
            attempt: 1,
            step,
            result,
            duration: Duration::from_millis(1500),
        })
    }

    pub(super) fn end(&mut self, job: &str, result: Outcome, seconds: f64) -> &mut Self {
        let attempts = u32::from(!matches!(result, Outcome::NotRun(_) | Outcome::Skipped(_)));
        self.push(RunEvent::JobFinished {
            reused: false,
            job: job.into(),
            result,
            attempts,
            duration: Duration::from_secs_f64(seconds),
            allowed: false,
            reports: None,
        })
    }

    pub(super) fn finish(&mut self, outcome: OutcomeKind, jobs: Vec<JobResult>) -> &mut Self {
        let duration = self.now;
        self.push(RunEvent::RunFinished {
            run: run_id(),
            outcome,
            jobs,
            duration,
        })
    }
}

/// One event of each kind, as a reader of the documentation should see it.
pub(super) fn samples() -> Vec<EventRecord> {
    let failed = Outcome::from_exit_code(1);
    let mut jobs = vec![info("lint", &[], 2), info("build", &["lint"], 4)];
    jobs[0].stage = Some("check".into());
    let mut story = Story::default();
    story.run(jobs);
    let samples = job_samples().into_iter();
    for event in samples.chain(measured_samples()).chain(ended_samples()) {
        story.push(event);
    }
    story.at(43.5).push(RunEvent::BudgetExceeded {
        stage: "check".into(),
        limit: Duration::from_mins(5),
    });
    story.push(RunEvent::Warning {
        job: None,
        message: "the secret `TOKEN` is too short to be masked".into(),
    });
    story.push(RunEvent::RunCanceling {
        reason: CancelReason::FailFast,
    });
    story.finish(
        OutcomeKind::Failed,
        vec![
            result("lint", &failed, 2, 1.25),
            result("build", &Outcome::NotRun("`lint` failed".into()), 0, 0.0),
        ],
    );
    story.records
}

fn job_samples() -> Vec<RunEvent> {
    let lint = || Arc::<str>::from("lint");
    let seconds = Duration::from_secs_f64;
    vec![
        RunEvent::JobReady { job: lint() },
        RunEvent::JobHeld {
            job: lint(),
            prompt: Some("ship it?".into()),
        },
        RunEvent::JobApproved {
            job: lint(),
            approved: true,
            by: "ada".into(),
        },
        RunEvent::JobDelayed {
            job: lint(),
            until: Timestamp::from_millis(START + 60_000),
        },
        RunEvent::JobWaiting {
            job: lint(),
            reason: "group `staging`".into(),
        },
        RunEvent::JobStarted {
            job: lint(),
            attempt: 1,
            executor: "local".into(),
        },
        RunEvent::JobPrepared {
            job: lint(),
            duration: seconds(0.042),
        },
        RunEvent::StepStarted {
            job: lint(),
            attempt: 1,
            step: 0,
            name: "cargo clippy".into(),
        },
        RunEvent::Output {
            job: lint(),
            step: 0,
            stream: Stream::Stderr,
            text: "warning: unused variable\n".into(),
        },
        RunEvent::OutputDropped { bytes: 65536 },
        RunEvent::Stored {
            job: lint(),
            step: 1,
            kind: StoredKind::Artifact,
            name: "target/clippy.txt".into(),
            bytes: 2048,
            digest: Some("af1349b9f5f9a1a6".into()),
        },
        test_results(lint()),
        RunEvent::Coverage {
            job: lint(),
            attempt: 1,
            step: 2,
            totals: coverage(),
            work_dir: Some("/home/ci/project".into()),
            files: vec![report("lcov.info", "lcov")],
        },
        RunEvent::CoverageJudged {
            job: lint(),
            attempt: 1,
            shards: vec![lint()],
            totals: coverage(),
            passed: false,
            gates: vec![GateOutcome {
                gate: "lines".into(),
                path: None,
                threshold: 80.0,
                actual: Some(coverage().lines),
                passed: false,
                message: "75.00 % of the lines are covered (3 of 4), less than 80 %".into(),
            }],
        },
    ]
}

/// What is measured and found.
fn measured_samples() -> Vec<RunEvent> {
    let lint = || Arc::<str>::from("lint");
    vec![
        RunEvent::Metrics {
            job: lint(),
            attempt: 1,
            step: 3,
            count: 1,
            values: vec![size()],
            files: vec![report("metrics.json", "json")],
        },
        RunEvent::MetricsJudged {
            job: lint(),
            attempt: 1,
            base: "main".into(),
            passed: true,
            gates: vec![MetricGate {
                name: "binary_size".into(),
                value: Some(4096.0),
                median: Some(4000.0),
                deviation: Some(100.0),
                earlier: 20,
                change: Some(2.4),
                passed: true,
                message: "within 400.0000 of 4000, the median of 20 runs".into(),
            }],
        },
        RunEvent::Findings {
            job: lint(),
            attempt: 1,
            step: 4,
            counts: found(),
            worst: vec![finding()],
            files: vec![report("gl-sast-report.json", "gitlab_security")],
        },
        RunEvent::FindingsJudged {
            job: lint(),
            attempt: 1,
            new: found(),
            known: 2,
            passed: false,
            message: "1 new finding blocks, 0 warnings, 2 known".into(),
            blocking: vec![finding()],
        },
    ]
}

/// How steps and jobs end.
fn ended_samples() -> Vec<RunEvent> {
    let lint = || Arc::<str>::from("lint");
    let failed = || Outcome::from_exit_code(1);
    let seconds = Duration::from_secs_f64;
    vec![
        RunEvent::StepFinished {
            job: lint(),
            attempt: 1,
            step: 0,
            result: failed(),
            duration: seconds(1.1),
        },
        RunEvent::JobRetrying {
            job: lint(),
            attempt: 1,
            result: failed(),
            delay: seconds(2.0),
        },
        RunEvent::JobFinished {
            reused: false,
            job: lint(),
            result: failed(),
            attempts: 2,
            duration: seconds(1.25),
            allowed: false,
            reports: Some(reports()),
        },
    ]
}

fn report(path: &str, format: &str) -> ReportFile {
    ReportFile {
        path: path.into(),
        format: Some(format.into()),
        ..ReportFile::default()
    }
}

fn coverage() -> CoverageTotals {
    CoverageTotals {
        lines: CoverageRatio {
            covered: 3,
            total: 4,
        },
        ..CoverageTotals::default()
    }
}

/// Two tests, of which one failed.
fn counts() -> TestCounts {
    TestCounts {
        tests: 2,
        passed: 1,
        failed: 1,
        time: 0.25,
        ..TestCounts::default()
    }
}

/// What the reports of a job came to.
pub(super) fn reports() -> Arc<JobReports> {
    Arc::new(JobReports {
        tests: Some(counts()),
        coverage: Some(coverage()),
        metrics: vec![size()],
        findings: Some(found()),
    })
}

fn size() -> MetricValue {
    MetricValue {
        name: "binary_size".into(),
        value: 4096.0,
        unit: Some("bytes".into()),
    }
}

fn found() -> FindingCounts {
    FindingCounts {
        high: 1,
        ..FindingCounts::default()
    }
}

fn finding() -> FindingRecord {
    FindingRecord {
        severity: FindingSeverity::High,
        rule: "B602".into(),
        place: "run.py:12".into(),
        message: "a shell runs what users give".into(),
        tools: vec!["bandit".into()],
    }
}

/// Test results of which one failed, from two files of which one is none.
pub(super) fn test_results(job: Arc<str>) -> RunEvent {
    RunEvent::TestResults {
        job,
        attempt: 1,
        step: 1,
        counts: counts(),
        files: vec![
            report("junit.xml", "junit"),
            ReportFile {
                path: "notes.txt".into(),
                diagnostics: vec![ReportDiagnostic {
                    kind: "unknown_format".into(),
                    message: "it is no test report".into(),
                    ..ReportDiagnostic::default()
                }],
                ..ReportFile::default()
            },
        ],
        failed: vec![TestRecord {
            class: "a.B".into(),
            name: "slow".into(),
            outcome: TestOutcome::Failed,
            time: Some(0.2),
            message: Some("too slow".into()),
            ..TestRecord::default()
        }],
    }
}

/// Any record.
pub(super) fn any_record() -> impl Strategy<Value = EventRecord> {
    // The last millisecond that every reader of JSON keeps exactly is 2^53.
    let time = 0..(1_u64 << 53);
    (any::<u64>(), time, any_event()).prop_map(|(seq, time, event)| EventRecord {
        run: run_id(),
        seq,
        time: Timestamp::from_millis(time),
        event,
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z\u{1b}\r\n\t\\[;0-9m\"]{0,40}"]
}

fn name() -> impl Strategy<Value = Arc<str>> {
    text().prop_map(Arc::from)
}

fn seconds() -> impl Strategy<Value = Duration> {
    any::<u32>().prop_map(|millis| Duration::from_millis(u64::from(millis)))
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let failure = (
        any::<Option<i32>>(),
        any::<Option<i32>>(),
        prop::option::of(text()),
    );
    prop_oneof![
        Just(Outcome::Success),
        failure.prop_map(|(exit_code, signal, message)| {
            Outcome::Failed(Box::new(Failure {
                exit_code,
                signal,
                message,
            }))
        }),
        Just(Outcome::TimedOut(TimeLimit::NoOutput)),
        Just(Outcome::Canceled(CancelReason::Superseded)),
        name().prop_map(Outcome::Skipped),
        name().prop_map(Outcome::NotRun),
        Just(Outcome::OnHold),
        name().prop_map(Outcome::Interrupted),
        name().prop_map(Outcome::InfrastructureFailure),
    ]
}

fn kind() -> impl Strategy<Value = OutcomeKind> {
    prop::sample::select(OutcomeKind::ALL.to_vec())
}

fn job_info() -> impl Strategy<Value = JobInfo> {
    let needs = prop::collection::vec(name(), 0..3);
    (name(), needs, prop::option::of(name()), any::<u32>()).prop_map(
        |(name, needs, stage, steps)| JobInfo {
            executor: Arc::clone(&name),
            name,
            needs,
            stage,
            steps,
        },
    )
}

fn job_result() -> impl Strategy<Value = JobResult> {
    let details = (any::<Option<i32>>(), prop::option::of(text()));
    (
        name(),
        kind(),
        details,
        any::<u32>(),
        seconds(),
        any::<bool>(),
    )
        .prop_map(
            |(name, outcome, (exit_code, reason), attempts, duration, allowed)| JobResult {
                name,
                outcome,
                exit_code,
                reason,
                attempts,
                duration,
                allowed,
                reports: allowed.then(reports),
            },
        )
}

/// Any event.
pub(crate) fn any_event() -> BoxedStrategy<RunEvent> {
    prop_oneof![waiting_event(), working_event(), run_event()].boxed()
}

fn waiting_event() -> BoxedStrategy<RunEvent> {
    prop_oneof![
        name().prop_map(|job| RunEvent::JobReady { job }),
        (name(), prop::option::of(text()))
            .prop_map(|(job, prompt)| RunEvent::JobHeld { job, prompt }),
        (name(), any::<bool>(), text()).prop_map(|(job, approved, by)| RunEvent::JobApproved {
            job,
            approved,
            by
        }),
        (name(), any::<u64>()).prop_map(|(job, until)| RunEvent::JobDelayed {
            job,
            until: Timestamp::from_millis(until),
        }),
        (name(), text()).prop_map(|(job, reason)| RunEvent::JobWaiting { job, reason }),
        (name(), any::<u32>(), outcome(), seconds()).prop_map(|(job, attempt, result, delay)| {
            RunEvent::JobRetrying {
                job,
                attempt,
                result,
                delay,
            }
        }),
    ]
    .boxed()
}

fn working_event() -> BoxedStrategy<RunEvent> {
    let kinds = vec![StoredKind::CacheMissed, StoredKind::TestResults];
    let stored = (prop::sample::select(kinds), text(), any::<u64>());
    let stream = prop::sample::select(vec![Stream::Stdout, Stream::Stderr, Stream::Engine]);
    prop_oneof![
        (name(), any::<u32>(), name()).prop_map(|(job, attempt, executor)| RunEvent::JobStarted {
            job,
            attempt,
            executor
        }),
        (name(), seconds()).prop_map(|(job, duration)| RunEvent::JobPrepared { job, duration }),
        (name(), any::<u32>(), any::<u32>(), name()).prop_map(|(job, attempt, step, name)| {
            RunEvent::StepStarted {
                job,
                attempt,
                step,
                name,
            }
        }),
        (name(), any::<u32>(), stream, name()).prop_map(|(job, step, stream, text)| {
            RunEvent::Output {
                job,
                step,
                stream,
                text,
            }
        }),
        any::<u64>().prop_map(|bytes| RunEvent::OutputDropped { bytes }),
        (name(), any::<u32>(), stored, prop::option::of(text())).prop_map(
            |(job, step, (kind, name, bytes), digest)| RunEvent::Stored {
                job,
                step,
                kind,
                name,
                bytes,
                digest,
            }
        ),
        (name(), any::<u32>(), any::<u32>(), outcome(), seconds()).prop_map(
            |(job, attempt, step, result, duration)| RunEvent::StepFinished {
                job,
                attempt,
                step,
                result,
                duration,
            }
        ),
        (name(), outcome(), any::<u32>(), seconds(), any::<bool>()).prop_map(
            |(job, result, attempts, duration, allowed)| RunEvent::JobFinished {
                reused: false,
                job,
                result,
                attempts,
                duration,
                allowed,
                reports: allowed.then(reports),
            }
        ),
        name().prop_map(test_results),
        (name(), text(), any::<i32>()).prop_map(|(job, name, value)| RunEvent::Metrics {
            job,
            attempt: 1,
            step: 2,
            count: 1,
            values: vec![MetricValue {
                name: name.clone(),
                value: f64::from(value),
                unit: Some(name),
            }],
            files: Vec::new(),
        }),
        (name(), text()).prop_map(|(job, words)| {
            let mut worst = finding();
            worst.message.clone_from(&words);
            worst.place.clone_from(&words);
            RunEvent::FindingsJudged {
                job,
                attempt: 1,
                new: found(),
                known: 0,
                passed: false,
                message: words,
                blocking: vec![worst],
            }
        }),
        (name(), any::<u32>(), text(), any::<u64>()).prop_map(|(job, step, path, covered)| {
            let mut totals = coverage();
            totals.branches.covered = covered;
            RunEvent::Coverage {
                job,
                attempt: step,
                step,
                totals,
                work_dir: (covered > 0).then(|| path.clone()),
                files: vec![report(&path, &path)],
            }
        }),
    ]
    .boxed()
}

fn run_event() -> BoxedStrategy<RunEvent> {
    let infos = prop::collection::vec(job_info(), 0..4);
    let results = prop::collection::vec(job_result(), 0..4);
    prop_oneof![
        (name(), infos, any::<bool>()).prop_map(|(workflow, jobs, resumed)| RunEvent::RunStarted {
            workflow,
            jobs,
            resumed
        }),
        (name(), seconds()).prop_map(|(stage, limit)| RunEvent::BudgetExceeded { stage, limit }),
        (prop::option::of(name()), text())
            .prop_map(|(job, message)| RunEvent::Warning { job, message }),
        Just(RunEvent::RunCanceling {
            reason: CancelReason::Shutdown
        }),
        (kind(), results, seconds()).prop_map(|(outcome, jobs, duration)| RunEvent::RunFinished {
            run: run_id(),
            outcome,
            jobs,
            duration,
        }),
    ]
    .boxed()
}
