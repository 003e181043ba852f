//! The executor that does nothing by itself.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::calls::MockCall;
use super::files::Files;
use super::handle::{MockCommand, MockHandle};
use super::rule::{Behavior, Call, End, Rule, pick};
use super::session::MockSession;
use crate::executor::{
    Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapReport, ReapScope,
};
use crate::session::{Command, Session};

/// An executor without machines: it does what its [`MockHandle`] says, and notes what it was asked for.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use std::time::Duration;
///
/// use ci_core::testing::MockExecutor;
///
/// let (executor, handle) = MockExecutor::new();
/// handle.on("build").script("cargo test").times(1).exit(101);
/// handle.on("build").after(Duration::from_secs(90)).output("built\n");
/// handle.on("deploy").hang_until_canceled();
/// // … run a workflow on `executor` …
/// # let _ = executor;
/// handle.assert_all_torn_down();
/// # }
/// ```
#[derive(Debug)]
pub struct MockExecutor {
    name: String,
    limit: Option<usize>,
    shared: Arc<Shared>,
}

/// What the executor, its sessions and its handle share.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Takes the commands that wait for the test. Unbounded: a test may look at them late or never.
    pub(super) held: mpsc::UnboundedSender<MockCommand>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) rules: Vec<Rule>,
    pub(super) calls: Vec<MockCall>,
    pub(super) running: usize,
    pub(super) most_running: usize,
    /// What every session finds at its start.
    pub(super) files: Files,
    sessions: u32,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state().fmt(f)
    }
}

impl Shared {
    /// A panic of a test leaves the state as it was: whole.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens with a call.
    pub(super) fn pick(&self, call: Call, job: &str, command: Option<&Command>) -> Behavior {
        pick(&mut self.state().rules, call, job, command)
    }
}

impl MockExecutor {
    /// An executor named `mock`, and the handle that drives it.
    #[must_use]
    pub fn new() -> (Self, MockHandle) {
        let (held, waiting) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            held,
        });
        let executor = Self {
            name: "mock".to_owned(),
            limit: None,
            shared: Arc::clone(&shared),
        };
        (executor, MockHandle::new(shared, waiting))
    }

    /// Sets the name by which settings and jobs pick it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how many sessions it says it can have at once.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }
}

#[async_trait]
impl Executor for MockExecutor {
    fn name(&self) -> &str {
        &self.name
    }

    fn limit(&self) -> Option<usize> {
        self.limit
    }

    async fn prepare(
        &self,
        request: PrepareRequest<'_>,
    ) -> Result<Box<dyn Session>, ExecutorError> {
        let job = request.job.name.to_string();
        let behavior = self.shared.pick(Call::Prepare, &job, None);
        let refuse = |kind, text: &str| {
            let job = job.clone();
            self.shared.state().calls.push(MockCall::Refused { job });
            Err(ExecutorError::new(kind, text))
        };
        tokio::select! {
            biased;
            () = request.cancel.cancelled() => {
                return refuse(ExecutorErrorKind::Canceled, "preparing was canceled");
            }
            () = tokio::time::sleep(behavior.after) => {}
        }
        assert!(behavior.end != End::Panic, "the test asked for this panic");
        if let Some(kind) = behavior.refusal {
            return refuse(kind, "the test asked for this error");
        }
        let mut state = self.shared.state();
        state.sessions += 1;
        let session = state.sessions;
        state.calls.push(MockCall::Prepared {
            session,
            job: job.clone(),
            attempt: request.attempt,
        });
        let files = state.files.clone();
        drop(state);
        let shared = Arc::clone(&self.shared);
        Ok(Box::new(MockSession::new(
            shared,
            &self.name,
            (session, job),
            files,
        )))
    }

    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
        let call = MockCall::Reaped(scope.clone());
        self.shared.state().calls.push(call);
        Ok(ReapReport::default())
    }
}
