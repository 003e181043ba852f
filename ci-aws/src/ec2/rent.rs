//! A machine from the intent to have it until it was seen to be gone, or as it was found.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ci_core::clock::Clock;
use ci_core::session::Output;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::api::Ec2Api;
use super::error::{Ec2Error, Ec2ErrorKind};
use super::existing::Existing;
use super::journal::{Entry, Journal, Record};
use super::keys::LaunchKeys;
use super::launch::{Launched, Launcher};
use super::options::{Ec2Options, Strategy, Trust};
use super::tags;
use super::user_data::console_keys;
use super::wait::{Patience, running, terminate};
use crate::ssh::{HostKey, SshExecutor};

/// Whoever gets machines and gives them back.
#[derive(Debug, Clone)]
pub(super) struct Landlord {
    pub(super) api: Arc<dyn Ec2Api>,
    pub(super) options: Arc<Ec2Options>,
    pub(super) journal: Journal,
    pub(super) clock: Clock,
}

/// A machine that is ours for now.
#[derive(Debug)]
pub(super) struct Rented {
    pub(super) id: String,
    pub(super) address: String,
    pub(super) is_spot: bool,
    /// How to know it, and with which key to log in.
    host_key: HostKey,
    identity: Option<PathBuf>,
    held: Held,
    record: Mutex<Option<Record>>,
    /// Canceled when somebody else has taken the lock.
    pub(super) stolen: CancellationToken,
    /// Keeps the lease alive while it is there.
    beat: Mutex<Option<DropGuard>>,
    /// The directory of the keys.
    _keys: Option<LaunchKeys>,
}

/// What has to be done at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Held {
    /// Terminate it.
    New,
    /// Give the lock back, and stop it if it was stopped.
    Old { token: String, we_started: bool },
}

impl Landlord {
    pub(super) fn patience(
        &self,
        most: std::time::Duration,
        output: &Output,
        cancel: &CancellationToken,
    ) -> Patience {
        Patience {
            deadline: Instant::now() + most,
            poll: self.options.poll,
            cancel: cancel.clone(),
            output: output.clone(),
        }
    }

    /// Gets a machine that runs and has an address. When it fails nothing is left but what cleaning up
    /// finds in the journal.
    pub(super) async fn rent(
        &self,
        run: &str,
        on_demand: bool,
        output: &Output,
        cancel: &CancellationToken,
    ) -> Result<Rented, Ec2Error> {
        match &self.options.strategy {
            Strategy::Template(_) => self.launch(run, on_demand, output, cancel).await,
            Strategy::Existing(id) => self.take(id, run, output, cancel).await,
        }
    }

    async fn launch(
        &self,
        run: &str,
        on_demand: bool,
        output: &Output,
        cancel: &CancellationToken,
    ) -> Result<Rented, Ec2Error> {
        let Strategy::Template(launch) = &self.options.strategy else {
            return Err(Ec2Error::new(Ec2ErrorKind::Options, "there is no template"));
        };
        let patience = self.patience(self.options.launch_deadline, output, cancel);
        let launcher = Launcher {
            api: self.api.as_ref(),
            options: &self.options,
            launch,
            journal: &self.journal,
            clock: &self.clock,
            patience: &patience,
        };
        let Launched {
            instance,
            record,
            keys,
        } = launcher.run(run, on_demand).await?;
        let words = format!("launched `{}`, {}", instance.id, instance.instance_type);
        output.say(words).await;
        let mut rented = Rented {
            id: instance.id,
            address: String::new(),
            is_spot: instance.is_spot,
            host_key: HostKey::Pinned(keys.keys.host_public.clone()),
            identity: keys.identity.clone(),
            held: Held::New,
            record: Mutex::new(Some(record)),
            stolen: CancellationToken::new(),
            beat: Mutex::new(None),
            _keys: Some(keys),
        };
        self.begin_beating(&rented);
        let patience = self.patience(self.options.boot_deadline, output, cancel);
        let wanted = &self.options.reach.address;
        match running(self.api.as_ref(), &rented.id, wanted, &patience).await {
            Ok((_, address)) => {
                crate::faults::point("addressed");
                rented.address = address;
                Ok(rented)
            }
            Err(error) => Err(self.undo(&rented, output, error).await),
        }
    }

    async fn take(
        &self,
        id: &str,
        run: &str,
        output: &Output,
        cancel: &CancellationToken,
    ) -> Result<Rented, Ec2Error> {
        let token = format!("{}-{}", self.options.owner, uuid::Uuid::now_v7());
        let entry = Entry::Intent {
            run: run.to_owned(),
            token: token.clone(),
            what: id.to_owned(),
            seconds: self.options.time_limit.as_secs(),
        };
        let mut record = self.journal.begin(&token, &entry)?;
        crate::faults::point("intent");
        let patience = self.patience(self.options.launch_deadline, output, cancel);
        let existing = self.existing(id, &patience);
        if let Err(error) = existing.lock(&token).await {
            // Perhaps it was written and not seen; it is given back only if it is there.
            let last = self.last(output);
            let _ = self.existing(id, &last).release(&token, false).await;
            record.end()?;
            return Err(error);
        }
        crate::faults::point("locked");
        record.add(&Entry::Launched { id: id.to_owned() })?;
        let mut rented = Rented {
            id: id.to_owned(),
            address: String::new(),
            is_spot: false,
            host_key: HostKey::Known,
            identity: None,
            held: Held::Old {
                token: token.clone(),
                we_started: false,
            },
            record: Mutex::new(Some(record)),
            stolen: CancellationToken::new(),
            beat: Mutex::new(None),
            _keys: None,
        };
        self.begin_beating(&rented);
        match self.come_up(&mut rented, &token, output, cancel).await {
            Ok(()) => Ok(rented),
            Err(error) => Err(self.undo(&rented, output, error).await),
        }
    }

    async fn come_up(
        &self,
        rented: &mut Rented,
        token: &str,
        output: &Output,
        cancel: &CancellationToken,
    ) -> Result<(), Ec2Error> {
        let patience = self.patience(self.options.boot_deadline, output, cancel);
        let existing = self.existing(&rented.id, &patience);
        // What fails after the mark was written may have started it.
        let marked = |we_started| Held::Old {
            token: token.to_owned(),
            we_started,
        };
        let started = existing.start(token).await;
        let (held, failed) = match started {
            Ok(we_started) => (marked(we_started), None),
            Err(error) => (marked(true), Some(error)),
        };
        rented.held = held;
        if let Some(error) = failed {
            return Err(error);
        }
        crate::faults::point("started");
        let wanted = &self.options.reach.address;
        let (instance, address) = running(self.api.as_ref(), &rented.id, wanted, &patience).await?;
        crate::faults::point("addressed");
        rented.address = address;
        rented.is_spot = instance.is_spot;
        rented.host_key = self.trust(&rented.id, &patience).await?;
        Ok(())
    }

    /// How an existing instance proves that it is the right one.
    pub(super) async fn trust(&self, id: &str, patience: &Patience) -> Result<HostKey, Ec2Error> {
        let console = match &self.options.reach.trust {
            Trust::Known => return Ok(HostKey::Known),
            Trust::Pinned(key) => return Ok(HostKey::Pinned(key.clone())),
            Trust::AcceptNew(file) => {
                let words =
                    "the first host key is taken as it comes: whoever is in between is not noticed";
                patience.output.say(format!("warning: {words}")).await;
                return Ok(HostKey::AcceptNew(file.clone()));
            }
            Trust::Console => self.api.console(id).await,
        };
        let text = console.map_err(|error| Ec2Error::api("read the console", error))?;
        let keys = console_keys(text.as_deref().unwrap_or_default());
        // One of the kind that is asked for first, so that the machine can show that very one.
        let best = keys
            .iter()
            .find(|key| key.starts_with("ssh-ed25519"))
            .or_else(|| keys.first());
        Ok(best.map_or(HostKey::Known, |key| HostKey::Pinned(key.clone())))
    }

    /// Gives a machine back. It comes back when it was seen to be over, or says why it is not.
    pub(super) async fn give_back(&self, rented: &Rented, output: &Output) -> Result<(), Ec2Error> {
        // No lease is renewed any more: if the rest fails, cleaning up takes over.
        drop(lock(&rented.beat).take());
        let patience = self.last(output);
        match &rented.held {
            Held::New => {
                terminate(self.api.as_ref(), &rented.id, &patience).await?;
                crate::faults::point("ended");
            }
            Held::Old { token, we_started } => {
                let existing = self.existing(&rented.id, &patience);
                existing.release(token, *we_started).await?;
            }
        }
        let record = lock(&rented.record).take();
        let ended = record.map_or(Ok(()), Record::end);
        crate::faults::point("forgotten");
        ended
    }

    /// Gives back what came no further than `error`.
    async fn undo(&self, rented: &Rented, output: &Output, error: Ec2Error) -> Ec2Error {
        match self.give_back(rented, output).await {
            Ok(()) => error,
            Err(worse) => {
                let hint = format!("`{}` could not be given back either: {worse}", rented.id);
                error.with_hint(hint)
            }
        }
    }

    pub(super) fn existing<'a>(&'a self, id: &'a str, patience: &'a Patience) -> Existing<'a> {
        Existing {
            api: self.api.as_ref(),
            id,
            clock: &self.clock,
            lease: self.options.lease,
            patience,
        }
    }

    /// For what is done at the end, whatever was canceled before.
    pub(super) fn last(&self, output: &Output) -> Patience {
        let never = CancellationToken::new();
        self.patience(self.options.teardown_deadline, output, &never)
    }

    /// Renews the lease until the machine is given back or forgotten.
    fn begin_beating(&self, rented: &Rented) {
        let over = CancellationToken::new();
        *lock(&rented.beat) = Some(over.clone().drop_guard());
        let (landlord, id, held) = (self.clone(), rented.id.clone(), rented.held.clone());
        let stolen = rented.stolen.clone();
        let work = async move {
            loop {
                tokio::time::sleep(landlord.options.lease / 3).await;
                if !landlord.beat(&id, &held).await {
                    stolen.cancel();
                    return;
                }
            }
        };
        tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                () = over.cancelled() => {}
            }
        });
    }

    /// Puts off the end of the lease. Gives false if the machine is somebody else's.
    async fn beat(&self, id: &str, held: &Held) -> bool {
        match held {
            Held::New => {
                let expires = tags::after(self.clock.wall(), self.options.lease);
                let tags = BTreeMap::from([(tags::EXPIRES.to_owned(), expires.to_string())]);
                // The next beat comes before the lease is over.
                let _ = self.api.tag(id, &tags).await;
                true
            }
            Held::Old { token, .. } => {
                let output = Output::discard();
                let patience = self.last(&output);
                let existing = self.existing(id, &patience);
                existing.renew(token).await.unwrap_or(true)
            }
        }
    }
}

impl Rented {
    /// The executor of this machine alone.
    pub(super) fn ssh(&self, name: &str, options: &Ec2Options) -> SshExecutor {
        let ssh = reach(&self.address, &self.host_key, options).name(name);
        match &self.identity {
            Some(identity) => ssh.identity(identity),
            None => ssh,
        }
    }

    /// Where it is, for another process to go on with. This one forgets it: it will not give it back.
    pub(super) fn hand_over(&self) -> Result<(String, String, HostKey), Ec2Error> {
        drop(lock(&self.beat).take());
        let record = lock(&self.record).take();
        record.map_or(Ok(()), Record::end)?;
        Ok((self.id.clone(), self.address.clone(), self.host_key.clone()))
    }
}

/// The executor of the machine at `address`.
pub(super) fn reach(address: &str, host_key: &HostKey, options: &Ec2Options) -> SshExecutor {
    let reach = &options.reach;
    let mut ssh = SshExecutor::new(address)
        .grace(reach.grace)
        .host_key(host_key.clone());
    if let Some(port) = reach.port {
        ssh = ssh.port(port);
    }
    if let Some(user) = &reach.user {
        ssh = ssh.user(user);
    }
    if let Some(identity) = &reach.identity {
        ssh = ssh.identity(identity);
    }
    if let Some(agent) = &reach.agent {
        ssh = ssh.agent(agent);
    }
    if let Some(config) = &reach.config {
        ssh = ssh.config_file(config);
    }
    if let Some(root) = &reach.root {
        ssh = ssh.root(root);
    }
    ssh
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
