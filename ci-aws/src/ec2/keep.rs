//! Machines that outlive the process that got them: what has to be known of them is in their tags.

use std::sync::Arc;

use ci_core::clock::Clock;
use ci_core::executor::PrepareRequest;
use ci_core::session::Output;
use tokio_util::sync::CancellationToken;

use super::api::{Ec2Api, Instance, Question};
use super::connect::connect;
use super::error::{Ec2Error, Ec2ErrorKind};
use super::journal::Journal;
use super::options::{Ec2Options, Strategy};
use super::rent::{Landlord, reach};
use super::tags::{HOST_KEY, LOCK, Lock, RUN, STARTED};
use super::wait::{address, look, running, terminate};
use crate::ssh::{HostKey, SshSession};

/// Gets one machine for a run, finds it again, and gives it back.
#[derive(Debug)]
pub(crate) struct Keeper {
    landlord: Landlord,
    run: String,
    output: Output,
    cancel: CancellationToken,
}

/// A machine that is there.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) id: String,
    pub(crate) address: String,
    host_key: HostKey,
}

impl Keeper {
    pub(crate) fn new(
        api: Arc<dyn Ec2Api>,
        options: Ec2Options,
        run: String,
        output: Output,
        cancel: CancellationToken,
    ) -> Result<Self, Ec2Error> {
        let journal = Journal::open(&options.state)?;
        let landlord = Landlord {
            api,
            options: Arc::new(options),
            journal,
            clock: Clock::system(),
        };
        Ok(Self {
            landlord,
            run,
            output,
            cancel,
        })
    }

    /// Gets the machine.
    pub(crate) async fn get(&self) -> Result<Kept, Ec2Error> {
        let id = match &self.landlord.options.strategy {
            Strategy::Existing(id) => id.clone(),
            Strategy::Template(_) => {
                let rented = self
                    .landlord
                    .rent(&self.run, false, &self.output, &self.cancel)
                    .await?;
                let (id, address, host_key) = rented.hand_over()?;
                return Ok(Kept {
                    id,
                    address,
                    host_key,
                });
            }
        };
        match self.take(&id).await {
            Ok(kept) => Ok(kept),
            Err(error) => {
                let given = self.give_back(Some(&id)).await;
                Err(match given {
                    // It was not ours yet.
                    Err(worse)
                        if !matches!(worse.kind(), Ec2ErrorKind::Locked | Ec2ErrorKind::State) =>
                    {
                        error.with_hint(format!("giving `{id}` back failed too: {worse}"))
                    }
                    _ => error,
                })
            }
        }
    }

    async fn take(&self, id: &str) -> Result<Kept, Ec2Error> {
        let options = &self.landlord.options;
        let patience = self
            .landlord
            .patience(options.launch_deadline, &self.output, &self.cancel);
        let existing = self.landlord.existing(id, &patience);
        existing.lock(&self.run).await?;
        existing.start(&self.run).await?;
        let patience = self
            .landlord
            .patience(options.boot_deadline, &self.output, &self.cancel);
        let wanted = &options.reach.address;
        let (_, address) = running(self.landlord.api.as_ref(), id, wanted, &patience).await?;
        Ok(Kept {
            id: id.to_owned(),
            address,
            host_key: self.landlord.trust(id, &patience).await?,
        })
    }

    /// The machine of this run, by the id that was noted or by its tags; with what says that it is ours.
    async fn find(&self, id: Option<&str>) -> Result<Option<Instance>, Ec2Error> {
        let patience = self.landlord.last(&self.output);
        let api = self.landlord.api.as_ref();
        let noted = match id {
            Some(id) => look(api, id, &patience).await?,
            None => None,
        };
        let is_live = |instance: &Instance| !instance.state.is_over();
        if let Some(instance) = noted.filter(is_live) {
            if self.is_ours(&instance) {
                return Ok(Some(instance));
            }
            let text = format!("the instance `{}` is not one of this job", instance.id);
            return Err(Ec2Error::new(Ec2ErrorKind::State, text)
                .with_hint("the state file may be that of another job")
                .with_hint("without that file the machine of this job is found by its tags"));
        }
        if let Strategy::Existing(id) = &self.landlord.options.strategy {
            let instance = look(api, id, &patience).await?;
            return Ok(instance.filter(|it| is_live(it) && self.is_ours(it)));
        }
        let question = Question::Tag(RUN.to_owned(), self.run.clone());
        let found = api.describe(&question).await;
        let found = found.map_err(|error| Ec2Error::api("look for the instance", error))?;
        Ok(found.into_iter().find(is_live))
    }

    fn is_ours(&self, instance: &Instance) -> bool {
        let lock = instance.tags.get(LOCK).and_then(|value| Lock::parse(value));
        instance.tags.get(RUN) == Some(&self.run) || lock.is_some_and(|lock| lock.token == self.run)
    }

    /// The machine of this run, if it is up.
    pub(crate) async fn again(&self, id: Option<&str>) -> Result<Option<Kept>, Ec2Error> {
        let Some(instance) = self.find(id).await? else {
            return Ok(None);
        };
        let Some(address) = address(&instance, &self.landlord.options.reach.address) else {
            return Ok(None);
        };
        let patience = self.landlord.last(&self.output);
        let host_key = match instance.tags.get(HOST_KEY) {
            Some(key) if instance.tags.contains_key(RUN) => HostKey::Pinned(key.clone()),
            _ => self.landlord.trust(&instance.id, &patience).await?,
        };
        Ok(Some(Kept {
            id: instance.id,
            address,
            host_key,
        }))
    }

    /// A session on the machine, as soon as it lets us in.
    pub(crate) async fn connect(
        &self,
        kept: &Kept,
        request: PrepareRequest<'_>,
    ) -> Result<SshSession, Ec2Error> {
        let ssh = reach(&kept.address, &kept.host_key, &self.landlord.options);
        let session = connect(&self.landlord, &kept.id, &ssh, &request).await;
        session.map_err(|error| {
            let new = Ec2Error::new(Ec2ErrorKind::Machine, error.to_string());
            let hints = error.hints().to_vec();
            let new = hints.into_iter().fold(new, Ec2Error::with_hint);
            new.with_source(error)
        })
    }

    /// Gives the machines of this run back; gives their ids.
    pub(crate) async fn give_back(&self, id: Option<&str>) -> Result<Vec<String>, Ec2Error> {
        let patience = self.landlord.last(&self.output);
        let mut given = Vec::new();
        // A launch whose reply was lost may have left more than one.
        let mut noted = id;
        while let Some(instance) = self.find(noted).await? {
            noted = None;
            if instance.tags.get(RUN) == Some(&self.run) {
                terminate(self.landlord.api.as_ref(), &instance.id, &patience).await?;
            } else {
                let we_started = instance.tags.contains_key(STARTED);
                let existing = self.landlord.existing(&instance.id, &patience);
                existing.release(&self.run, we_started).await?;
            }
            given.push(instance.id);
        }
        Ok(given)
    }
}
