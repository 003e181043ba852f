//! Runs one attempt of a job: its steps in order, and the teardown whatever happens.

use std::sync::Arc;
use std::time::Duration;

use super::host::RunHost;
use super::judge::judge;
use super::leases::Places;
use super::services::JobServices;
use super::supervise::{Limits, Watch, supervise};
use crate::event::RunEvent;
use crate::outcome::{Failure, Outcome, Verdict};
use crate::scheduler::drive::{AttemptEnd, Lack};
use crate::scheduler::{Stop, Ticket};
use crate::session::Output;
use crate::step::{
    Action, SessionUse, Step, StepContext, StepError, StepServices, StepSpec, StepWhen,
};

/// Runs one attempt of a job to its end.
pub(super) async fn attempt(
    host: &Arc<RunHost>,
    ticket: &mut Ticket,
    origin: Duration,
    spare: &mut Option<Arc<JobServices>>,
) -> AttemptEnd {
    let mut leases = None;
    if host.shares_groups(ticket.job) {
        let taken = Box::pin(host.take_leases(*ticket)).await;
        ticket.at = host.clock.elapsed().saturating_sub(origin);
        match taken {
            Ok(Places::Taken(taken)) => leases = Some(taken),
            Ok(Places::Full(group)) => {
                let what = format!("a place in `{group}`, which other runs hold");
                let pause = host.poll_interval;
                return AttemptEnd::Postponed(Box::new(Lack { what, pause }));
            }
            Err(error) => {
                let words = crate::error::chain(&error).into();
                return AttemptEnd::Ended(Outcome::InfrastructureFailure(words).into());
            }
        }
    }
    let services = JobServices::of(host, *ticket, spare.take());
    host.book.begin(ticket.job);
    let mut steps = Steps::new(&services, origin + ticket.at);
    steps.run().await;
    let mut verdict = steps.verdict();
    if !services.job().options.reports.is_empty() {
        let judged = Box::pin(judge(&services, verdict.into(), steps.ran_whole())).await;
        verdict = judged.into();
    }
    if let Some(warning) = services.tear_down().await {
        host.warn(Some(Arc::clone(&services.job().name)), warning);
    }
    if let Some(leases) = leases {
        Box::pin(host.give_leases(leases)).await;
    }
    *spare = services.if_unused();
    AttemptEnd::Ended(masked(host, verdict))
}

/// A verdict whose words hold no secret.
fn masked(host: &RunHost, verdict: Verdict) -> Verdict {
    verdict.map_err(|outcome| Box::new(host.masked(*outcome)))
}

/// A step that is to run now.
struct Due<'a> {
    index: u32,
    spec: &'a StepSpec,
    step: &'a dyn Step,
}

/// The steps of one attempt on their way.
struct Steps<'a> {
    services: &'a Arc<JobServices>,
    /// When the job has to be done.
    deadline: Option<Duration>,
    verdict: Verdict,
    stop: Option<Stop>,
    /// Whether no step was left out because of a failure.
    whole: bool,
}

impl<'a> Steps<'a> {
    fn new(services: &'a Arc<JobServices>, begun: Duration) -> Self {
        let limit = services.job().options.timeouts.job;
        let deadline = limit.map(|limit| begun + limit);
        Self {
            services,
            deadline,
            verdict: Ok(()),
            stop: None,
            whole: true,
        }
    }

    async fn run(&mut self) {
        let specs = &self.services.job().steps;
        let at_start = |spec: &StepSpec| spec.action.session_use() == SessionUse::AtStart;
        if specs.iter().any(at_start) {
            Box::pin(self.prepare()).await;
        }
        for (index, spec) in (0u32..).zip(specs.iter()) {
            if self.is_due(spec.when) {
                if let (Action::Code(code), None) = (&spec.action, &spec.skip_if) {
                    let step = &**code.step();
                    self.step(&Due { index, spec, step }).await;
                    continue;
                }
                match self.services.host().resolve(spec) {
                    Ok(step) => {
                        let step = &*step;
                        self.step(&Due { index, spec, step }).await;
                    }
                    Err(error) => self.note(spec, error.outcome().into()),
                }
            } else if spec.when == StepWhen::OnSuccess {
                self.whole = false;
            }
        }
    }

    /// How the steps ended; asked once.
    fn verdict(&mut self) -> Verdict {
        std::mem::replace(&mut self.verdict, Ok(()))?;
        self.stop.map_or(Ok(()), |stop| stop.outcome().into())
    }

    /// Whether no step was left out because of a failure.
    fn ran_whole(&self) -> bool {
        self.whole && self.stop.is_none()
    }

    /// Prepares the session before the first step, under the limits of the job.
    async fn prepare(&mut self) {
        let watch = PrepareWatch(self.services);
        let limits = self.limits(None, None);
        let clock = self.services.clock();
        let judge = |prepared: &mut Result<_, StepError>| match prepared {
            Ok(_) => Ok(()),
            Err(error) => error.outcome().into(),
        };
        let watched = supervise(self.services.session(), judge, clock, &limits, &watch).await;
        let verdict = match (watched.verdict, watched.stop) {
            (_, Some(stop)) => stop.outcome().into(),
            (verdict, None) => verdict.unwrap_or(Ok(())),
        };
        self.note_stop(watched.stop);
        self.verdict = verdict;
    }

    fn is_due(&mut self, when: StepWhen) -> bool {
        self.note_stop(self.services.stop_reason());
        let goes_on = self.verdict.is_ok() && self.stop.is_none();
        match when {
            StepWhen::OnSuccess => goes_on,
            StepWhen::OnFail => !goes_on && self.stop.is_none(),
            StepWhen::Always => true,
        }
    }

    fn note_stop(&mut self, stop: Option<Stop>) {
        if self.stop.is_none() && stop.is_some() {
            self.stop = stop;
            // What runs now is cleaning up: it gets a token and a deadline of its own.
            self.services.begin_cleanup();
            let limit = self.services.host().teardown_limit;
            self.deadline = Some(self.services.clock().elapsed() + limit);
        }
    }

    fn limits(&self, step: Option<Duration>, no_output: Option<Duration>) -> Limits {
        let now = || self.services.clock().elapsed();
        let step = step.map(|limit| now() + limit);
        Limits {
            job: self.deadline,
            step,
            no_output,
            grace: self.services.host().grace,
        }
    }

    /// The first step that fails decides over the job.
    fn note(&mut self, spec: &StepSpec, verdict: Verdict) {
        if !spec.allow_failure && self.verdict.is_ok() {
            self.verdict = verdict;
        }
    }

    async fn step(&mut self, due: &Due<'_>) {
        let Due { index, spec, step } = *due;
        let services = self.services;
        let host = services.host();
        let begun = host.recorder.is_on().then(|| host.clock.elapsed());
        if begun.is_some() {
            host.recorder.note(RunEvent::StepStarted {
                job: Arc::clone(&services.job().name),
                attempt: services.ticket().attempt,
                step: index,
                name: host.secrets.mask(&spec.display_name()).into(),
            });
        }
        let cx = StepContext::new(Arc::clone(services) as Arc<dyn StepServices>, index);
        let defaults = &services.job().options.timeouts;
        let limits = self.limits(
            spec.timeout.or(defaults.step),
            spec.no_output_timeout.or(defaults.no_output),
        );
        let watching = StepWatch {
            services,
            index,
            cleaning: self.stop.is_some(),
        };
        let work = step.run_owned(cx);
        let watched = supervise(work, verdict_of, &host.clock, &limits, &watching).await;
        let stopped = watched.stop;
        let mut verdict = match (watched.verdict, stopped) {
            (Some(Ok(())), _) => Ok(()),
            (_, Some(stop)) => stop.outcome().into(),
            (Some(verdict), None) => verdict,
            (None, None) => Outcome::InfrastructureFailure("the step was lost".into()).into(),
        };
        if let Some(output) = services.opened_output(index)
            && let Err(error) = output.finish().await
            && verdict.is_ok()
        {
            let words = format!(
                "the log could not be written: {}",
                crate::error::chain(&error)
            );
            verdict = Outcome::InfrastructureFailure(words.into()).into();
        }
        let verdict = masked(host, verdict);
        if let Some(begun) = begun {
            host.recorder.note(RunEvent::StepFinished {
                job: Arc::clone(&services.job().name),
                attempt: services.ticket().attempt,
                step: index,
                result: verdict.clone().into(),
                duration: host.clock.elapsed().saturating_sub(begun),
            });
        }
        self.note(spec, verdict);
        // A step's own limit is a failure of the step; the job's own and a cancellation stop the job.
        let own = matches!(
            stopped,
            Some(Stop::Limit(
                crate::outcome::TimeLimit::Step | crate::outcome::TimeLimit::NoOutput
            ))
        );
        if !own {
            self.note_stop(stopped);
        }
    }
}

/// What a step came to, from what it gave.
#[inline]
fn verdict_of(gave: &mut Result<Outcome, StepError>) -> Verdict {
    match gave {
        Ok(Outcome::Success) => Ok(()),
        Ok(outcome) => std::mem::take(outcome).into(),
        Err(error) => error.outcome().into(),
    }
}

struct StepWatch<'a> {
    services: &'a Arc<JobServices>,
    index: u32,
    /// Whether the step runs although the job is stopped: then only its deadline ends it.
    cleaning: bool,
}

impl Watch for StepWatch<'_> {
    async fn stopped(&self) -> Stop {
        if self.cleaning {
            std::future::pending().await
        } else {
            self.services.control().stopped().await
        }
    }

    fn reason(&self) -> Option<Stop> {
        self.services.stop_reason().filter(|_| !self.cleaning)
    }

    fn tell(&self) {
        self.services.cancellation(self.index).cancel();
    }

    fn output(&self) -> Option<Output> {
        self.services.opened_output(self.index)
    }

    fn panicked(&self, message: &str) -> Outcome {
        let words = format!("the step panicked: {message}");
        Outcome::Failed(Box::new(Failure::message(words)))
    }
}

struct PrepareWatch<'a>(&'a Arc<JobServices>);

impl Watch for PrepareWatch<'_> {
    async fn stopped(&self) -> Stop {
        self.0.control().stopped().await
    }

    fn reason(&self) -> Option<Stop> {
        self.0.stop_reason()
    }

    fn tell(&self) {
        self.0.control().cancel();
    }

    fn output(&self) -> Option<Output> {
        None
    }

    fn panicked(&self, message: &str) -> Outcome {
        let words = format!("the executor panicked: {message}");
        Outcome::InfrastructureFailure(words.into())
    }
}
