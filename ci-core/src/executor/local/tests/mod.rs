//! How the local executor behaves, with real processes.

mod commands;
mod files;
mod kept;
#[cfg(all(target_os = "linux", not(ci_core_portable)))]
mod reaping;
mod trees;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::LocalExecutor;
use crate::clock::Clock;
use crate::executor::{Executor, PrepareRequest};
use crate::id::RunId;
use crate::job::JobSpec;
use crate::session::{
    Command, ExecIo, ExitStatus, LogSink, Output, OutputChunk, OutputOptions, Session,
    SessionError, Stream,
};

/// An executor with directories of its own.
struct Place {
    dir: tempfile::TempDir,
    executor: LocalExecutor,
    run: RunId,
    env: BTreeMap<String, String>,
}

impl Place {
    fn new() -> Self {
        Self::with(|executor| executor)
    }

    fn with(change: impl FnOnce(LocalExecutor) -> LocalExecutor) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("project")).unwrap();
        let executor = LocalExecutor::new()
            .root(dir.path().join("root"))
            .grace(Duration::from_secs(20));
        Self {
            executor: change(executor),
            dir,
            run: RunId::new(),
            env: BTreeMap::new(),
        }
    }

    fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    async fn session(&self) -> Box<dyn Session> {
        self.session_of(&JobSpec::new("job")).await
    }

    async fn session_of(&self, job: &JobSpec) -> Box<dyn Session> {
        let mut request = PrepareRequest::new(self.run, job, &self.env);
        request.project_dir = Some(self.project());
        self.executor.prepare(request).await.unwrap()
    }
}

/// What a command wrote, by stream.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<[Vec<u8>; 3]>>);

impl LogSink for Log {
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()> {
        self.0.lock().unwrap()[chunk.stream as usize].extend_from_slice(&chunk.bytes);
        Ok(())
    }
}

impl Log {
    fn bytes(&self, stream: Stream) -> Vec<u8> {
        self.0.lock().unwrap()[stream as usize].clone()
    }

    fn text(&self, stream: Stream) -> String {
        String::from_utf8(self.bytes(stream)).unwrap()
    }
}

fn output(sink: impl LogSink + 'static) -> Output {
    let options = OutputOptions::new(Arc::default(), Clock::system());
    Output::new(&options, Box::new(sink))
}

/// Runs a command to its end.
async fn run(session: &dyn Session, command: Command) -> (Result<ExitStatus, SessionError>, Log) {
    let log = Log::default();
    let out = output(log.clone());
    let io = ExecIo::new(out.clone(), CancellationToken::new());
    let status = session.exec(&command, io).await;
    out.finish().await.expect("a log");
    (status, log)
}

/// Runs a script that has to succeed, and gives what it wrote to its standard output.
async fn sh(session: &dyn Session, script: &str) -> String {
    let (status, log) = run(session, Command::sh(script)).await;
    assert_eq!(status.unwrap(), ExitStatus::Code(0), "{log:?}");
    log.text(Stream::Stdout)
}

/// Waits until `condition` gives something.
async fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(done) = condition() {
            return done;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The process number that a script wrote to `file`, once it is there.
async fn pid_in(file: &Path) -> i32 {
    let read = || {
        let text = fs::read_to_string(file).ok()?;
        text.strip_suffix('\n')?.parse().ok()
    };
    eventually("a process number", read).await
}

/// Whether the process lives; one that has ended and was not waited for does not.
fn lives(pid: i32) -> bool {
    let status = std::process::Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output()
        .unwrap();
    let state = String::from_utf8(status.stdout).unwrap();
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}
