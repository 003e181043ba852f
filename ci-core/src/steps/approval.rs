//! Waits until somebody decides.

use async_trait::async_trait;

use crate::outcome::{CancelReason, Outcome, TimeLimit};
use crate::step::{ApprovalSpec, SessionUse, Step, StepContext, StepError};
use crate::units::format_duration;

/// Waits until somebody decides. Approved is success, refused is canceled, and a deadline that passes
/// is a time-out.
#[derive(Debug, Clone)]
pub struct Approval(pub ApprovalSpec);

#[async_trait]
impl Step for Approval {
    fn name(&self) -> &'static str {
        "approval"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let prompt = self.0.prompt.as_deref();
        let within = match self.0.deadline {
            Some(deadline) => format!(" (for up to {})", format_duration(deadline)),
            None => String::new(),
        };
        let question = prompt.map_or_else(String::new, |prompt| format!(": {prompt}"));
        cx.say(format!("waiting for approval{within}{question}"))
            .await;
        let decision = tokio::select! {
            // A decision that is there counts, even if the job is canceled at the same moment.
            biased;
            decision = cx.approval(prompt, self.0.deadline) => decision?,
            () = cx.cancellation().cancelled() => {
                return Ok(Outcome::Canceled(CancelReason::Requested));
            }
        };
        let (words, outcome) = match decision {
            Some(true) => ("approved", Outcome::Success),
            Some(false) => ("refused", Outcome::Canceled(CancelReason::Rejected)),
            None => (
                "nobody decided in time",
                Outcome::TimedOut(TimeLimit::Approval),
            ),
        };
        cx.say(words).await;
        Ok(outcome)
    }

    fn session_use(&self) -> SessionUse {
        SessionUse::OnDemand
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::job::JobSpec;
    use crate::step::{Action, StepSpec};
    use crate::steps::test_support::Bench;

    fn bench(deadline: Option<Duration>) -> Bench {
        let prompt = Some("ship it?".into());
        let spec = ApprovalSpec { prompt, deadline };
        Bench::new(JobSpec::new("j").step(StepSpec::new(Action::Approval(spec))))
    }

    #[tokio::test]
    async fn a_decision_is_the_outcome() {
        let approved = bench(None).decision(true);
        assert_eq!(approved.run(0).await.unwrap(), Outcome::Success);
        assert_eq!(
            approved.log().await,
            "waiting for approval: ship it?\napproved\n"
        );
        let refused = bench(None).decision(false);
        assert_eq!(
            refused.run(0).await.unwrap(),
            Outcome::Canceled(CancelReason::Rejected)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_passes_is_a_time_out() {
        let start = tokio::time::Instant::now();
        let bench = bench(Some(Duration::from_hours(2)));
        assert_eq!(
            bench.run(0).await.unwrap(),
            Outcome::TimedOut(TimeLimit::Approval)
        );
        assert_eq!(start.elapsed(), Duration::from_hours(2));
        assert!(!bench.session_was_asked_for());
    }

    #[tokio::test]
    async fn cancellation_ends_the_wait() {
        let bench = bench(None);
        bench.cancellation().cancel();
        assert_eq!(
            bench.run(0).await.unwrap(),
            Outcome::Canceled(CancelReason::Requested)
        );
    }
}
