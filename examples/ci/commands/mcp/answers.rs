//! The answers. Lists are JSON; what failed is text for people, which is what is asked for.

use std::process::Stdio;

use ci_core::event::TestOutcome;
use ci_core::id::RunId;
use ci_core::outcome::CancelReason;
use ci_core::store::{
    LogLine, LogQuery, LogReader, Request, RequestKind, RunQuery, RunStore, TestQuery,
};
use ci_core::view::{FailureQuery, failure, failure_text};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::asks::Asks;
use super::server::Server;
use crate::commands::requests;
use crate::failure::{Failure, chain};
use crate::open;

/// How many bytes of a log are answered at most.
const LONGEST: usize = 200 << 10;
/// Who asks, for the record.
const CLIENT: &str = "a client of `ci mcp`";

type Answer = Result<String, Failure>;

fn pretty(value: &Value) -> Answer {
    Ok(serde_json::to_string_pretty(value)?)
}

async fn run_of(server: &Server, asks: &Asks) -> Result<RunId, Failure> {
    open::run_id(&*server.store, asks.run()).await
}

pub(super) async fn list_runs(server: &Server, asks: &Asks) -> Answer {
    let query = RunQuery {
        workflow: asks.text("workflow").map(str::to_owned),
        branch: asks.text("branch").map(str::to_owned),
        offset: asks.count("offset", 0, u64::MAX),
        limit: Some(asks.count("limit", 20, 100)),
        ..RunQuery::default()
    };
    let page = server.store.runs(&query).await?;
    let runs = page.runs.iter().map(|run| {
        json!({
            "id": run.id,
            "workflow": run.workflow,
            "outcome": run.outcome,
            "active": run.active,
            "branch": run.branch,
            "revision": run.revision,
            "created": run.created,
            "finished": run.finished,
        })
    });
    pretty(&json!({ "total": page.total, "runs": runs.collect::<Vec<_>>() }))
}

pub(super) async fn what_failed(server: &Server, asks: &Asks) -> Answer {
    let lines = usize::try_from(asks.count("lines", 12, 200)).unwrap_or(12);
    let mut query = FailureQuery::default().lines(lines);
    match asks.text("branch") {
        Some(branch) if asks.text("run").is_none() => query = query.branch(Some(branch.to_owned())),
        _ => query = query.run(run_of(server, asks).await?),
    }
    let view = failure(&*server.store, &query).await?;
    let view = view.ok_or_else(|| Failure::input("no run is for that branch"))?;
    Ok(failure_text(&view))
}

pub(super) async fn show_run(server: &Server, asks: &Asks) -> Answer {
    let id = run_of(server, asks).await?;
    let run = server.store.load(id).await?;
    pretty(&serde_json::to_value(&run.summary)?)
}

pub(super) async fn failed_tests(server: &Server, asks: &Asks) -> Answer {
    let query = TestQuery {
        run: Some(run_of(server, asks).await?),
        job: asks.text("job").map(str::to_owned),
        ..TestQuery::default()
    };
    let tests = server.store.tests(&query).await?;
    let is_bad = |outcome| matches!(outcome, TestOutcome::Failed | TestOutcome::Error);
    let failed = tests
        .iter()
        .filter(|it| is_bad(it.test.outcome) && !it.test.flaky);
    let failed: Vec<Value> = failed
        .map(|entry| {
            json!({
                "job": entry.key.job,
                "attempt": entry.key.attempt,
                "test": entry.test.id(),
                "file": entry.test.file,
                "message": entry.test.message,
                "quarantined": entry.test.quarantined,
            })
        })
        .collect();
    pretty(&json!({ "tests": tests.len(), "failed": failed }))
}

pub(super) async fn read_log(server: &Server, asks: &Asks) -> Answer {
    let run = run_of(server, asks).await?;
    let job = asks.text("job").unwrap_or_default().to_owned();
    let stored = server.store.load(run).await?;
    open::known_job(&stored, &job)?;
    let small = |name: &str| asks.number(name).and_then(|it| u32::try_from(it).ok());
    let mut reader = LogReader::new(LogQuery {
        run,
        job: Some(job),
        attempt: small("attempt"),
        step: small("step"),
    });
    let most = usize::try_from(asks.count("lines", 200, 1000)).unwrap_or(200);
    let mut range = Range::new(asks.number("from").unwrap_or(-200), most);
    loop {
        let lines = reader.read(&*server.store).await?;
        if lines.is_empty() {
            break;
        }
        range.extend(lines);
    }
    range.extend(reader.finish());
    Ok(range.shown())
}

/// A range of lines of a log that may be larger than memory.
struct Range {
    /// The first line, from 1; below zero from the end.
    from: i64,
    most: usize,
    seen: u64,
    kept: std::collections::VecDeque<(u64, LogLine)>,
}

impl Range {
    fn new(from: i64, most: usize) -> Self {
        Self {
            from,
            most,
            seen: 0,
            kept: std::collections::VecDeque::new(),
        }
    }

    fn extend(&mut self, lines: Vec<LogLine>) {
        for line in lines {
            self.seen += 1;
            let from_end = usize::try_from(self.from.unsigned_abs()).unwrap_or(usize::MAX);
            if self.from < 0 {
                self.kept.push_back((self.seen, line));
                // No answer has more lines than that.
                if self.kept.len() > from_end.min(100_000) {
                    self.kept.pop_front();
                }
            } else if self.seen >= self.from.unsigned_abs().max(1) && self.kept.len() < self.most {
                self.kept.push_back((self.seen, line));
            }
        }
    }

    fn shown(&self) -> String {
        let mut text = String::new();
        let (mut first, mut last) = (0, 0);
        for (number, line) in self.kept.iter().take(self.most) {
            let shown = String::from_utf8_lossy(&line.bytes);
            if text.len() + shown.len() > LONGEST {
                break;
            }
            if first == 0 {
                first = *number;
            }
            last = *number;
            text.push_str(&shown);
            text.push('\n');
        }
        format!("lines {first} to {last} of {}\n{text}", self.seen)
    }
}

pub(super) async fn list_artifacts(server: &Server, asks: &Asks) -> Answer {
    let run = run_of(server, asks).await?;
    let artifacts = server.storage.artifacts(run, asks.text("job"));
    let artifacts = artifacts.map_err(|error| Failure::engine(chain(&error)))?;
    let data: Vec<Value> = artifacts.iter().map(|artifact| json!(artifact)).collect();
    pretty(&json!({ "total": data.len(), "artifacts": data }))
}

async fn request(server: &Server, run: RunId, kind: RequestKind) -> Result<(), Failure> {
    let by = CLIENT.to_owned();
    Ok(server.store.request(Request { run, kind, by }).await?)
}

pub(super) async fn cancel(server: &Server, asks: &Asks) -> Answer {
    let run = run_of(server, asks).await?;
    let stored = server.store.load(run).await?;
    if !stored.summary.active {
        return Err(Failure::input(format!("the run `{run}` does not go on")));
    }
    let job = asks.text("job").map(str::to_owned);
    if let Some(job) = &job {
        open::known_job(&stored, job)?;
    }
    let reason = CancelReason::Requested;
    request(server, run, RequestKind::Cancel { job, reason }).await?;
    Ok(format!("the run `{run}` was asked to stop"))
}

pub(super) async fn approve(server: &Server, asks: &Asks) -> Answer {
    let run = run_of(server, asks).await?;
    let stored = server.store.load(run).await?;
    let job = asks.text("job").unwrap_or_default().to_owned();
    open::known_job(&stored, &job)?;
    let approved = asks.truth("approved", true);
    let mut said = format!(
        "`{job}` of the run `{run}`: {}",
        if approved { "approved" } else { "refused" }
    );
    if !requests::is_held(&stored, &job)? {
        said = format!("{said}; {}", requests::early(&job));
    }
    request(server, run, RequestKind::Approve { job, approved }).await?;
    Ok(said)
}

/// Starts `ci rerun` in a process of its own, and says the id of its run.
pub(super) async fn rerun(server: &Server, asks: &Asks) -> Answer {
    let run = run_of(server, asks).await?;
    let program = crate::library::program()
        .ok_or_else(|| Failure::engine("the path of this program is not known"))?;
    let mut command = tokio::process::Command::new(program);
    command.arg("rerun").arg(run.to_string());
    if asks.truth("from_failed", true) {
        command.arg("--from-failed");
    }
    command.arg("--store").arg(server.store.path());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let Some(stderr) = child.stderr.take() else {
        return Err(Failure::engine("the rerun says nothing"));
    };
    let mut lines = BufReader::new(stderr).lines();
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await? {
        if let Some(id) = line.strip_prefix("run ") {
            let answer = format!("the run `{id}` began");
            // Somebody has to take what it says, or it stands still.
            tokio::spawn(async move {
                while let Ok(Some(_)) = lines.next_line().await {}
                let _ = child.wait().await;
            });
            return Ok(answer);
        }
        said.push(line);
    }
    Err(Failure::input(format!("no run began: {}", said.join("\n"))))
}
