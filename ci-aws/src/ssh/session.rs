//! The session of one job on a remote machine.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ci_core::session::{
    Command, ExecIo, ExitStatus, Session, SessionError, SessionErrorKind, SessionInfo, TreeReader,
    TreeSelection,
};
use tokio_util::sync::CancellationToken;

use super::args::supervisor;
use super::client::Client;
use super::error::{SshError, other};
use super::guard::Guard;
use super::step::{self, Around};
use super::{copy, spec};

/// How long the directories of a session may take to be removed.
const REMOVAL: Duration = Duration::from_mins(1);

/// The connection, the guard and the directories of one attempt of a job.
pub struct SshSession {
    pub(super) info: SessionInfo,
    pub(super) client: Client,
    pub(super) guard: Guard,
    /// The session's directory on the machine.
    pub(super) dir: String,
    /// Names the session on the machine: run and session.
    pub(super) marker: String,
    pub(super) env: BTreeMap<String, String>,
    pub(super) grace: Duration,
    pub(super) next: AtomicU32,
    /// Canceled when the session is torn down.
    pub(super) over: CancellationToken,
}

impl fmt::Debug for SshSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The variables may be secret.
        f.debug_struct("SshSession")
            .field("marker", &self.marker)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl SshSession {
    pub(super) fn check(&self) -> Result<(), SessionError> {
        if self.over.is_cancelled() {
            let text = "the session has been torn down";
            return Err(SessionError::new(SessionErrorKind::Refused, text));
        }
        if self.guard.lost.is_cancelled() {
            return Err(self.lost());
        }
        Ok(())
    }

    fn lost(&self) -> SessionError {
        SshError::lost(self.client.destination()).into()
    }

    pub(super) fn command(
        &self,
        mode: &str,
        words: &[&str],
    ) -> Result<std::process::Command, SessionError> {
        let command = supervisor(&self.dir, mode, words);
        let command = self.client.blocking(&command);
        command.map_err(|error| other("could not call `ssh`", error))
    }

    /// Fails unless all the directories are there.
    async fn look_for(&self, dirs: &[String]) -> Result<(), SessionError> {
        let words: Vec<&str> = dirs.iter().map(String::as_str).collect();
        let child = self
            .client
            .shared(&supervisor(&self.dir, "directories", &words))?;
        let done = tokio::select! {
            done = child.wait_with_output() => done,
            () = self.guard.lost.cancelled() => return Err(self.lost()),
        };
        let done = done.map_err(|error| other("lost sight of `ssh`", error))?;
        match done.status.code() {
            Some(0) => Ok(()),
            Some(code @ 100..255) => {
                let missing = usize::try_from(code - 100).ok().and_then(|at| dirs.get(at));
                let missing = missing.map_or("?", String::as_str);
                let text = format!("the directory `{missing}` does not exist");
                Err(SessionError::new(SessionErrorKind::NotFound, text))
            }
            _ => Err(self.lost()),
        }
    }
}

#[async_trait]
impl Session for SshSession {
    fn info(&self) -> &SessionInfo {
        &self.info
    }

    async fn exec(&self, command: &Command, io: ExecIo) -> Result<ExitStatus, SessionError> {
        self.check()?;
        if io.cancel.is_cancelled() {
            return Ok(ExitStatus::Stopped);
        }
        if let Some(image) = &command.image {
            let text = format!(
                "the image `{image}` of the step needs an executor of containers; `{}` runs steps on the machine itself",
                self.info.executor
            );
            return Err(SessionError::new(SessionErrorKind::Refused, text));
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let marker = format!("{}/{number};", self.marker);
        let script = spec::script(command, &self.info, &self.env, &marker)?;
        let dir = command.dir.as_deref().unwrap_or(".");
        let around = Around {
            program: command.words().first().copied().unwrap_or_default(),
            dir: &self.info.resolve(dir),
            client: &self.client,
            lost: &self.guard.lost,
            over: &self.over,
        };
        let call = supervisor(&self.dir, "step", &[&number.to_string()]);
        step::run(&around, &call, &script, &io).await
    }

    async fn copy_in(&self, tree: TreeReader, dir: &str) -> Result<(), SessionError> {
        self.check()?;
        let dir = self.info.resolve(dir);
        let command = self.command("unpack", &[&dir])?;
        blocking(move || copy::copy_in(tree, &dir, command)).await
    }

    async fn copy_out(&self, selection: &TreeSelection) -> Result<TreeReader, SessionError> {
        self.check()?;
        let dirs = selection
            .roots
            .iter()
            .map(|root| self.info.resolve(&root.dir));
        let dirs: Vec<String> = dirs.collect();
        self.look_for(&dirs).await?;
        let mut roots = Vec::new();
        for (root, dir) in selection.roots.iter().zip(&dirs) {
            roots.push((root.clone(), self.command("pack", &[dir])?));
        }
        copy::copy_out(roots)
    }

    async fn teardown(&self) -> Result<(), SessionError> {
        self.over.cancel();
        let left = self.guard.end(&self.client, self.grace + REMOVAL).await?;
        if left.is_empty() {
            return Ok(());
        }
        let text = format!("could not end the processes {left}");
        Err(SessionError::new(SessionErrorKind::Other, text))
    }
}

/// Does what blocks.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SessionError> + Send + 'static,
) -> Result<T, SessionError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(other("copying did not end", error)))
}
