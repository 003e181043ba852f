//! Pages of told runs: what is on them, how large they are, and that nothing breaks out of them.

#![expect(
    clippy::clone_on_ref_ptr,
    reason = "the clone is of the type that is asked for"
)]

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::event::{
    BudgetReport, EventRecord, JobInfo, ReportFile, RunEvent, TestCounts, TestOutcome, TestRecord,
};
use crate::id::RunId;
use crate::job::JobSpec;
use crate::outcome::{Outcome, OutcomeKind};
use crate::store::{RunSummary, StoredRun};
use crate::view::{FindingView, RunView, StepLog, run_markdown, run_text};
use crate::workflow::{RunFacts, WorkflowSpec};

const START: u64 = 1_790_000_000_000;

/// Tells a run, one event after the other.
struct Told {
    run: RunId,
    jobs: Vec<JobSpec>,
    journal: Vec<EventRecord>,
}

impl Told {
    fn new(jobs: Vec<JobSpec>) -> Self {
        let mut told = Self {
            run: RunId::new(),
            jobs,
            journal: Vec::new(),
        };
        let infos = told.jobs.iter().map(|job| JobInfo {
            name: Arc::clone(&job.name),
            needs: job.needs.iter().map(|need| Arc::clone(&need.job)).collect(),
            stage: None,
            executor: "local".into(),
            steps: 1,
        });
        let jobs = infos.collect();
        told.at(
            0,
            RunEvent::RunStarted {
                workflow: "<b>ci</b>".into(),
                jobs,
                resumed: false,
            },
        );
        told
    }

    fn at(&mut self, millis: u64, event: RunEvent) {
        self.journal.push(EventRecord {
            run: self.run,
            seq: self.journal.len() as u64 + 1,
            time: Timestamp::from_millis(START + millis),
            event,
        });
    }

    /// A job with one step: ready at the first moment, begun at the second, ended at the third.
    fn job(&mut self, name: &str, [ready, begin, end]: [u64; 3], step: &str, result: &Outcome) {
        let job: Arc<str> = name.into();
        self.at(ready, RunEvent::JobReady { job: job.clone() });
        let started = RunEvent::JobStarted {
            job: job.clone(),
            attempt: 1,
            executor: "local".into(),
        };
        self.at(begin, started);
        let duration = Duration::from_millis(10);
        let prepared = RunEvent::JobPrepared {
            job: job.clone(),
            duration,
        };
        self.at(begin + 10, prepared);
        let step_started = RunEvent::StepStarted {
            job: job.clone(),
            attempt: 1,
            step: 0,
            name: step.into(),
        };
        self.at(begin + 10, step_started);
        let finished = RunEvent::StepFinished {
            job: job.clone(),
            attempt: 1,
            step: 0,
            result: result.clone(),
            duration,
        };
        self.at(end - 5, finished);
        if !result.is_success() {
            self.tests(&job, end - 4);
        }
        let ended = RunEvent::JobFinished {
            job,
            result: result.clone(),
            attempts: 1,
            duration: Duration::from_millis(end - begin),
            allowed: false,
            reused: false,
            reports: None,
        };
        self.at(end, ended);
    }

    fn tests(&mut self, job: &Arc<str>, millis: u64) {
        let failed = TestRecord {
            class: "Net".into(),
            name: HOSTILE.into(),
            outcome: TestOutcome::Failed,
            message: Some(format!("{HOSTILE}\nexpected </pre> 2")),
            ..TestRecord::default()
        };
        let mut counts = TestCounts::default();
        counts.add(failed.outcome, failed.flaky, failed.time);
        let event = RunEvent::TestResults {
            job: job.clone(),
            attempt: 1,
            step: 0,
            counts,
            files: vec![ReportFile::default()],
            failed: vec![failed],
        };
        self.at(millis, event);
    }

    fn view(self) -> RunView {
        let workflow = WorkflowSpec::builder("ci").jobs(self.jobs).build();
        let summary = RunSummary {
            id: self.run,
            workflow: "<b>ci</b>".into(),
            outcome: Some(OutcomeKind::Failed),
            active: false,
            branch: Some(HOSTILE.into()),
            revision: Some("c0ffee".into()),
            created: Timestamp::from_millis(START),
            finished: Some(Timestamp::from_millis(START + 10_000)),
            rerun_of: None,
            jobs: Vec::new(),
        };
        let workflow = Arc::new(workflow.expect("valid"));
        let stored = StoredRun::new(summary, workflow, RunFacts::default(), self.journal);
        RunView::new(&stored)
    }
}

/// A name that wants out, with characters that mean something in HTML, Markdown or a terminal.
const HOSTILE: &str = "</title></style></script><script>alert(1)</script><img src=x onerror=\"alert(2)\">'`|[a](b)\u{1b}[2J";

fn log(job: &str, lines: Vec<String>) -> StepLog {
    StepLog {
        job: job.into(),
        attempt: 1,
        step: 0,
        lines,
        left_out: 3,
    }
}

fn hostile() -> RunView {
    let mut told = Told::new(vec![
        JobSpec::new("<script>alert(3)</script>").run("make"),
        JobSpec::new("ship")
            .needs("<script>alert(3)</script>")
            .run("make"),
    ]);
    let failed = Outcome::failed(HOSTILE);
    told.job(
        "<script>alert(3)</script>",
        [100, 600, 5000],
        HOSTILE,
        &failed,
    );
    told.job("ship", [5000, 5000, 9000], "ship", &Outcome::Success);
    let message = HOSTILE.into();
    told.at(9001, RunEvent::Warning { job: None, message });
    let mut view = told.view();
    view.fidelity.push(HOSTILE.into());
    view.findings.push(FindingView {
        severity: HOSTILE.into(),
        rule: HOSTILE.into(),
        place: HOSTILE.into(),
        message: HOSTILE.into(),
        tools: vec![HOSTILE.into()],
    });
    view.variables.push(HOSTILE.into());
    view.logs = vec![log("<script>alert(3)</script>", vec![HOSTILE.into()])];
    view
}

#[test]
fn the_slowest_path_and_the_phases_are_told() {
    let view = hostile();
    assert_eq!(view.critical_path.len(), 2);
    assert_eq!(view.critical_duration, Duration::from_millis(8400));
    let text = run_text(&view);
    for part in [
        "1 of 2 jobs failed",
        "slowest path 8.4s",
        "0.5s",
        "TEARDOWN",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

/// A run whose two stages have budgets, of which one is over.
fn with_budgets() -> RunView {
    let mut told = Told::new(vec![JobSpec::new("test").run("make")]);
    told.job("test", [100, 600, 5000], "make", &Outcome::Success);
    let of = |stage: &str, limit, spent| {
        let [limit, spent] = [limit, spent].map(Duration::from_secs);
        BudgetReport::new(stage.into(), limit, spent)
    };
    // The first end was on hold, and the run went on.
    let ends = [
        vec![of("fast", 300, 1)],
        vec![of("fast", 300, 42), of("<b>", 60, 75)],
    ];
    for (millis, budgets) in [6000, 9000].into_iter().zip(ends) {
        let end = RunEvent::RunFinished {
            run: told.run,
            outcome: OutcomeKind::Success,
            jobs: Vec::new(),
            budgets,
            duration: Duration::from_millis(millis),
        };
        told.at(millis, end);
    }
    told.view()
}

#[test]
fn what_stages_spent_of_their_budgets_is_told_in_every_form() {
    let view = with_budgets();
    let text = run_text(&view);
    let lines = "\nbudget of stage fast: 0:42 of 5:00 (14%)\n! budget of stage <b>: 1:15 of 1:00 (125%), over\n";
    assert!(text.contains(lines), "{text}");
    let comment = run_markdown(&view);
    let lines = "\n- budget of stage fast: 0:42 of 5:00 (14%)\n- **budget of stage &lt;b&gt;: 1:15 of 1:00 (125%), over**\n";
    assert!(comment.contains(lines), "{comment}");
    let json = serde_json::to_value(&view).unwrap();
    let expected = serde_json::json!([
        {"stage": "fast", "limit": 300.0, "spent": 42.0},
        {"stage": "<b>", "limit": 60.0, "spent": 75.0},
    ]);
    assert_eq!(json["budgets"], expected);
    #[cfg(feature = "html")]
    {
        let page = crate::view::run_html(&view);
        assert!(
            page.contains("<li>budget of stage fast: 0:42 of 5:00 (14%)</li>"),
            "{page}"
        );
        assert!(
            page.contains(
                "<b class=\"bad\">! budget of stage &#60;b&#62;: 1:15 of 1:00 (125%), over</b>"
            ),
            "{page}"
        );
    }
}

#[test]
fn hostile_names_bring_nothing_into_a_comment() {
    let text = run_markdown(&hostile());
    assert!(!text.contains("<script"), "{text}");
    assert!(!text.contains("<img"), "{text}");
    assert!(!text.contains("[a](b)"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[cfg(feature = "html")]
mod html {
    use super::*;
    use crate::view::run_html;

    /// The tags of a page, by a reader that knows only what a browser cannot be talked out of.
    fn count(page: &str, tag: &str) -> usize {
        page.matches(tag).count()
    }

    #[test]
    fn hostile_names_bring_nothing_onto_a_page() {
        let page = run_html(&hostile());
        assert_eq!(count(&page, "<script"), 1, "only the page's own");
        assert_eq!(count(&page, "</script"), 1);
        assert_eq!(count(&page, "<style"), 1);
        assert_eq!(
            count(&page, "<title>"),
            4,
            "of the page, the picture and its two jobs"
        );
        assert_eq!(count(&page, "<img"), 0);
        assert!(!page.contains("onerror=\""), "attributes stay text");
        assert!(
            page.contains("&#60;script&#62;alert(1)") || page.contains("&lt;script&gt;alert(1)")
        );
        for part in [
            "id=\"failed\"",
            "id=\"timeline\"",
            "id=\"tests\"",
            "id=\"logs\"",
            "critical",
        ] {
            assert!(page.contains(part), "{part} is missing");
        }
        for network in ["http://", "https://", "src=\"", "@import", "url("] {
            let page = page
                .replace("http://www.w3.org/2000/svg", "")
                .replace("url(#head)", "");
            assert!(!page.contains(network), "{network} leads out of the page");
        }
    }

    #[cfg(feature = "gitlab")]
    #[test]
    fn the_policy_of_the_page_allows_its_own_script() {
        use base64::Engine as _;
        use sha2::Digest as _;

        let page = run_html(&hostile());
        let (_, rest) = page.split_once("<script>").expect("a script");
        let (script, _) = rest.split_once("</script>").expect("its end");
        let hash = sha2::Sha256::digest(script.as_bytes());
        let hash = base64::engine::general_purpose::STANDARD.encode(hash);
        assert!(
            page.contains(&format!("script-src 'sha256-{hash}'")),
            "it is now {hash}"
        );
    }

    /// `count` jobs in layers of twenty, each waiting for two of the layer before.
    fn large(count: usize) -> RunView {
        let name = |index: usize| format!("test-service-{index}-linux");
        let jobs: Vec<JobSpec> = (0..count)
            .map(|index| {
                let job = JobSpec::new(name(index)).run("make");
                match index.checked_sub(20) {
                    Some(before) => job.needs(name(before)).needs(name(before / 20 * 20)),
                    None => job,
                }
            })
            .collect();
        let mut told = Told::new(jobs);
        for (index, place) in (0..count).zip(0_u64..) {
            let begin = place / 20 * 1000;
            let result = match place % 50 {
                7 => Outcome::from_exit_code(1),
                _ => Outcome::Success,
            };
            let times = [begin, begin + place % 20, begin + 900 + place];
            told.job(&name(index), times, "cargo test", &result);
        }
        let mut view = told.view();
        let line = "test result: ok. 12 passed; 0 failed; finished in 0.03 s".to_owned();
        view.logs = (0..count)
            .map(|index| log(&name(index), vec![line.clone(); 160 * 1024 / 60 / count]))
            .collect();
        view
    }

    #[test]
    fn the_page_of_200_jobs_is_below_500_kb() {
        let page = run_html(&large(200));
        assert!(page.len() < 500_000, "{} bytes", page.len());
        assert!(page.contains("test-service-199-linux"));
        assert!(page.contains("lines were left out"));
        if let Some(dir) = std::env::var_os("CI_CORE_PAGES") {
            let dir = std::path::Path::new(&dir);
            std::fs::write(dir.join("hostile.html"), run_html(&hostile())).expect("written");
            std::fs::write(dir.join("200.html"), page).expect("written");
            std::fs::write(dir.join("2000.html"), run_html(&large(2000))).expect("written");
        }
    }
}
