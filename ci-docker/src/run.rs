//! One command from its start to its end: its output, its exit code, and what stops it.

use std::time::Duration;

use ci_core::session::{ExecIo, ExitStatus, SessionError, SessionErrorKind};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::container::{self, Container};
use crate::engine::ExecSpec;
use crate::error::{DockerError, DockerErrorKind};
use crate::script;
use crate::swarm::End;

/// How long to wait between looks at processes that have to end.
const LOOK: Duration = Duration::from_millis(50);

/// How long processes may take to go away after they were killed.
const KILLED: Duration = Duration::from_secs(10);

/// A command of a session, as its container knows it.
pub(crate) struct Run<'a> {
    pub(crate) container: &'a Container,
    /// Counts the commands of the container.
    pub(crate) number: String,
    /// What the environment of its processes has and no other.
    pub(crate) marker: String,
    pub(crate) grace: Duration,
    /// What it is called in errors: its program and its directory.
    pub(crate) program: &'a str,
    pub(crate) dir: &'a str,
}

impl Run<'_> {
    /// Runs it to its end. If `io` says so it is stopped before.
    pub(crate) async fn run(
        &self,
        spec: ExecSpec,
        io: &ExecIo,
    ) -> Result<ExitStatus, SessionError> {
        let ended = tokio::select! {
            biased;
            ended = self.run_there(spec, io) => ended,
            // A machine that is gone does not say so: its connections just stay silent.
            end = self.container.lost() => return Err(self.taken_away(end)),
        };
        match ended {
            Err(error) if error.kind() == SessionErrorKind::Lost => {
                let end = self.container.verdict().await;
                Err(end.map_or(error, |end| self.taken_away(end)))
            }
            ended => ended,
        }
    }

    async fn run_there(&self, spec: ExecSpec, io: &ExecIo) -> Result<ExitStatus, SessionError> {
        let begun = self.container.begin(spec).await;
        let begun = begun.map_err(|error| self.lost(error))?;
        let end = self.container.follow(begun, &io.output);
        tokio::pin!(end);
        let code = tokio::select! {
            biased;
            code = &mut end => Some(code),
            () = io.cancel.cancelled() => None,
        };
        if let Some(code) = code {
            return self.status(code.map_err(|error| self.lost(error))?).await;
        }
        // Its output is read on while it is stopped: it may wait for that.
        let over = CancellationToken::new();
        let (left, ended) = tokio::join!(self.stop(&over), async {
            let ended = tokio::time::timeout(self.grace + KILLED + KILLED, &mut end).await;
            over.cancel();
            ended
        });
        match left {
            Ok(left) => {
                for process in left {
                    io.output
                        .say(format!("could not end the process {process}"))
                        .await;
                }
            }
            // Whatever ended the container ended the command.
            Err(_) if self.container.over().is_cancelled() => {}
            Err(error) => return Err(error.into()),
        }
        if ended.is_err() {
            io.output
                .say("the command was stopped but its output did not end")
                .await;
        }
        Ok(ExitStatus::Stopped)
    }

    /// Asks its processes to end, waits, forces them. Gives those that live on. The command itself has
    /// ended when `over` is canceled.
    async fn stop(&self, over: &CancellationToken) -> Result<Vec<String>, DockerError> {
        let asked_at = Instant::now();
        let mut asked: Vec<String> = Vec::new();
        loop {
            let was_over = over.is_cancelled();
            let living = self.hunt("TERM", &asked).await?;
            // Nothing is there yet in the moment in which the command starts.
            if living.is_empty() && (!asked.is_empty() || was_over) {
                return Ok(living);
            }
            asked.extend(living);
            if asked_at.elapsed() >= self.grace {
                break;
            }
            let rest = self.grace.saturating_sub(asked_at.elapsed());
            tokio::time::sleep(LOOK.min(rest)).await;
        }
        let forced_at = Instant::now();
        loop {
            let living = self.hunt("KILL", &[]).await?;
            if living.is_empty() || forced_at.elapsed() >= KILLED {
                return Ok(living);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn hunt(&self, signal: &str, spared: &[String]) -> Result<Vec<String>, DockerError> {
        self.container
            .hunt(&self.marker, &self.number, signal, spared)
            .await
    }

    /// What an exit code means.
    async fn status(&self, code: i64) -> Result<ExitStatus, SessionError> {
        let code = i32::try_from(code).unwrap_or(-1);
        // The codes that a program may have or that may stand for something else; see script::BEGIN.
        if !matches!(code, 126 | 127 | 137 | 128) {
            return Ok(ExitStatus::from_shell_code(code));
        }
        let number = [self.number.as_str()];
        let asked = self.container.ask(script::WHY, &number, true);
        let said = match asked.await {
            Ok(said) if said.code == 0 => said.text,
            // The container is gone, and the code says nothing of the command.
            Ok(_) | Err(_) => return Err(self.lost(container::ended(self.container.name()))),
        };
        let missing = |what: String| Err(SessionError::new(SessionErrorKind::NotFound, what));
        match said.trim() {
            "directory" => missing(format!(
                "the directory `{}` does not exist in the container",
                self.dir
            )),
            "program" => missing(format!(
                "the program `{}` is not in the image, or cannot be executed there",
                self.program
            )),
            "memory" if code == 137 => Ok(ExitStatus::OutOfMemory),
            _ => Ok(ExitStatus::from_shell_code(code)),
        }
    }

    /// What a swarm says of the end of a container leaves that of the command unknown.
    fn taken_away(&self, end: End) -> SessionError {
        let (kind, why) = match end {
            End::Node(why) | End::Taken(why) => (SessionErrorKind::Interrupted, why),
            End::Task(why) => (SessionErrorKind::Lost, why),
        };
        let text = format!(
            "the container `{}` was lost while `{}` ran: {why}",
            self.container.name(),
            self.program
        );
        SessionError::new(kind, text)
    }

    /// What breaks while a command runs leaves its end unknown.
    fn lost(&self, error: DockerError) -> SessionError {
        let gone = matches!(
            error.kind(),
            DockerErrorKind::NotFound | DockerErrorKind::Conflict | DockerErrorKind::Unreachable
        );
        if gone || self.container.over().is_cancelled() {
            let text = format!(
                "the container `{}` ended or could not be reached while `{}` ran",
                self.container.name(),
                self.program
            );
            return SessionError::new(SessionErrorKind::Lost, text).with_source(error);
        }
        error.into()
    }
}
