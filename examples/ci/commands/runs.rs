//! `ci runs`, `ci show` and `ci prune`: the runs that the store has.

use std::collections::BTreeMap;

use ci_core::event::{BudgetReport, FindingCounts, JobResult, RunEvent, TestRecord};
use ci_core::id::RunId;
use ci_core::outcome::OutcomeKind;
use ci_core::shell::word;
use ci_core::store::{Retention, RunPage, RunQuery, RunStore, RunSummary, StoredRun};
use serde_json::{Value, json};

use crate::args::{Format, Global, PruneArgs, RunsArgs};
use crate::failure::Failure;
use crate::kept::Kept;
use crate::output;

/// Lists runs, newest first.
pub(crate) async fn runs(global: &Global, args: &RunsArgs) -> Result<u8, Failure> {
    let kept = Kept::here(global)?;
    let query = RunQuery {
        workflow: args.workflow.clone(),
        branch: args.branch.clone(),
        offset: args.offset,
        limit: Some(args.limit),
        ..RunQuery::default()
    };
    let store = kept.store_if_there()?;
    let page = match &store {
        Some(store) => store.runs(&query).await?,
        None => RunPage::default(),
    };
    if store.is_none() && global.store.is_some() {
        output::say(kept.no_store()?);
    }
    if global.format == Format::Json {
        let data: Vec<Value> = page.runs.iter().map(document).collect();
        output::json(&json!({ "total": page.total, "data": data }))?;
        return Ok(0);
    }
    let mut rows = vec![
        ["RUN", "WORKFLOW", "OUTCOME", "BRANCH", "JOBS", "TOOK"]
            .map(String::from)
            .to_vec(),
    ];
    for run in &page.runs {
        let took = run
            .finished
            .map(|end| output::duration(end.since(run.created)));
        rows.push(vec![
            run.id.to_string(),
            run.workflow.to_string(),
            state(run).to_owned(),
            run.branch.clone().unwrap_or_default(),
            run.jobs.len().to_string(),
            took.unwrap_or_default(),
        ]);
    }
    output::print(&output::table(&rows))?;
    let shown = args.offset + page.runs.len() as u64;
    if shown < page.total {
        output::say(format!(
            "{} more; `--offset {shown}` shows them",
            page.total - shown
        ));
    }
    Ok(0)
}

/// Shows how a run went.
pub(crate) async fn show(global: &Global, store: &dyn RunStore, id: RunId) -> Result<u8, Failure> {
    let run = store.load(id).await?;
    if global.format == Format::Json {
        let mut document = document(&run.summary);
        document["facts"] = serde_json::to_value(&run.facts)?;
        document["events"] = serde_json::to_value(&run.journal)?;
        output::json(&document)?;
        return Ok(0);
    }
    let summary = &run.summary;
    output::line(format!("run       {id}"))?;
    output::line(format!("workflow  {}", summary.workflow))?;
    output::line(format!("outcome   {}", state(summary)))?;
    for (name, value) in [("branch", &summary.branch), ("revision", &summary.revision)] {
        if let Some(value) = value {
            output::line(format!("{name:<8}  {value}"))?;
        }
    }
    output::line("")?;
    output::print(&output::table(&job_rows(summary)))?;
    for line in failed_tests(&run) {
        output::line(global.typed(&line))?;
    }
    for line in budgets(&run) {
        output::line(line)?;
    }
    next_step(global, &run);
    Ok(0)
}

/// A line for each job; what its reports came to only where any job has some.
fn job_rows(summary: &RunSummary) -> Vec<Vec<String>> {
    let has_reports = summary.jobs.iter().any(|job| job.reports.is_some());
    let reports = |words: [String; 2]| words.into_iter().filter(move |_| has_reports);
    let has_findings = summary.jobs.iter().any(|job| findings(job).is_some());
    let mut header = ["JOB", "OUTCOME", "TOOK", "ATTEMPTS"]
        .map(String::from)
        .to_vec();
    header.extend(reports(["TESTS".into(), "COVERAGE".into()]));
    if has_findings {
        header.push("FINDINGS".into());
    }
    header.push(String::new());
    let mut rows = vec![header];
    for job in &summary.jobs {
        let mut row = vec![
            job.name.to_string(),
            job.outcome.to_string(),
            output::duration(job.duration),
            job.attempts.to_string(),
        ];
        let tests = job.reports.as_ref().and_then(|it| it.tests);
        let coverage = job.reports.as_ref().and_then(|it| it.coverage);
        row.extend(reports([
            tests.map(|tests| tests.to_string()).unwrap_or_default(),
            coverage.map(|it| it.to_string()).unwrap_or_default(),
        ]));
        if has_findings {
            row.push(findings(job).map(|it| it.to_string()).unwrap_or_default());
        }
        row.push(job.reason.clone().unwrap_or_default());
        rows.push(row);
    }
    rows
}

fn findings(job: &JobResult) -> Option<FindingCounts> {
    job.reports.as_ref()?.findings
}

/// The jobs and the budgets that the last end of the run tells; one that was resumed has several.
fn last_end(run: &StoredRun) -> Option<(&[JobResult], &[BudgetReport])> {
    run.journal.iter().rev().find_map(|record| {
        let RunEvent::RunFinished { jobs, budgets, .. } = &record.event else {
            return None;
        };
        Some((&jobs[..], &budgets[..]))
    })
}

/// What stages spent of their time budgets, as the last end of the run tells it.
fn budgets(run: &StoredRun) -> Vec<String> {
    let budgets = last_end(run).map_or(&[][..], |(_, budgets)| budgets);
    let spent = budgets.iter().map(|budget| {
        let sign = if budget.is_over() { "! " } else { "" };
        format!("{sign}{budget}")
    });
    let mut lines: Vec<String> = spent.collect();
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

/// How many failed tests are listed.
const MOST_TESTS: usize = 20;

/// The failed tests of the last attempt of each job.
fn failed_tests(run: &StoredRun) -> Vec<String> {
    let mut last: BTreeMap<&str, u32> = BTreeMap::new();
    let mut failed: Vec<(&str, u32, &TestRecord)> = Vec::new();
    for record in &run.journal {
        match &record.event {
            RunEvent::JobStarted { job, attempt, .. } => drop(last.insert(job, *attempt)),
            RunEvent::TestResults {
                job,
                attempt,
                failed: tests,
                ..
            } => failed.extend(tests.iter().map(|test| (&**job, *attempt, test))),
            _ => {}
        }
    }
    failed.retain(|(job, attempt, _)| last.get(job) == Some(attempt));
    let mut lines: Vec<String> = failed
        .iter()
        .take(MOST_TESTS)
        .map(|(job, _, test)| {
            let why = test.message.as_deref().unwrap_or_default();
            let why = why.lines().next().unwrap_or_default();
            let gap = if why.is_empty() { "" } else { ": " };
            let note = if test.quarantined {
                " (in quarantine)"
            } else {
                ""
            };
            output::plain(&format!("✗ {job}: {}{note}{gap}{why}", test.id()))
        })
        .collect();
    if failed.len() > MOST_TESTS {
        let rest = failed.len() - MOST_TESTS;
        lines.push(format!("and {rest} more; `ci report failed` lists them"));
    }
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

/// What a person would want to type next.
fn next_step(global: &Global, stored: &StoredRun) {
    let run = &stored.summary;
    let failed = run
        .jobs
        .iter()
        .find(|job| job.outcome == OutcomeKind::Failed && !job.allowed);
    if let Some(job) = failed {
        output::say(global.typed(&format!(
            "\nhint: `ci logs {} {}` shows what `{}` printed",
            run.id,
            word(&job.name),
            job.name
        )));
    }
    // A job on hold has not ended: only the end of the run tells of it.
    let held = last_end(stored).and_then(|(jobs, _)| {
        let mut jobs = jobs.iter();
        jobs.find(|job| job.outcome == OutcomeKind::OnHold)
    });
    if let (Some(OutcomeKind::OnHold), Some(job)) = (run.outcome, held) {
        output::say(global.typed(&format!(
            "\nhint: `ci approve {} {}` lets `{}` go on, then `ci resume {}` goes on with the run",
            run.id,
            word(&job.name),
            job.name,
            run.id
        )));
    }
    if run.outcome.is_none() && !run.active {
        output::say(global.typed(&format!(
            "\nhint: its process is gone; `ci resume {}` goes on with it",
            run.id
        )));
    }
}

/// Removes old runs with what they kept.
pub(crate) async fn prune(global: &Global, args: &PruneArgs) -> Result<u8, Failure> {
    if args.older_than.is_none() && args.keep.is_none() {
        return Err(Failure::input("nothing says which runs are old")
            .hint("give `--older-than 30d` or `--keep 100`"));
    }
    let retention = Retention {
        max_age: args.older_than,
        max_runs: args.keep,
    };
    let removed = Kept::here(global)?.forget(&retention).await?;
    output::say(format!("{removed} runs removed"));
    Ok(0)
}

/// How a run is, in one word.
fn state(run: &RunSummary) -> &'static str {
    match run.outcome {
        Some(outcome) => outcome.as_str(),
        None if run.active => "running",
        None => OutcomeKind::Interrupted.as_str(),
    }
}

fn document(run: &RunSummary) -> Value {
    let mut document = serde_json::to_value(run).unwrap_or_default();
    document["outcome"] = Value::from(state(run));
    document
}
