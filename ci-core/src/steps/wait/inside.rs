//! Asks a service by a script inside the session.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::probe::Answer;
use crate::session::{Command, ExecIo, ExitStatus, LogSink, Output, OutputChunk, OutputOptions};
use crate::step::{StepContext, StepError};
use crate::steps::job_env;

/// The exit code of the scripts below for: none of the tools is here.
const NO_TOOL: i32 = 97;

/// The host and the port come as variables, so that no quoting can go wrong.
const TCP: &str = r#"
if command -v bash >/dev/null 2>&1; then
  exec bash -c 'exec 3<>"/dev/tcp/$CI_WAIT_HOST/$CI_WAIT_PORT"'
elif command -v nc >/dev/null 2>&1; then
  exec nc -z -w 5 "$CI_WAIT_HOST" "$CI_WAIT_PORT"
elif command -v python3 >/dev/null 2>&1; then
  exec python3 -c 'import os, socket
try: socket.create_connection((os.environ["CI_WAIT_HOST"], os.environ["CI_WAIT_PORT"]), 5)
except OSError as error: raise SystemExit(str(error))'
fi
exit 97
"#;

const HTTP: &str = r#"
if command -v curl >/dev/null 2>&1; then
  status=$(curl -sS -o /dev/null -w '%{http_code}' "$CI_WAIT_URL") || exit 1
  if [ "$status" -ge 200 ] && [ "$status" -lt 400 ]; then exit 0; fi
  echo "status $status"
  exit 1
elif command -v wget >/dev/null 2>&1; then
  exec wget -q -O /dev/null "$CI_WAIT_URL"
fi
exit 97
"#;

/// Asks whether a TCP connection is accepted.
pub(super) async fn tcp(
    cx: &StepContext,
    host: &str,
    port: u16,
    limit: Duration,
) -> Result<Answer, StepError> {
    let script = Command::shell(["sh", "-c"], TCP)
        .env("CI_WAIT_HOST", host)
        .env("CI_WAIT_PORT", port.to_string());
    ask(cx, script, limit, "`bash`, `nc` or `python3`").await
}

/// Asks whether a URL answers with a status from 200 to 399.
pub(super) async fn http(
    cx: &StepContext,
    url: &str,
    limit: Duration,
) -> Result<Answer, StepError> {
    let script = Command::shell(["sh", "-c"], HTTP).env("CI_WAIT_URL", url);
    ask(cx, script, limit, "`curl` or `wget`").await
}

/// Asks whether a script of the user succeeds, run as a script of the job.
pub(super) async fn command(
    cx: &StepContext,
    script: &str,
    limit: Duration,
) -> Result<Answer, StepError> {
    let mut command = Command::shell(job_env::shell(cx.job(), &[]), script);
    command.dir = job_env::dir(cx.job(), None);
    let (status, output) = exec(cx, command, limit).await?;
    Ok(answer(status, &output))
}

async fn ask(
    cx: &StepContext,
    command: Command,
    limit: Duration,
    tools: &str,
) -> Result<Answer, StepError> {
    let (status, output) = exec(cx, command, limit).await?;
    Ok(if status == ExitStatus::Code(NO_TOOL) {
        Answer::Never(format!(
            "the job cannot ask the service: it needs {tools} where it runs, and none is there"
        ))
    } else {
        answer(status, &output)
    })
}

fn answer(status: ExitStatus, output: &str) -> Answer {
    let how = match status {
        ExitStatus::Code(0) => return Answer::Yes,
        ExitStatus::Code(code) => format!("exit code {code}"),
        ExitStatus::Signal(number) => format!("ended by signal {number}"),
        ExitStatus::OutOfMemory => "memory ran out".into(),
        ExitStatus::Stopped => return Answer::Cut,
    };
    let last = output.lines().rev().find(|line| !line.trim().is_empty());
    Answer::NotYet(match last {
        Some(line) => format!("{how}, `{}`", line.trim()),
        None => how,
    })
}

/// Runs a command with the step's variables for at most `limit`, and gives the end of what it wrote:
/// the log would drown in the same lines again and again.
async fn exec(
    cx: &StepContext,
    mut command: Command,
    limit: Duration,
) -> Result<(ExitStatus, String), StepError> {
    let session = cx.session().await?;
    for (name, value) in cx.env().iter() {
        let entry = command.env.entry(name.clone());
        entry.or_insert_with(|| value.clone());
    }
    let tail = Tail::default();
    let options = OutputOptions::new(Arc::default(), cx.clock().clone());
    let output = Output::new(&options, Box::new(tail.clone()));
    let cancel = cx.cancellation().child_token();
    let status = {
        let running = session.exec(&command, ExecIo::new(output.clone(), cancel.clone()));
        tokio::pin!(running);
        tokio::select! {
            biased;
            status = &mut running => status,
            () = cx.clock().sleep(limit) => {
                // A session has to end its command itself; the future is not simply dropped.
                cancel.cancel();
                running.await
            }
        }
    };
    // What the probe said is kept in memory.
    let _ = output.finish().await;
    Ok((status?, tail.text()))
}

/// The last bytes of an output.
#[derive(Clone, Debug, Default)]
struct Tail(Arc<Mutex<Vec<u8>>>);

impl Tail {
    const KEPT: usize = 4096;

    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl LogSink for Tail {
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.extend_from_slice(&chunk.bytes);
        let surplus = bytes.len().saturating_sub(Self::KEPT);
        bytes.drain(..surplus);
        Ok(())
    }
}
