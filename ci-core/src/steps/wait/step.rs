//! Tries again until there is an answer or the deadline has passed.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::probe::{Answer, Probe};
use crate::outcome::{CancelReason, Outcome};
use crate::step::{SessionUse, Step, StepContext, StepError, WaitSpec};
use crate::units::format_duration;

/// Waits until a service answers: a TCP port, an HTTP URL, or a command that succeeds. After the
/// deadline it fails and says what was tried, how often, and the last error. It tries at least once.
#[derive(Debug, Clone)]
pub struct WaitFor(pub WaitSpec);

/// The shortest pause between two tries: a probe that fails at once must not keep a core busy.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// The least that one try gets: a deadline that is over too soon still allows one.
const MIN_TRY: Duration = Duration::from_millis(100);

/// How often the log says that the step still waits.
const SAY_EVERY: Duration = Duration::from_secs(30);

#[async_trait]
impl Step for WaitFor {
    fn name(&self) -> &'static str {
        "wait for"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let session = cx.session().await?;
        let probe = match Probe::new(&self.0.probe, session.info()) {
            Ok(probe) => probe,
            Err(why) => return Ok(Outcome::failed(why)),
        };
        let deadline = self.0.deadline;
        let within = format_duration(deadline);
        cx.say(format!("waiting up to {within} for {probe}")).await;
        let start = Instant::now();
        let left = || deadline.saturating_sub(start.elapsed());
        let mut tries = 0_u32;
        let mut said = Duration::ZERO;
        let mut why = String::from("no answer");
        while tries == 0 || !left().is_zero() {
            tries = tries.saturating_add(1);
            match probe.ask(cx, left().max(MIN_TRY)).await? {
                Answer::Yes => {
                    cx.say(format!("{probe} answers")).await;
                    return Ok(Outcome::Success);
                }
                Answer::Never(why) => return Ok(Outcome::failed(why)),
                Answer::NotYet(reason) => why = reason,
                // What an earlier try was told says more than that the time was over.
                Answer::Cut => {}
            }
            if start.elapsed() >= said + SAY_EVERY {
                said = start.elapsed();
                cx.say(format!("no answer yet: {why}")).await;
            }
            tokio::select! {
                biased;
                () = cx.cancellation().cancelled() => {
                    return Ok(Outcome::Canceled(CancelReason::Requested));
                }
                () = cx.clock().sleep(self.0.interval.max(MIN_INTERVAL).min(left())) => {}
            }
        }
        let tries = match tries {
            1 => "one try".into(),
            tries => format!("{tries} tries"),
        };
        Ok(Outcome::failed(format!(
            "{probe} did not answer within {within} ({tries}): {why}"
        )))
    }

    fn session_use(&self) -> SessionUse {
        SessionUse::AtStart
    }
}
