//! The session of a job on a rented machine: that of SSH, which knows why a machine went away.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ci_core::id::RunId;
use ci_core::session::{
    Command, ExecIo, ExitStatus, Output, Session, SessionError, SessionErrorKind, SessionInfo,
    TreeReader, TreeSelection,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::api::{InstanceState, Question};
use super::error::{Ec2Error, Ec2ErrorKind};
use super::executor::Interrupted;
use super::notice::Notices;
use super::pool::{Pool, Slot};
use super::wait::is_interruption;

/// How often EC2 is asked why a link broke: it knows a little later than we do.
const LOOKS: u32 = 4;

/// One attempt of a job on a machine.
pub(super) struct Ec2Session {
    pub(super) inner: Arc<dyn Session>,
    pub(super) pool: Arc<Pool>,
    pub(super) slot: Arc<Slot>,
    pub(super) run: RunId,
    pub(super) job: String,
    pub(super) output: Output,
    pub(super) notices: Notices,
    pub(super) interrupted: Interrupted,
    /// Canceled when the session is torn down.
    pub(super) over: CancellationToken,
    pub(super) watcher: Mutex<Option<JoinHandle<()>>>,
}

impl Ec2Session {
    /// Refuses to go on where the machine is not ours any more.
    fn check(&self) -> Result<(), SessionError> {
        match self.slot.machine() {
            Some(rented) if rented.stolen.is_cancelled() => {
                let text = format!("the lock on `{}` was taken by somebody else", rented.id);
                Err(Ec2Error::new(Ec2ErrorKind::Locked, text).into())
            }
            _ => Ok(()),
        }
    }

    /// What a broken link means.
    async fn explain(&self, error: SessionError) -> SessionError {
        let Some(rented) = self.slot.machine() else {
            return error;
        };
        if error.kind() != SessionErrorKind::Lost {
            return error;
        }
        Pool::close(&self.slot);
        if let Some(words) = self.notices.end() {
            return self.interruption(&rented.id, &words).with_source(error);
        }
        let landlord = &self.pool.landlord;
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(landlord.options.poll).await;
            }
            let question = Question::Id(rented.id.clone());
            let found = landlord.api.describe(&question).await.unwrap_or_default();
            let Some(instance) = found.into_iter().next() else {
                continue;
            };
            let reason = instance.reason.as_deref().unwrap_or("no reason given");
            if is_interruption(reason) {
                return self.interruption(&rented.id, reason).with_source(error);
            }
            if !matches!(
                instance.state,
                InstanceState::Pending | InstanceState::Running
            ) {
                let text = format!(
                    "{error}: the instance `{}` is {}: {reason}",
                    rented.id, instance.state
                );
                return SessionError::new(SessionErrorKind::Lost, text).with_source(error);
            }
        }
        error
    }

    fn interruption(&self, id: &str, words: &str) -> SessionError {
        self.interrupted.note(self.run, &self.job);
        let text = format!("the spot instance `{id}` was taken away: {words}");
        SessionError::new(SessionErrorKind::Interrupted, text)
    }

    /// Processes that end by a signal after the notice were ended with the machine.
    fn judge(&self, status: ExitStatus) -> Result<ExitStatus, SessionError> {
        let by_signal = match status {
            ExitStatus::Signal(_) => true,
            ExitStatus::Code(code) => code > 128,
            _ => false,
        };
        match (by_signal, self.notices.end(), self.slot.machine()) {
            (true, Some(words), Some(rented)) => Err(self.interruption(&rented.id, &words)),
            _ => Ok(status),
        }
    }
}

#[async_trait]
impl Session for Ec2Session {
    fn info(&self) -> &SessionInfo {
        self.inner.info()
    }

    async fn exec(&self, command: &Command, io: ExecIo) -> Result<ExitStatus, SessionError> {
        self.check()?;
        self.notices.tell(&io.output).await;
        match self.inner.exec(command, io).await {
            Ok(status) => self.judge(status),
            Err(error) => Err(self.explain(error).await),
        }
    }

    async fn copy_in(&self, tree: TreeReader, dir: &str) -> Result<(), SessionError> {
        self.check()?;
        match self.inner.copy_in(tree, dir).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.explain(error).await),
        }
    }

    async fn copy_out(&self, selection: &TreeSelection) -> Result<TreeReader, SessionError> {
        self.check()?;
        match self.inner.copy_out(selection).await {
            Ok(tree) => Ok(tree),
            Err(error) => Err(self.explain(error).await),
        }
    }

    async fn teardown(&self) -> Result<(), SessionError> {
        self.over.cancel();
        let watcher = {
            let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
            watcher.take()
        };
        let ended = self.inner.teardown().await;
        if let Some(watcher) = watcher {
            let _ = watcher.await;
        }
        crate::faults::point("session-over");
        // Whatever became of the link: the machine is what costs money.
        let released = self
            .pool
            .release(&self.slot, self.run, &self.output)
            .await
            .map_err(SessionError::from);
        match ended {
            // On a machine that is gone nothing of the session is left.
            Err(error) if error.kind() == SessionErrorKind::Lost => released,
            Err(error) => released.and(Err(error)),
            Ok(()) => released,
        }
    }
}
