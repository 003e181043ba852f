//! An executor for the tests of the layers: it answers what it was told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::executor::{Executor, ExecutorError, ExecutorErrorKind, PrepareRequest};
use crate::id::RunId;
use crate::job::JobSpec;
use crate::session::{
    Command, ExecIo, ExitStatus, Session, SessionError, SessionErrorKind, SessionInfo, TreeReader,
    TreeSelection,
};

/// What comes of preparing a session.
pub(super) enum Answer {
    /// A session, after a while.
    After(Duration),
    /// An error at once.
    Fail(ExecutorErrorKind),
    /// Nothing until the request is canceled.
    Never,
}

pub(super) struct Fake {
    answers: Mutex<VecDeque<Answer>>,
    asked: AtomicU32,
    stopped: AtomicU32,
}

impl Fake {
    pub(super) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            answers: Mutex::new(answers.into_iter().collect()),
            asked: AtomicU32::new(0),
            stopped: AtomicU32::new(0),
        }
    }

    /// How often it was asked for a session.
    pub(super) fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }

    /// How often it gave up because it was told to.
    pub(super) fn stopped(&self) -> u32 {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Asks `executor` for a session.
pub(super) async fn prepare(
    executor: &impl Executor,
    cancel: &CancellationToken,
) -> Result<Box<dyn Session>, ExecutorError> {
    let (job, env) = (JobSpec::new("job"), BTreeMap::new());
    let mut request = PrepareRequest::new(RunId::new(), &job, &env);
    request.cancel = cancel.clone();
    executor.prepare(request).await
}

#[async_trait]
impl Executor for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn prepare(
        &self,
        request: PrepareRequest<'_>,
    ) -> Result<Box<dyn Session>, ExecutorError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers.lock().unwrap().pop_front();
        match answer.expect("asked more often than there are answers") {
            Answer::After(time) => {
                tokio::time::sleep(time).await;
                Ok(Box::new(Idle(SessionInfo::new("fake", "/", "/"))))
            }
            Answer::Fail(kind) => Err(ExecutorError::new(kind, "as told")),
            Answer::Never => {
                request.cancel.cancelled().await;
                self.stopped.fetch_add(1, Ordering::Relaxed);
                Err(ExecutorError::new(ExecutorErrorKind::Canceled, "canceled"))
            }
        }
    }
}

/// A session that can only be torn down.
struct Idle(SessionInfo);

fn refused() -> SessionError {
    SessionError::new(SessionErrorKind::Refused, "the fake does nothing")
}

#[async_trait]
impl Session for Idle {
    fn info(&self) -> &SessionInfo {
        &self.0
    }

    async fn exec(&self, _command: &Command, _io: ExecIo) -> Result<ExitStatus, SessionError> {
        Err(refused())
    }

    async fn copy_in(&self, _tree: TreeReader, _dir: &str) -> Result<(), SessionError> {
        Err(refused())
    }

    async fn copy_out(&self, _selection: &TreeSelection) -> Result<TreeReader, SessionError> {
        Err(refused())
    }

    async fn teardown(&self) -> Result<(), SessionError> {
        Ok(())
    }
}
