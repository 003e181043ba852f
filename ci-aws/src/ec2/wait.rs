//! Waiting for a state, and the pauses between calls that pass.

use std::time::Duration;

use ci_core::session::Output;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::api::{ApiError, Ec2Api, Instance, InstanceState, Question};
use super::codes::Trouble;
use super::error::{Ec2Error, Ec2ErrorKind};
use super::options::Address;

/// The longest pause between two calls that were throttled.
const LONGEST: Duration = Duration::from_secs(20);

/// What surrounds calls: who pays attention, and until when.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    pub(super) deadline: Instant,
    pub(super) poll: Duration,
    pub(super) cancel: CancellationToken,
    pub(super) output: Output,
}

/// The pauses between tries of one call: they double, and none is like the one before.
#[derive(Debug)]
pub(super) struct Pauses(Duration);

impl Pauses {
    pub(super) fn new() -> Self {
        Self(Duration::from_millis(500))
    }

    fn next(&mut self) -> Duration {
        self.0 = (self.0 * 2).min(LONGEST);
        // The low bits of such an id are random; that is all that is wanted of them.
        let random = uuid::Uuid::now_v7().as_u128() % 1000;
        let share = u32::try_from(random).unwrap_or(0);
        self.0 / 2 + self.0 * share / 2000
    }
}

impl Patience {
    /// Waits for `time`, but not beyond the deadline.
    ///
    /// # Errors
    /// When it was canceled, and when the deadline has passed; `what` is what was waited for.
    pub(super) async fn sleep(&self, time: Duration, what: &str) -> Result<(), Ec2Error> {
        if self.cancel.is_cancelled() {
            return Err(canceled());
        }
        let now = Instant::now();
        if now >= self.deadline {
            let text = format!("{what} took too long");
            return Err(Ec2Error::new(Ec2ErrorKind::TimedOut, text));
        }
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(canceled()),
            () = tokio::time::sleep_until(self.deadline.min(now + time)) => Ok(()),
        }
    }

    /// The pause before the next check of a state.
    pub(super) async fn poll(&self, what: &str) -> Result<(), Ec2Error> {
        self.sleep(self.poll, what).await
    }

    /// The pause after a call that passes; any other error ends it.
    pub(super) async fn pass(
        &self,
        error: ApiError,
        pauses: &mut Pauses,
        what: &str,
    ) -> Result<(), Ec2Error> {
        if !error.trouble().passes() {
            return Err(Ec2Error::api(what, error));
        }
        if Instant::now() >= self.deadline {
            let text = format!("could not {what} in time");
            return Err(Ec2Error::new(Ec2ErrorKind::TimedOut, text).with_source(error));
        }
        self.sleep(pauses.next(), what).await
    }
}

pub(super) fn canceled() -> Ec2Error {
    Ec2Error::new(Ec2ErrorKind::Canceled, "it was canceled")
}

/// The instance, or `None` if it is not visible.
pub(super) async fn look(
    api: &dyn Ec2Api,
    id: &str,
    patience: &Patience,
) -> Result<Option<Instance>, Ec2Error> {
    let mut pauses = Pauses::new();
    loop {
        match api.describe(&Question::Id(id.to_owned())).await {
            Ok(found) => return Ok(found.into_iter().find(|instance| instance.id == id)),
            Err(error) if error.trouble() == Trouble::NotFound => return Ok(None),
            Err(error) => {
                patience
                    .pass(error, &mut pauses, "look at the instance")
                    .await?;
            }
        }
    }
}

/// The address under which an instance is reached, once it has it.
pub(super) fn address(instance: &Instance, address: &Address) -> Option<String> {
    match address {
        Address::Public => instance.public_ip.clone(),
        Address::Private => instance.private_ip.clone(),
        Address::Fixed(text) => Some(text.clone()),
    }
}

/// Waits until an instance runs and has its address.
pub(super) async fn running(
    api: &dyn Ec2Api,
    id: &str,
    wanted: &Address,
    patience: &Patience,
) -> Result<(Instance, String), Ec2Error> {
    let what = format!("waiting for `{id}` to run");
    loop {
        // An instance that was made a moment ago may not be visible yet.
        if let Some(instance) = look(api, id, patience).await? {
            if instance.state.is_over() || instance.state == InstanceState::Stopped {
                return Err(gone(&instance));
            }
            if instance.state == InstanceState::Running
                && let Some(address) = address(&instance, wanted)
            {
                return Ok((instance, address));
            }
        }
        patience
            .poll(&what)
            .await
            .map_err(|error| {
                match error.kind() {
            Ec2ErrorKind::TimedOut if *wanted == Address::Public => error.with_hint(
                "an instance in a private subnet has no public address; see the option `address`",
            ),
            _ => error,
        }
            })?;
    }
}

/// Whether a state's reason says that a spot instance was taken away.
pub(super) fn is_interruption(reason: &str) -> bool {
    matches!(
        reason,
        "Server.SpotInstanceTermination" | "Server.SpotInstanceShutdown"
    )
}

/// The error of an instance that is not up any more.
pub(super) fn gone(instance: &Instance) -> Ec2Error {
    let reason = instance.reason.as_deref().unwrap_or("no reason given");
    let text = format!(
        "the instance `{}` is {}: {reason}",
        instance.id, instance.state
    );
    let kind = match reason {
        reason if is_interruption(reason) => Ec2ErrorKind::Interrupted,
        "Server.InsufficientInstanceCapacity" => Ec2ErrorKind::NoCapacity,
        _ => Ec2ErrorKind::Machine,
    };
    Ec2Error::new(kind, text)
}

/// Terminates an instance, and comes back when it was seen on its way out twice.
pub(super) async fn terminate(
    api: &dyn Ec2Api,
    id: &str,
    patience: &Patience,
) -> Result<(), Ec2Error> {
    let what = format!("terminate `{id}`");
    let mut pauses = Pauses::new();
    let mut asked = false;
    let mut seen = 0;
    loop {
        if !asked || seen == 0 {
            match api.terminate(id).await {
                Ok(()) => asked = true,
                // Not visible yet, or not any more; looking tells.
                Err(error) if error.trouble() == Trouble::NotFound => {}
                Err(error) if error.trouble() == Trouble::Protected => {
                    return Err(Ec2Error::api(&what, error).with_hint(
                        "it is protected against termination and goes on costing money; take the \
                         protection away and terminate it",
                    ));
                }
                Err(error) => {
                    patience.pass(error, &mut pauses, &what).await?;
                    continue;
                }
            }
            crate::faults::point("ending");
        }
        match look(api, id, patience).await? {
            Some(instance) if instance.state.is_over() => {
                seen += 1;
                if seen == 2 {
                    if let Some(request) = &instance.spot_request {
                        // A one-time request ends with its instance; this is for those that do not.
                        let _ = api.cancel_spot(request).await;
                    }
                    return Ok(());
                }
            }
            // It is forgotten some time after its end.
            None if asked => {
                seen += 1;
                if seen == 2 {
                    return Ok(());
                }
            }
            _ => seen = 0,
        }
        patience.poll(&what).await?;
    }
}

/// Stops an instance, and comes back when it is on its way down.
pub(super) async fn stop(api: &dyn Ec2Api, id: &str, patience: &Patience) -> Result<(), Ec2Error> {
    let what = format!("stop `{id}`");
    let mut pauses = Pauses::new();
    loop {
        match look(api, id, patience).await? {
            None => return Ok(()),
            Some(instance)
                if !matches!(
                    instance.state,
                    InstanceState::Pending | InstanceState::Running
                ) =>
            {
                return Ok(());
            }
            Some(_) => {}
        }
        match api.stop(id).await {
            Ok(()) => crate::faults::point("ending"),
            Err(error) if error.code() == Some("UnsupportedOperation") => {
                return Err(Ec2Error::api(&what, error)
                    .with_hint("a spot instance of a one-time request can only be terminated"));
            }
            // One that is just starting cannot be stopped yet.
            Err(error) if error.trouble() == Trouble::State => {}
            Err(error) => {
                patience.pass(error, &mut pauses, &what).await?;
                continue;
            }
        }
        patience.poll(&what).await?;
    }
}
