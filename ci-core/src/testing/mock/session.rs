//! A session without a machine.

use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::calls::MockCall;
use super::executor::Shared;
use super::files::Files;
use super::handle::MockCommand;
use super::rule::{Behavior, Call, End};
use crate::session::{
    Command, ExecIo, ExitStatus, Session, SessionError, SessionErrorKind, SessionInfo, TreeReader,
    TreeSelection,
};

#[derive(Debug)]
pub(super) struct MockSession {
    shared: Arc<Shared>,
    number: u32,
    job: String,
    info: SessionInfo,
    files: Mutex<Files>,
    over: CancellationToken,
}

impl MockSession {
    pub(super) fn new(
        shared: Arc<Shared>,
        executor: &str,
        (number, job): (u32, String),
        files: Files,
    ) -> Self {
        Self {
            shared,
            number,
            job,
            info: SessionInfo::new(executor, super::handle::WORK_DIR, super::handle::HOME),
            files: Mutex::new(files),
            over: CancellationToken::new(),
        }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, call: MockCall) {
        self.shared.state().calls.push(call);
    }

    fn check_open(&self) -> Result<(), SessionError> {
        if self.over.is_cancelled() {
            let text = "the session has been torn down";
            return Err(SessionError::new(SessionErrorKind::Refused, text));
        }
        Ok(())
    }

    async fn behave(
        &self,
        command: &Command,
        io: &ExecIo,
        behavior: Behavior,
    ) -> Result<ExitStatus, SessionError> {
        for (stream, text) in &behavior.output {
            io.output.write(*stream, text.as_bytes()).await;
        }
        tokio::time::sleep(behavior.after).await;
        let status = match behavior.end {
            End::Exit(status) => status,
            End::Fail(kind) => return Err(asked_for(kind)),
            End::Hang => std::future::pending().await,
            End::Panic => return Err(panic()),
            End::ByHand => self.by_hand(command, io).await?,
        };
        for (path, content) in behavior.files {
            let path = self.info.resolve(&path);
            self.files().write(path, content);
        }
        Ok(status)
    }

    /// Lets the test answer.
    async fn by_hand(&self, command: &Command, io: &ExecIo) -> Result<ExitStatus, SessionError> {
        let (respond, answer) = oneshot::channel();
        let held = MockCommand::new(&self.job, command.clone(), io, respond);
        let nobody = |_| {
            let text = "the test dropped a command that waits for it";
            SessionError::new(SessionErrorKind::Other, text)
        };
        let _ = self.shared.held.send(held);
        answer.await.map_err(nobody)?
    }
}

#[async_trait]
impl Session for MockSession {
    fn info(&self) -> &SessionInfo {
        &self.info
    }

    async fn exec(&self, command: &Command, io: ExecIo) -> Result<ExitStatus, SessionError> {
        if io.cancel.is_cancelled() {
            return Ok(ExitStatus::Stopped);
        }
        self.note(MockCall::Command {
            session: self.number,
            job: self.job.clone(),
            command: command.clone(),
        });
        self.check_open()?;
        let behavior = self.shared.pick(Call::Command, &self.job, Some(command));
        let _running = Running::new(&self.shared);
        tokio::select! {
            biased;
            () = io.cancel.cancelled() => Ok(ExitStatus::Stopped),
            () = self.over.cancelled() => Ok(ExitStatus::Signal(9)),
            ended = self.behave(command, &io, behavior) => ended,
        }
    }

    async fn copy_in(&self, mut tree: TreeReader, dir: &str) -> Result<(), SessionError> {
        self.note(MockCall::CopiedIn {
            session: self.number,
            job: self.job.clone(),
            dir: dir.to_owned(),
        });
        self.check_open()?;
        let read = move || {
            let mut bytes = Vec::new();
            tree.read_to_end(&mut bytes).map(|_| bytes)
        };
        let bytes = tokio::task::spawn_blocking(read)
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)));
        let broken = |error| {
            SessionError::new(SessionErrorKind::Other, "the archive cannot be read")
                .with_source(error)
        };
        let dir = self.info.resolve(dir);
        self.files().unpack(&bytes.map_err(broken)?, &dir)
    }

    async fn copy_out(&self, selection: &TreeSelection) -> Result<TreeReader, SessionError> {
        let dirs = selection.roots.iter().map(|root| root.dir.clone());
        self.note(MockCall::CopiedOut {
            session: self.number,
            job: self.job.clone(),
            dirs: dirs.collect(),
        });
        self.check_open()?;
        self.files().pack(selection, &self.info)
    }

    async fn teardown(&self) -> Result<(), SessionError> {
        self.note(MockCall::TornDown {
            session: self.number,
            job: self.job.clone(),
        });
        self.over.cancel();
        let behavior = self.shared.pick(Call::Teardown, &self.job, None);
        tokio::time::sleep(behavior.after).await;
        match behavior.end {
            End::Fail(kind) => Err(asked_for(kind)),
            End::Panic => Err(panic()),
            _ => Ok(()),
        }
    }
}

/// Counts a command for as long as it runs, however it ends.
struct Running<'a>(&'a Shared);

impl<'a> Running<'a> {
    fn new(shared: &'a Shared) -> Self {
        let mut state = shared.state();
        state.running += 1;
        state.most_running = state.most_running.max(state.running);
        Self(shared)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.state().running -= 1;
    }
}

fn asked_for(kind: SessionErrorKind) -> SessionError {
    SessionError::new(kind, "the test asked for this error")
}

#[expect(clippy::panic, reason = "the test asked for it")]
fn panic() -> SessionError {
    panic!("the test asked for this panic")
}
