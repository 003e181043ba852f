//! `ci logs`.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write};
use std::sync::Arc;
use std::time::Duration;

use ci_core::event::{Choice, ConsoleOptions, Environment, RunEvent, Sanitizer};
use ci_core::id::RunId;
use ci_core::session::Stream;
use ci_core::store::{
    LogLine, LogQuery, LogReader, RunQuery, RunStore, StoreError, StoreErrorKind, StoredRun,
};
use serde_json::json;

use crate::args::{Color, Format, Global, LogsArgs};
use crate::failure::{Failure, chain};
use crate::kept::Kept;
use crate::{open, output};

/// How often a log that is followed is read again.
const POLL: Duration = Duration::from_millis(300);

/// Prints what jobs wrote.
pub(crate) async fn logs(global: &Global, args: &LogsArgs) -> Result<u8, Failure> {
    let store = Kept::here(global)?.store_to_read()?;
    let run = open::run_id(&*store, &args.run).await?;
    let query = LogQuery {
        run,
        job: args.job.clone(),
        attempt: args.attempt,
        step: args.step,
    };
    match store.load(run).await {
        Ok(stored) => known_part(&stored, args)?,
        Err(error) if error.kind() == StoreErrorKind::NotFound => {
            return removed(&*store, run, error).await;
        }
        Err(error) => return Err(error.into()),
    }
    let mut reader = LogReader::new(query);
    let mut printer = Printer::new(global, args);
    let mut damage = Vec::new();
    loop {
        let goes_on = args.follow && {
            let summary = store.load(run).await?.summary;
            summary.outcome.is_none() && summary.active
        };
        loop {
            let mut lines = match reader.read(&*store).await {
                Ok(lines) => lines,
                // What can be read comes first.
                Err(error) if error.kind() == StoreErrorKind::Damaged => {
                    note(&mut damage, error);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let end = lines.is_empty();
            if end && !goes_on {
                lines = reader.finish();
            }
            for line in &lines {
                if !printer.print(line)? {
                    return Ok(0);
                }
            }
            if end {
                break;
            }
        }
        if !goes_on {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    match store.log_damage(run).await {
        Ok(found) => found.into_iter().for_each(|error| note(&mut damage, error)),
        Err(error) => note(&mut damage, error),
    }
    tell(damage)
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

/// Notes what is wrong with a log, once.
fn note(damage: &mut Vec<StoreError>, error: StoreError) {
    if !damage.iter().any(|it| it.to_string() == error.to_string()) {
        damage.push(error);
    }
}

/// Fails with the last of what is wrong with the logs, after it has said the others.
fn tell(mut damage: Vec<StoreError>) -> Result<u8, Failure> {
    let Some(last) = damage.pop() else {
        return Ok(0);
    };
    for error in damage {
        output::say(format!("error: {}", chain(&error)));
    }
    Err(last.into())
}

/// A run that the store does not have. It is no mistake to ask for one that was removed: it is older than
/// those that are kept.
async fn removed(store: &dyn RunStore, run: RunId, error: StoreError) -> Result<u8, Failure> {
    let mut query = RunQuery {
        limit: Some(1),
        ..RunQuery::default()
    };
    query.offset = store.runs(&query).await?.total.saturating_sub(1);
    let oldest = store.runs(&query).await?.runs.pop();
    if oldest.is_none_or(|oldest| oldest.id <= run) {
        return Err(error.into());
    }
    output::say(format!(
        "the run `{run}` is older than all that the store has: `ci prune` and `store.retention` of the \
         settings remove old runs with their logs"
    ));
    Ok(0)
}

/// Prints lines as they were asked for.
struct Printer {
    json: bool,
    with_job: bool,
    with_time: bool,
    /// On a terminal, what takes from the lines of a step what the terminal would obey.
    filters: Option<Filters>,
}

struct Filters {
    color: bool,
    of_steps: HashMap<(Arc<str>, u32, Stream), Sanitizer>,
}

impl Printer {
    fn new(global: &Global, args: &LogsArgs) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let variable = |name: &str| std::env::var(name).ok();
        let mut options = ConsoleOptions::from_env(Environment::read(terminal, variable));
        match global.color {
            Color::Auto => {}
            Color::Always => options.color = Choice::Always,
            Color::Never => options.color = Choice::Never,
        }
        Self {
            json: global.format == Format::Json,
            with_job: args.job.is_none(),
            with_time: args.timestamps,
            filters: terminal.then(|| Filters {
                color: options.colors(),
                of_steps: HashMap::new(),
            }),
        }
    }

    /// Prints a line. False when nobody reads any more.
    fn print(&mut self, line: &LogLine) -> Result<bool, Failure> {
        let bytes = self.bytes(line)?;
        match std::io::stdout().lock().write_all(&bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            other => {
                other?;
                Ok(true)
            }
        }
    }

    fn bytes(&mut self, line: &LogLine) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        if self.json {
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
            if self.with_time {
                bytes.extend(format!("{:>10} ", line.time.as_millis()).into_bytes());
            }
            if self.with_job {
                let job = match &self.filters {
                    Some(_) => output::plain(&line.job),
                    None => line.job.to_string(),
                };
                bytes.extend(format!("{job} | ").into_bytes());
            }
            if line.stream == Stream::Engine {
                bytes.extend(b"# ");
            }
            match &mut self.filters {
                Some(filters) => bytes.extend(filters.line(line).into_bytes()),
                None => bytes.extend(&line.bytes),
            }
        }
        bytes.push(b'\n');
        Ok(bytes)
    }
}

impl Filters {
    /// A line that is safe to show on a terminal.
    fn line(&mut self, line: &LogLine) -> String {
        let step = (Arc::clone(&line.job), line.step, line.stream);
        let filter = self.of_steps.entry(step);
        let filter = filter.or_insert_with(|| Sanitizer::new(self.color));
        filter.line(&String::from_utf8_lossy(&line.bytes))
    }
}

#[cfg(test)]
mod tests {
    use ci_core::clock::Timestamp;

    use super::*;

    fn shown(filters: Option<Filters>, bytes: &[u8]) -> Vec<u8> {
        let mut printer = Printer {
            json: false,
            with_job: false,
            with_time: false,
            filters,
        };
        let line = LogLine {
            job: "job".into(),
            attempt: 1,
            step: 0,
            stream: Stream::Stdout,
            time: Timestamp::default(),
            bytes: bytes.to_vec(),
        };
        printer.bytes(&line).expect("text")
    }

    #[test]
    fn a_terminal_obeys_no_job_and_a_file_gets_every_byte() {
        let raw = b"\x1b[2J\x1b[31mred\x1b]0;title\x07\xff";
        let filters = |color| {
            let of_steps = HashMap::new();
            Some(Filters { color, of_steps })
        };
        let colored = "\u{1b}[31mred\u{fffd}\u{1b}[0m\n";
        assert_eq!(shown(filters(true), raw), colored.as_bytes());
        assert_eq!(shown(filters(false), raw), "red\u{fffd}\n".as_bytes());
        assert_eq!(shown(None, raw), [&raw[..], b"\n"].concat());
    }
}
