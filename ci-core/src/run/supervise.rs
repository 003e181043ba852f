//! Watches one piece of work: time limits, silence, cancellation, panics.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock::Clock;
use crate::outcome::{Outcome, TimeLimit, Verdict};
use crate::scheduler::Stop;
use crate::session::Output;

/// What ends a piece of work early. Moments are on the clock.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    /// The job has to be done by then.
    pub(super) job: Option<Duration>,
    /// The step has to be done by then.
    pub(super) step: Option<Duration>,
    /// The longest silence.
    pub(super) no_output: Option<Duration>,
    /// After the work was told to stop it may take so long before it is dropped.
    pub(super) grace: Duration,
}

/// What a piece of work is watched by.
pub(super) trait Watch {
    /// Ready when the job is stopped from outside.
    async fn stopped(&self) -> Stop;
    /// Why the job is stopped from outside, if it is. The work may hear of that first, and end.
    fn reason(&self) -> Option<Stop>;
    /// Tells the work to stop.
    fn tell(&self);
    /// The output whose silence counts, if anything was written to it yet.
    fn output(&self) -> Option<Output>;
    /// What a panic of the work with this message comes to.
    fn panicked(&self, message: &str) -> Outcome;
}

/// How a piece of work ended.
pub(super) struct Watched {
    /// What it came to; nothing if it did not stop in time and was dropped.
    pub(super) verdict: Option<Verdict>,
    /// Why it was told to stop, if it was.
    pub(super) stop: Option<Stop>,
}

/// Work that may wait, as the object-safe traits give it.
pub(super) type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs `work` to its end, or until it has to stop; `judge` reads what it gave where that lies, which is
/// cheaper than to move it. Work that is done at the first poll costs little more than that poll: what
/// watching needs is made only when it begins to wait.
pub(super) async fn supervise<T>(
    mut work: Work<'_, T>,
    judge: impl Fn(&mut T) -> Verdict,
    clock: &Clock,
    limits: &Limits,
    watch: &impl Watch,
) -> Watched {
    match poll_fn(|cx| Poll::Ready(poll_catching(&mut work, &judge, watch, cx))).await {
        // What ends at once and not well may have heard that the job is stopped before anybody waited.
        Poll::Ready(verdict) => Watched {
            stop: watch.reason().filter(|_| verdict.is_err()),
            verdict: Some(verdict),
        },
        Poll::Pending => Box::pin(watch_over(work, judge, clock, limits, watch)).await,
    }
}

async fn watch_over<T>(
    mut work: Work<'_, T>,
    judge: impl Fn(&mut T) -> Verdict,
    clock: &Clock,
    limits: &Limits,
    watch: &impl Watch,
) -> Watched {
    let begun = clock.elapsed();
    let mut stop: Option<Stop> = None;
    let mut give_up = None;
    loop {
        let silence_since = watch.output().map_or(begun, |output| {
            clock.elapsed().saturating_sub(output.silence()).max(begun)
        });
        let deadline = match stop {
            Some(_) => give_up,
            None => limits.next(silence_since),
        };
        tokio::select! {
            biased;
            verdict = poll_fn(|cx| poll_catching(&mut work, &judge, watch, cx)) => {
                let stop = stop.or_else(|| watch.reason());
                return Watched { verdict: Some(verdict), stop };
            }
            why = watch.stopped(), if stop.is_none() => stop = Some(why),
            () = clock.sleep_until(deadline.unwrap_or_default()), if deadline.is_some() => {
                if stop.is_some() {
                    return Watched { verdict: None, stop };
                }
                stop = limits.over(clock.elapsed(), watch.output().map_or_else(
                    || clock.elapsed().saturating_sub(begun),
                    |output| output.silence(),
                ));
            }
        }
        if stop.is_some() && give_up.is_none() {
            give_up = Some(clock.elapsed() + limits.grace);
            watch.tell();
        }
    }
}

impl Limits {
    /// The first moment at which a limit can be over.
    fn next(&self, silence_since: Duration) -> Option<Duration> {
        let silence = self.no_output.map(|limit| silence_since + limit);
        [self.job, self.step, silence].into_iter().flatten().min()
    }

    fn over(&self, now: Duration, silence: Duration) -> Option<Stop> {
        let limit = if self.job.is_some_and(|at| at <= now) {
            TimeLimit::Job
        } else if self.step.is_some_and(|at| at <= now) {
            TimeLimit::Step
        } else if self.no_output.is_some_and(|limit| limit <= silence) {
            TimeLimit::NoOutput
        } else {
            return None;
        };
        Some(Stop::Limit(limit))
    }
}

/// Polls `work` and judges what it gives, or its panic.
fn poll_catching<T>(
    work: &mut Work<'_, T>,
    judge: impl Fn(&mut T) -> Verdict,
    watch: &impl Watch,
    cx: &mut Context<'_>,
) -> Poll<Verdict> {
    // After a panic the future is never polled again, so nobody sees what it left half done.
    let poll = || match &mut work.as_mut().poll(cx) {
        Poll::Ready(gave) => Poll::Ready(judge(gave)),
        Poll::Pending => Poll::Pending,
    };
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(poll) => poll,
        Err(payload) => Poll::Ready(watch.panicked(panic_message(&*payload)).into()),
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::CancelReason;

    /// A job that is stopped before its work begins.
    struct Stopped;

    impl Watch for Stopped {
        async fn stopped(&self) -> Stop {
            Stop::Cancel(CancelReason::Requested)
        }

        fn reason(&self) -> Option<Stop> {
            Some(Stop::Cancel(CancelReason::Requested))
        }

        fn tell(&self) {}

        fn output(&self) -> Option<Output> {
            None
        }

        fn panicked(&self, message: &str) -> Outcome {
            Outcome::failed(message)
        }
    }

    #[tokio::test]
    async fn work_that_gives_up_at_once_because_it_is_stopped_says_why() {
        let clock = Clock::system();
        for (outcome, stopped) in [
            (Outcome::InfrastructureFailure("canceled".into()), true),
            (Outcome::Success, false),
        ] {
            let work = Box::pin(async { outcome });
            let judge = |outcome: &mut Outcome| std::mem::take(outcome).into();
            let watched = supervise(work, judge, &clock, &Limits::default(), &Stopped).await;
            assert_eq!(watched.stop.is_some(), stopped);
        }
    }
}
