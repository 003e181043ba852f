//! `ci logs`.

use std::io::Write;
use std::time::Duration;

use ci_core::session::Stream;
use ci_core::store::{LogLine, LogQuery, LogReader};
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
    if let Some(job) = &args.job {
        open::known_job(&store.load(run).await?, job)?;
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
