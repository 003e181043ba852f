//! An instance that is there already: taken with a lock, started if need be, left as it was found.

use std::collections::BTreeMap;
use std::time::Duration;

use ci_core::clock::Clock;

use super::api::{ApiError, Ec2Api, Instance, InstanceState};
use super::error::{Ec2Error, Ec2ErrorKind};
use super::tags::{self, LOCK, Lock, STARTED};
use super::wait::{Patience, Pauses, look, stop};

/// What using an existing instance needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Existing<'a> {
    pub(super) api: &'a dyn Ec2Api,
    pub(super) id: &'a str,
    pub(super) clock: &'a Clock,
    pub(super) lease: Duration,
    pub(super) patience: &'a Patience,
}

impl Existing<'_> {
    /// Takes the lock for `token`, waiting for whoever has it.
    pub(super) async fn lock(&self, token: &str) -> Result<(), Ec2Error> {
        let mut told = false;
        let mut holder = String::new();
        loop {
            let instance = self.instance().await?;
            let lock = instance.tags.get(LOCK).and_then(|value| Lock::parse(value));
            match lock {
                Some(lock) if lock.token != token && !lock.is_past(self.clock.wall()) => {
                    if !told {
                        let words = format!("`{}` is used by `{}`; waiting", self.id, lock.token);
                        self.patience.output.say(words).await;
                        told = true;
                    }
                    holder = lock.token;
                }
                _ => {
                    self.write(token).await?;
                    // Somebody may have written at the same time; whoever wrote last has it.
                    if self.has(token).await? && self.has(token).await? {
                        return Ok(());
                    }
                }
            }
            let waited = self.patience.poll("waiting for the instance").await;
            waited.map_err(|error| match error.kind() {
                Ec2ErrorKind::TimedOut => {
                    let text = format!("`{}` is used by `{holder}`", self.id);
                    Ec2Error::new(Ec2ErrorKind::Locked, text)
                        .with_hint(format!("if that is over, remove the tag `{LOCK}`"))
                }
                _ => error,
            })?;
        }
    }

    /// Whether the lock is that of `token` after a moment.
    async fn has(&self, token: &str) -> Result<bool, Ec2Error> {
        self.patience.poll("taking the lock").await?;
        let instance = self.instance().await?;
        let lock = instance.tags.get(LOCK).and_then(|value| Lock::parse(value));
        Ok(lock.is_some_and(|lock| lock.token == token))
    }

    async fn write(&self, token: &str) -> Result<(), Ec2Error> {
        let lock = Lock {
            token: token.to_owned(),
            until: tags::after(self.clock.wall(), self.lease),
        };
        let tags = BTreeMap::from([(LOCK.to_owned(), lock.value())]);
        self.tag(&tags).await
    }

    /// Puts off the end of the lock. Gives whether it was still ours.
    pub(super) async fn renew(&self, token: &str) -> Result<bool, ApiError> {
        let question = super::api::Question::Id(self.id.to_owned());
        let found = self.api.describe(&question).await?;
        let lock = found.first().and_then(|it| it.tags.get(LOCK));
        let is_ours = lock.and_then(|value| Lock::parse(value));
        if is_ours.is_none_or(|lock| lock.token != token) {
            return Ok(false);
        }
        let lock = Lock {
            token: token.to_owned(),
            until: tags::after(self.clock.wall(), self.lease),
        };
        let tags = BTreeMap::from([(LOCK.to_owned(), lock.value())]);
        self.api.tag(self.id, &tags).await.map(|()| true)
    }

    /// Starts the instance if it is stopped. Gives whether it has to be stopped after.
    pub(super) async fn start(&self, token: &str) -> Result<bool, Ec2Error> {
        let what = format!("start `{}`", self.id);
        let mut pauses = Pauses::new();
        loop {
            let instance = self.instance().await?;
            match instance.state {
                // A mark that is still there is that of somebody who died: now it is ours to stop.
                InstanceState::Pending | InstanceState::Running => {
                    return Ok(instance.tags.contains_key(STARTED));
                }
                InstanceState::Stopped => break,
                InstanceState::Stopping => self.patience.poll(&what).await?,
                InstanceState::ShuttingDown | InstanceState::Terminated => {
                    return Err(super::wait::gone(&instance));
                }
            }
        }
        // Before the start, so that whoever cleans up knows that it has to be stopped.
        let mark = BTreeMap::from([(STARTED.to_owned(), token.to_owned())]);
        self.tag(&mark).await?;
        crate::faults::point("marked");
        loop {
            match self.api.start(self.id).await {
                Ok(()) => return Ok(true),
                Err(error) => self.patience.pass(error, &mut pauses, &what).await?,
            }
        }
    }

    /// Leaves the instance as it was found, and gives the lock back.
    pub(super) async fn release(&self, token: &str, we_started: bool) -> Result<(), Ec2Error> {
        let instance = look(self.api, self.id, self.patience).await?;
        let Some(instance) = instance.filter(|it| !it.state.is_over()) else {
            return Ok(());
        };
        let lock = instance.tags.get(LOCK).cloned().unwrap_or_default();
        if Lock::parse(&lock).is_none_or(|lock| lock.token != token) {
            let text = format!("the lock on `{}` was taken by somebody else", self.id);
            return Err(Ec2Error::new(Ec2ErrorKind::Locked, text));
        }
        if we_started {
            stop(self.api, self.id, self.patience).await?;
            crate::faults::point("ended");
            if let Some(mark) = instance.tags.get(STARTED) {
                self.untag(STARTED, mark).await?;
            }
        }
        self.untag(LOCK, &lock).await?;
        crate::faults::point("unlocked");
        Ok(())
    }

    async fn instance(&self) -> Result<Instance, Ec2Error> {
        look(self.api, self.id, self.patience)
            .await?
            .ok_or_else(|| {
                let text = format!("there is no instance `{}`", self.id);
                Ec2Error::new(Ec2ErrorKind::Api, text)
                    .with_hint("instances belong to a region; is it the right one?")
            })
    }

    async fn tag(&self, tags: &BTreeMap<String, String>) -> Result<(), Ec2Error> {
        let mut pauses = Pauses::new();
        while let Err(error) = self.api.tag(self.id, tags).await {
            self.patience
                .pass(error, &mut pauses, "tag the instance")
                .await?;
        }
        Ok(())
    }

    async fn untag(&self, name: &str, value: &str) -> Result<(), Ec2Error> {
        let mut pauses = Pauses::new();
        while let Err(error) = self.api.untag(self.id, name, value).await {
            self.patience
                .pass(error, &mut pauses, "untag the instance")
                .await?;
        }
        Ok(())
    }
}
