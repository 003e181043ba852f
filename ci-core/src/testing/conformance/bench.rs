//! Where a check works: a session, and how to run commands in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::check::{Trouble, ensure};
use super::log::Log;
use super::options::ConformanceOptions;
use crate::executor::{Executor, ExecutorError, PrepareRequest};
use crate::id::RunId;
use crate::job::JobSpec;
use crate::session::{Command, ExecIo, ExitStatus, Session, SessionError, Stream};

/// A variable that all sessions are prepared with, and its value.
pub(super) const JOB_VARIABLE: (&str, &str) = ("CONFORMANCE_JOB", "of the job");

/// Where a check works.
#[derive(Clone)]
pub(super) struct Bench {
    pub(super) executor: Arc<dyn Executor>,
    pub(super) options: Arc<ConformanceOptions>,
    pub(super) run: RunId,
    /// The session that most checks share, because preparing one may take minutes.
    pub(super) session: Arc<dyn Session>,
}

/// What came of a command.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) status: ExitStatus,
    pub(super) log: Log,
}

/// A command that runs. It is told to stop when this is dropped.
pub(super) struct Started {
    pub(super) log: Log,
    task: JoinHandle<Result<ExitStatus, SessionError>>,
    stop: DropGuard,
}

impl Bench {
    /// Runs a command to its end.
    pub(super) async fn exec(&self, command: Command) -> Result<Ran, Trouble> {
        self.start(command).end(self.options.longest).await
    }

    /// Runs a script to its end.
    pub(super) async fn script(&self, script: &str) -> Result<Ran, Trouble> {
        self.exec(self.command(script)).await
    }

    /// Runs a script that has to succeed, and gives what it wrote to its standard output.
    pub(super) async fn sh(&self, script: &str) -> Result<String, Trouble> {
        let ran = self.script(script).await?;
        ensure(ran.status.success(), || {
            let errors = ran.log.text(Stream::Stderr);
            format!("`{script}` gave {:?} and said: {errors}", ran.status)
        })?;
        Ok(ran.log.text(Stream::Stdout))
    }

    /// `script` for the shell of the options.
    pub(super) fn command(&self, script: &str) -> Command {
        Command::shell(self.options.shell.iter().cloned(), script)
    }

    /// Starts a command.
    pub(super) fn start(&self, command: Command) -> Started {
        self.start_with(command, CancellationToken::new())
    }

    /// Starts a command that `cancel` stops.
    pub(super) fn start_with(&self, command: Command, cancel: CancellationToken) -> Started {
        let (log, session) = (Log::default(), Arc::clone(&self.session));
        let output = log.output();
        let io = ExecIo::new(output.clone(), cancel.clone());
        let task = tokio::spawn(async move {
            let status = session.exec(&command, io).await;
            let _ = output.finish().await;
            status
        });
        Started {
            log,
            task,
            stop: cancel.drop_guard(),
        }
    }

    /// Prepares another session, and gives a bench for it.
    pub(super) async fn prepare(&self, run: RunId, job: &str) -> Result<Self, Trouble> {
        let session = prepare(
            self.executor.as_ref(),
            &self.options,
            (run, job),
            CancellationToken::new(),
        );
        let session = within(self.options.start_up, "preparing a session", session).await??;
        Ok(Self {
            run,
            session: Arc::from(session),
            ..self.clone()
        })
    }

    /// Tears the session down.
    pub(super) async fn teardown(&self) -> Result<(), Trouble> {
        let most = self.options.grace + self.options.patience;
        Ok(within(most, "the teardown", self.session.teardown()).await??)
    }

    /// Waits for something that should be quick.
    pub(super) async fn soon<T>(
        &self,
        what: &str,
        future: impl Future<Output = T>,
    ) -> Result<T, Trouble> {
        within(self.options.patience, what, future).await
    }

    /// Waits until `condition` holds, for as long as anything quick may take.
    pub(super) async fn until(
        &self,
        what: &str,
        condition: impl Fn() -> bool,
    ) -> Result<(), Trouble> {
        self.soon(what, async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
    }
}

impl Started {
    /// Asks the command to stop.
    pub(super) fn cancel(self) -> Stopping {
        let Self { log, task, stop } = self;
        stop.disarm().cancel();
        Stopping { log, task }
    }

    /// Waits for the end of the command, which nobody asked for.
    pub(super) async fn end(self, most: Duration) -> Result<Ran, Trouble> {
        let Self { log, task, stop } = self;
        let ran = Stopping { log, task }.end(most).await;
        // Only now: dropping it asks the command to stop.
        drop(stop);
        ran
    }
}

/// A command that was asked to stop.
pub(super) struct Stopping {
    log: Log,
    task: JoinHandle<Result<ExitStatus, SessionError>>,
}

impl Stopping {
    /// Waits for the end of the command.
    pub(super) async fn end(self, most: Duration) -> Result<Ran, Trouble> {
        let status = within(most, "the end of the command", self.task).await?;
        let status =
            status.map_err(|error| Trouble::failed(format!("`exec` panicked: {error}")))??;
        Ok(Ran {
            status,
            log: self.log,
        })
    }
}

impl Ran {
    pub(super) fn stdout(&self) -> String {
        self.log.text(Stream::Stdout)
    }
}

/// Prepares a session for a job of a run.
pub(super) async fn prepare(
    executor: &dyn Executor,
    options: &ConformanceOptions,
    (run, name): (RunId, &str),
    cancel: CancellationToken,
) -> Result<Box<dyn Session>, ExecutorError> {
    let job = JobSpec {
        name: name.into(),
        ..options.job.clone()
    };
    let (variable, value) = JOB_VARIABLE;
    let env = BTreeMap::from([(variable.to_owned(), value.to_owned())]);
    let mut request = PrepareRequest::new(run, &job, &env);
    request.project_dir.clone_from(&options.project_dir);
    request.cancel = cancel;
    executor.prepare(request).await
}

/// Waits for `future`, but not for longer than `most`.
pub(super) async fn within<T>(
    most: Duration,
    what: &str,
    future: impl Future<Output = T>,
) -> Result<T, Trouble> {
    tokio::time::timeout(most, future)
        .await
        .map_err(|_| Trouble::failed(format!("{what} took more than {most:?}")))
}
