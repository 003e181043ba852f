//! `ci logs`.

use std::io::Write;
use std::time::Duration;

use ci_core::event::RunEvent;
use ci_core::session::Stream;
use ci_core::store::{LogLine, LogQuery, LogReader, RunStore, StoredRun};
use serde_json::json;

use crate::args::{Format, Global, LogsArgs};
use crate::failure::Failure;
use crate::kept::Kept;
use crate::open;

/// How often a log that is followed is read again.
const POLL: Duration = Duration::from_millis(300);

/// Prints what jobs wrote.
pub(crate) async fn logs(global: &Global, args: &LogsArgs) -> Result<u8, Failure> {
    let store = Kept::here(global)?.store()?;
    let run = open::run_id(&*store, &args.run).await?;
    let query = LogQuery {
        run,
        job: args.job.clone(),
        attempt: args.attempt,
        step: args.step,
    };
    if args.job.is_some() || args.step.is_some() || args.attempt.is_some() {
        known_part(&store.load(run).await?, args)?;
    }
    let mut reader = LogReader::new(query);
    loop {
        let goes_on = args.follow && {
            let summary = store.load(run).await?.summary;
            summary.outcome.is_none() && summary.active
        };
        loop {
            let mut lines = reader.read(&*store).await?;
            let end = lines.is_empty();
            if end && !goes_on {
                lines = reader.finish();
            }
            for line in &lines {
                if !print(global, args, line)? {
                    return Ok(0);
                }
            }
            if end {
                break;
            }
        }
        if !goes_on {
            return Ok(0);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Refuses a job, a step or an attempt that the run does not have.
fn known_part(run: &StoredRun, args: &LogsArgs) -> Result<(), Failure> {
    if let Some(job) = &args.job {
        open::known_job(run, job)?;
    }
    let is_asked = |name: &str| args.job.as_deref().is_none_or(|job| job == name);
    let of = args.job.as_ref().map_or_else(
        || "no job of the run has".to_owned(),
        |job| format!("the job `{job}` does not have"),
    );
    if let Some(step) = args.step {
        let plan = run.workflow.plan(&run.facts);
        let plan = plan.map_err(|error| Failure::input(error.to_string()))?;
        let asked = plan.jobs.iter().filter(|job| is_asked(&job.name));
        let steps = asked.map(|job| job.steps.len()).max().unwrap_or(0);
        if usize::try_from(step).is_ok_and(|step| step >= steps) {
            let there = match steps {
                0 => "there are no steps".to_owned(),
                1 => "there is the step 0".to_owned(),
                _ => format!("there are the steps 0 to {}", steps - 1),
            };
            return Err(Failure::input(format!("{of} a step {step}")).hint(there));
        }
    }
    let goes_on = run.summary.outcome.is_none() && run.summary.active;
    // An attempt that is followed may still come.
    if let Some(attempt) = args.attempt.filter(|_| !(args.follow && goes_on)) {
        let attempts = attempts(run, is_asked);
        if attempt == 0 || attempt > attempts {
            let there = match attempts {
                0 => "there was none yet".to_owned(),
                1 => "there is the attempt 1".to_owned(),
                _ => format!("there are the attempts 1 to {attempts}"),
            };
            return Err(Failure::input(format!("{of} an attempt {attempt}")).hint(there));
        }
    }
    Ok(())
}

/// How many attempts there were of the jobs that are asked for.
fn attempts(run: &StoredRun, is_asked: impl Fn(&str) -> bool) -> u32 {
    let begun = run.journal.iter().filter_map(|record| match &record.event {
        RunEvent::JobStarted { job, attempt, .. } if is_asked(job) => Some(*attempt),
        _ => None,
    });
    let ended = run.summary.jobs.iter().filter(|job| is_asked(&job.name));
    let all = begun.chain(ended.map(|job| job.attempts));
    all.max().unwrap_or(0)
}

/// Prints a line. False when nobody reads any more.
fn print(global: &Global, args: &LogsArgs, line: &LogLine) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    let mut bytes = Vec::new();
    if global.format == Format::Json {
        let document = json!({
            "job": &*line.job,
            "attempt": line.attempt,
            "step": line.step,
            "stream": line.stream,
            "time": line.time,
            "text": String::from_utf8_lossy(&line.bytes),
        });
        bytes.extend(serde_json::to_vec(&document)?);
    } else {
        if args.timestamps {
            bytes.extend(format!("{:>10} ", line.time.as_millis()).into_bytes());
        }
        if args.job.is_none() {
            bytes.extend(format!("{} | ", line.job).into_bytes());
        }
        if line.stream == Stream::Engine {
            bytes.extend(b"# ");
        }
        bytes.extend(&line.bytes);
    }
    bytes.push(b'\n');
    match out.write_all(&bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        other => {
            other?;
            Ok(true)
        }
    }
}
