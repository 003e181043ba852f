//! Runs one attempt of a job: its steps in order, and the teardown whatever happens.

use std::sync::Arc;
use std::time::Duration;

use super::host::RunHost;
use super::services::JobServices;
use super::supervise::{Limits, Watch, Watched, supervise};
use crate::event::RunEvent;
use crate::outcome::{Failure, Outcome};
use crate::scheduler::drive::AttemptEnd;
use crate::scheduler::{Stop, Ticket};
use crate::session::Output;
use crate::step::{
    Action, SessionUse, Step, StepContext, StepError, StepServices, StepSpec, StepWhen,
};

/// Runs one attempt of a job to its end.
pub(super) async fn attempt(
    host: &Arc<RunHost>,
    ticket: Ticket,
    origin: Duration,
    spare: &mut Option<Arc<JobServices>>,
) -> AttemptEnd {
    let mut begun = ticket.at;
    let leases = if host.shares_groups(ticket.job) {
        let leases = Box::pin(host.take_leases(ticket)).await;
        begun = host.clock.elapsed().saturating_sub(origin);
        leases
    } else {
        Ok(Some(Vec::new()))
    };
    let leases = match leases {
        Ok(Some(leases)) => leases,
        Ok(None) => return AttemptEnd::Postponed(host.poll_interval),
        Err(error) => {
            let words = crate::error::chain(&error).into();
            let outcome = Outcome::InfrastructureFailure(words);
            return AttemptEnd::Ended { outcome, begun };
        }
    };
    let services = JobServices::of(host, ticket, spare.take());
    let outcome = Steps::new(&services, origin + begun).run().await;
    if let Some(warning) = services.tear_down().await {
        host.warn(Some(Arc::clone(&services.job().name)), warning);
    }
    if !leases.is_empty() {
        Box::pin(host.give_leases(leases)).await;
    }
    *spare = services.if_unused();
    AttemptEnd::Ended {
        outcome: host.masked(outcome),
        begun,
    }
}

/// The steps of one attempt on their way.
struct Steps<'a> {
    services: &'a Arc<JobServices>,
    /// When the job has to be done.
    deadline: Option<Duration>,
    outcome: Outcome,
    stop: Option<Stop>,
}

impl<'a> Steps<'a> {
    fn new(services: &'a Arc<JobServices>, begun: Duration) -> Self {
        let limit = services.job().options.timeouts.job;
        let deadline = limit.map(|limit| begun + limit);
        Self {
            services,
            deadline,
            outcome: Outcome::Success,
            stop: None,
        }
    }

    async fn run(mut self) -> Outcome {
        let specs = &self.services.job().steps;
        let at_start = |spec: &StepSpec| spec.action.session_use() == SessionUse::AtStart;
        if specs.iter().any(at_start) {
            Box::pin(self.prepare()).await;
        }
        for (index, spec) in (0u32..).zip(specs.iter()) {
            if self.is_due(spec.when) {
                if let Action::Code(code) = &spec.action {
                    self.step(index, spec, &**code.step()).await;
                    continue;
                }
                match self.services.host().resolve(spec) {
                    Ok(step) => self.step(index, spec, &*step).await,
                    Err(error) => self.note_outcome(spec, error.outcome()),
                }
            }
        }
        match self.stop {
            Some(stop) if self.outcome.is_success() => stop.outcome(),
            _ => self.outcome,
        }
    }

    /// Prepares the session before the first step, under the limits of the job.
    async fn prepare(&mut self) {
        let watch = PrepareWatch(self.services);
        let limits = self.limits(None, None);
        let clock = self.services.clock();
        let watched = supervise(self.services.session(), clock, limits, &watch).await;
        let outcome = match (watched.output, watched.stop) {
            (_, Some(stop)) => stop.outcome(),
            (Some(Ok(Err(error))), None) => error.outcome(),
            (Some(Err(panic)), None) => {
                Outcome::InfrastructureFailure(format!("the executor panicked: {panic}").into())
            }
            (Some(Ok(Ok(_))) | None, None) => Outcome::Success,
        };
        self.note_stop(watched.stop);
        self.outcome = outcome;
    }

    fn is_due(&mut self, when: StepWhen) -> bool {
        self.note_stop(self.services.stop_reason());
        let goes_on = self.outcome.is_success() && self.stop.is_none();
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
    fn note_outcome(&mut self, spec: &StepSpec, outcome: Outcome) {
        if !spec.allow_failure && self.outcome.is_success() {
            self.outcome = outcome;
        }
    }

    async fn step(&mut self, index: u32, spec: &StepSpec, step: &dyn Step) {
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
        let watched = supervise(step.run_owned(cx), &host.clock, limits, &watching).await;
        let stopped = watched.stop;
        let mut outcome = outcome_of(watched);
        if let Some(output) = services.opened_output(index)
            && let Err(error) = output.finish().await
            && outcome.is_success()
        {
            let words = format!(
                "the log could not be written: {}",
                crate::error::chain(&error)
            );
            outcome = Outcome::InfrastructureFailure(words.into());
        }
        let outcome = host.masked(outcome);
        if let Some(begun) = begun {
            host.recorder.note(RunEvent::StepFinished {
                job: Arc::clone(&services.job().name),
                attempt: services.ticket().attempt,
                step: index,
                result: outcome.clone(),
                duration: host.clock.elapsed().saturating_sub(begun),
            });
        }
        self.note_outcome(spec, outcome);
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

/// The outcome of a step from how watching it ended.
fn outcome_of(watched: Watched<Result<Outcome, StepError>>) -> Outcome {
    match (watched.output, watched.stop) {
        (Some(Ok(Ok(Outcome::Success))), _) => Outcome::Success,
        (_, Some(stop)) => stop.outcome(),
        (Some(Ok(Ok(outcome))), None) => outcome,
        (Some(Ok(Err(error))), None) => error.outcome(),
        (Some(Err(panic)), None) => Outcome::Failed(Box::new(Failure::message(format!(
            "the step panicked: {panic}"
        )))),
        (None, None) => Outcome::InfrastructureFailure("the step was lost".into()),
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
}
