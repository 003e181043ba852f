//! The session of one job in its container.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ci_core::session::{
    Command, ExecIo, ExitStatus, Session, SessionError, SessionErrorKind, SessionInfo, TreeReader,
    TreeSelection,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::command;
use crate::container::Container;
use crate::copy::{self, Owner};
use crate::error::DockerError;
use crate::run::Run;

/// How long a teardown may take beside the grace period.
const TEARDOWN: Duration = Duration::from_mins(1);

/// The container of one attempt of a job, and what its commands get.
#[derive(Debug)]
pub(crate) struct DockerSession {
    pub(crate) info: SessionInfo,
    pub(crate) container: Container,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) owner: Owner,
    pub(crate) grace: Duration,
    /// Counts commands.
    pub(crate) next: AtomicU64,
    /// Canceled when the session is torn down.
    pub(crate) closed: CancellationToken,
}

impl DockerSession {
    fn check_open(&self) -> Result<(), SessionError> {
        if self.closed.is_cancelled() {
            let text = "the session has been torn down";
            return Err(SessionError::new(SessionErrorKind::Refused, text));
        }
        Ok(())
    }

    /// What marks the processes of all commands of the session. It does not end like another one.
    fn marker(&self) -> String {
        format!("{}.", self.container.name())
    }

    /// Asks everything that still runs to end, and waits for that as long as the grace period.
    async fn ask_to_end(&self) -> Result<(), DockerError> {
        let (asked_at, marker) = (Instant::now(), self.marker());
        let mut asked = Vec::new();
        loop {
            let living = self.container.hunt(&marker, "", "TERM", &asked).await?;
            if living.is_empty() || asked_at.elapsed() >= self.grace {
                return Ok(());
            }
            asked.extend(living);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn make_dir(&self, dir: &str) -> Result<(), SessionError> {
        const MKDIR: &str = r#"mkdir -p -- "$1""#;
        let what = format!("make the directory `{dir}`");
        self.container
            .script_ok(&what, MKDIR, &[dir], false)
            .await?;
        Ok(())
    }
}

#[async_trait]
impl Session for DockerSession {
    fn info(&self) -> &SessionInfo {
        &self.info
    }

    async fn exec(&self, command: &Command, io: ExecIo) -> Result<ExitStatus, SessionError> {
        self.check_open()?;
        let number = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let marker = format!("{}{number}.", self.marker());
        let dir = self.info.resolve(command.dir.as_deref().unwrap_or("."));
        let spec = command::spec(command, &self.variables, &dir, &number, &marker)?;
        if io.cancel.is_cancelled() {
            return Ok(ExitStatus::Stopped);
        }
        let run = Run {
            container: &self.container,
            number,
            marker,
            grace: self.grace,
            program: command.words().first().copied().unwrap_or_default(),
            dir: &dir,
        };
        run.run(spec, &io).await
    }

    async fn copy_in(&self, tree: TreeReader, dir: &str) -> Result<(), SessionError> {
        self.check_open()?;
        let dir = self.info.resolve(dir);
        self.make_dir(&dir).await?;
        copy::copy_in(&self.container, tree, &dir, self.owner).await
    }

    async fn copy_out(&self, selection: &TreeSelection) -> Result<TreeReader, SessionError> {
        self.check_open()?;
        let mut selection = selection.clone();
        for root in &mut selection.roots {
            root.dir = self.info.resolve(&root.dir);
        }
        copy::copy_out(&self.container, selection).await
    }

    async fn teardown(&self) -> Result<(), SessionError> {
        self.closed.cancel();
        let work = async {
            // What does not obey, or cannot be asked any more, ends with the container.
            let asked = tokio::time::timeout(self.grace * 2, self.ask_to_end()).await;
            let _ = asked;
            self.container.remove().await
        };
        match tokio::time::timeout(self.grace * 2 + TEARDOWN, work).await {
            Ok(removed) => Ok(removed?),
            Err(_) => Err(SessionError::new(
                SessionErrorKind::Lost,
                format!(
                    "the container `{}` was not removed in time",
                    self.container.name()
                ),
            )),
        }
    }
}
