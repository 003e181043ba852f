//! The handle that drives a mock executor.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::calls::{MockCall, text_of, wrongs};
use super::executor::Shared;
use super::rule::MockRule;
use crate::session::{Command, ExecIo, ExitStatus, Output, SessionError, SessionErrorKind};

/// The working directory of every mock session.
pub(super) const WORK_DIR: &str = "/mock/work";

/// The home directory of every mock session.
pub(super) const HOME: &str = "/mock/home";

/// Drives a [`MockExecutor`](super::MockExecutor) and knows what it was asked for.
#[derive(Debug)]
pub struct MockHandle {
    shared: Arc<Shared>,
    waiting: mpsc::UnboundedReceiver<MockCommand>,
}

/// A command that waits for the test to end it. Dropping it without an answer gives the command's step
/// an error.
pub struct MockCommand {
    /// The job.
    pub job: String,
    /// The command.
    pub command: Command,
    /// Takes what the command writes.
    pub output: Output,
    /// Canceled when the command has to stop; the mock does that by itself.
    pub cancel: CancellationToken,
    respond: oneshot::Sender<Result<ExitStatus, SessionError>>,
}

impl MockHandle {
    pub(super) fn new(shared: Arc<Shared>, waiting: mpsc::UnboundedReceiver<MockCommand>) -> Self {
        Self { shared, waiting }
    }

    /// A new rule for the job of this name.
    #[expect(
        clippy::must_use_candidate,
        reason = "a rule without more says: succeeds"
    )]
    pub fn on(&self, job: &str) -> MockRule {
        MockRule::new(Arc::clone(&self.shared), Some(job))
    }

    /// A new rule for all jobs.
    #[expect(
        clippy::must_use_candidate,
        reason = "a rule without more says: succeeds"
    )]
    pub fn on_any(&self) -> MockRule {
        MockRule::new(Arc::clone(&self.shared), None)
    }

    /// Puts a file into every session that is prepared from now on. A relative path starts at the
    /// working directory, `~` is the home.
    pub fn put_file(&self, path: &str, content: impl Into<Vec<u8>>) {
        let path = crate::session::SessionInfo::new("mock", WORK_DIR, HOME).resolve(path);
        self.shared.state().files.write(path, content);
    }

    /// Waits for the next command that a rule gave to the test
    /// ([`by_hand`](MockRule::by_hand)), in the order in which they started.
    ///
    /// # Panics
    /// Never while the handle lives.
    pub async fn next_command(&mut self) -> MockCommand {
        match self.waiting.recv().await {
            Some(command) => command,
            // The handle itself holds a sender.
            None => std::future::pending().await,
        }
    }

    /// A command that already waits for the test, if there is one.
    pub fn try_next_command(&mut self) -> Option<MockCommand> {
        self.waiting.try_recv().ok()
    }

    /// All that was asked for, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<MockCall> {
        self.shared.state().calls.clone()
    }

    /// The commands that were started: the job and the script, or the words with spaces between.
    #[must_use]
    pub fn commands(&self) -> Vec<(String, String)> {
        let state = self.shared.state();
        let commands = state.calls.iter().filter_map(|call| match call {
            MockCall::Command { job, command, .. } => Some((job.clone(), text_of(command))),
            _ => None,
        });
        commands.collect()
    }

    /// The scripts of the commands that a job started.
    #[must_use]
    pub fn commands_of(&self, job: &str) -> Vec<String> {
        let mut commands = self.commands();
        commands.retain(|(name, _)| name == job);
        commands.into_iter().map(|(_, text)| text).collect()
    }

    /// The jobs that got a session, in order, once for every attempt.
    #[must_use]
    pub fn prepared(&self) -> Vec<String> {
        let state = self.shared.state();
        let jobs = state.calls.iter().filter_map(|call| match call {
            MockCall::Prepared { job, .. } => Some(job.clone()),
            _ => None,
        });
        jobs.collect()
    }

    /// How many commands run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.shared.state().running
    }

    /// The most commands that ever ran at once.
    #[must_use]
    pub fn most_running(&self) -> usize {
        self.shared.state().most_running
    }

    /// What is wrong with the lives of the sessions so far: torn down never or twice, or used after.
    #[must_use]
    pub fn leaks(&self) -> Vec<String> {
        wrongs(&self.shared.state().calls)
    }

    /// Ends the test unless every session was torn down exactly once and never used after.
    ///
    /// # Panics
    /// If that is not so.
    #[track_caller]
    pub fn assert_all_torn_down(&self) {
        let leaks = self.leaks();
        assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    }
}

impl MockCommand {
    pub(super) fn new(
        job: &str,
        command: Command,
        io: &ExecIo,
        respond: oneshot::Sender<Result<ExitStatus, SessionError>>,
    ) -> Self {
        Self {
            job: job.to_owned(),
            command,
            output: io.output.clone(),
            cancel: io.cancel.clone(),
            respond,
        }
    }

    /// The script, or the words with spaces between.
    #[must_use]
    pub fn text(&self) -> String {
        text_of(&self.command)
    }

    /// Ends the command. Nothing happens if it was stopped meanwhile.
    pub fn respond(self, status: ExitStatus) {
        let _ = self.respond.send(Ok(status));
    }

    /// Ends the command with an error. Nothing happens if it was stopped meanwhile.
    pub fn fail(self, kind: SessionErrorKind) {
        let error = SessionError::new(kind, "the test asked for this error");
        let _ = self.respond.send(Err(error));
    }
}

impl fmt::Debug for MockCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockCommand")
            .field("job", &self.job)
            .field("text", &self.text())
            .finish_non_exhaustive()
    }
}
