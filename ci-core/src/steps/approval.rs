//! The step that waits until somebody approves.

use async_trait::async_trait;

use crate::outcome::{CancelReason, Outcome, TimeLimit};
use crate::step::{ApprovalSpec, SessionUse, Step, StepContext, StepError};

/// Waits until somebody approves.
#[derive(Debug, Clone)]
pub(crate) struct WaitForApproval(pub(crate) ApprovalSpec);

#[async_trait]
impl Step for WaitForApproval {
    fn name(&self) -> &'static str {
        "approval"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let prompt = self.0.prompt.as_deref();
        cx.say(prompt.unwrap_or("waits for an approval")).await;
        let decision = cx.approval(prompt, self.0.deadline);
        tokio::select! {
            decided = decision => Ok(match decided? {
                Some(true) => Outcome::Success,
                Some(false) => Outcome::Canceled(CancelReason::Rejected),
                None => Outcome::TimedOut(TimeLimit::Approval),
            }),
            () = cx.cancellation().cancelled() => Ok(Outcome::Canceled(CancelReason::Requested)),
        }
    }

    fn session_use(&self) -> SessionUse {
        SessionUse::OnDemand
    }
}
