//! The executor that runs jobs on machines of EC2.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ci_core::clock::Clock;
use ci_core::executor::{
    Executor, ExecutorError, ExecutorErrorKind, PrepareRequest, ReapReport, ReapScope,
};
use ci_core::id::RunId;
use ci_core::session::Session;
use tokio_util::sync::CancellationToken;

use super::api::Ec2Api;
use super::connect::connect;
use super::error::{Ec2Error, Ec2ErrorKind};
use super::journal::Journal;
use super::notice::{self, Notices};
use super::options::{Ec2Options, Strategy};
use super::pool::{Pool, Slot};
use super::reap::{Reaper, Scope};
use super::rent::Landlord;
use super::session::Ec2Session;
use crate::ssh::SshSession;

/// Runs jobs on machines of EC2, over SSH.
///
/// A machine is either one that is there, or a new one from a launch template. What a new one costs ends
/// with its last job: by this process, by the machine's own time limit, or by whoever calls
/// [`reap`](Executor::reap), whichever comes first.
#[derive(Clone)]
pub struct Ec2Executor {
    name: String,
    limit: Option<usize>,
    pool: Arc<Pool>,
    interrupted: Interrupted,
}

/// The jobs whose last machine was taken away: their next one is not a spot instance.
#[derive(Debug, Clone, Default)]
pub(super) struct Interrupted(Arc<Mutex<BTreeSet<(String, String)>>>);

impl Interrupted {
    fn all(&self) -> std::sync::MutexGuard<'_, BTreeSet<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, run: RunId, job: &str) {
        self.all().insert((run.to_string(), job.to_owned()));
    }

    fn has(&self, run: RunId, job: &str) -> bool {
        self.all().contains(&(run.to_string(), job.to_owned()))
    }
}

impl fmt::Debug for Ec2Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ec2Executor")
            .field("name", &self.name)
            .field("options", &self.pool.landlord.options)
            .finish_non_exhaustive()
    }
}

impl Ec2Executor {
    /// An executor named `ec2`.
    ///
    /// # Errors
    /// If the directory of the journal cannot be made.
    pub fn new(api: Arc<dyn Ec2Api>, options: Ec2Options) -> Result<Self, Ec2Error> {
        let journal = Journal::open(&options.state)?;
        let limit = options.limit;
        let landlord = Landlord {
            api,
            options: Arc::new(options),
            journal,
            clock: Clock::system(),
        };
        Ok(Self {
            name: "ec2".to_owned(),
            limit,
            pool: Arc::new(Pool::new(landlord)),
            interrupted: Interrupted::default(),
        })
    }

    /// Sets the name by which settings and jobs pick it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how many sessions it can have at once.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Gives back the machines that are kept for more jobs; to be called when there are none.
    ///
    /// # Errors
    /// If a machine could not be given back.
    pub async fn close(&self) -> Result<(), Ec2Error> {
        self.pool.drain().await
    }

    /// What cleans up after processes that died.
    #[must_use]
    pub fn reaper(&self) -> Reaper {
        let landlord = &self.pool.landlord;
        let api = Arc::clone(&landlord.api);
        Reaper::new(api)
            .journal(landlord.journal.clone())
            .confirm(landlord.options.poll)
            .poll(landlord.options.poll)
            .deadline(landlord.options.teardown_deadline)
    }

    /// Connects to the machine, as soon as it lets us in.
    async fn connect(
        &self,
        slot: &Slot,
        request: &PrepareRequest<'_>,
    ) -> Result<SshSession, ExecutorError> {
        let landlord = &self.pool.landlord;
        let rented = slot
            .machine()
            .ok_or_else(|| ExecutorError::new(ExecutorErrorKind::Other, "there is no machine"))?;
        let ssh = rented.ssh(&self.name, &landlord.options);
        connect(landlord, &rented.id, &ssh, request).await
    }

    /// Ends what a dead run left on the machines of this process.
    async fn reap_own(&self, run: RunId, report: &mut ReapReport) -> Result<(), ExecutorError> {
        for slot in self.pool.of_run(run) {
            if let Some(rented) = slot.machine() {
                let ssh = rented.ssh(&self.name, &self.pool.landlord.options);
                // On a machine that cannot be reached nothing is left once it is given back.
                if let Ok(found) = ssh.reap(&ReapScope::Run(run)).await {
                    report.removed.extend(found.removed);
                    report.left.extend(found.left);
                }
            }
            let id = slot.machine().map(|rented| rented.id.clone());
            let is_given_back = self.pool.evict(&slot, run).await?;
            let is_new = matches!(self.pool.landlord.options.strategy, Strategy::Template(_));
            if let Some(id) = id.filter(|_| is_given_back && is_new) {
                report.removed.push(format!("instance `{id}`"));
            }
        }
        Ok(())
    }
}

/// Says that the image of a job is not used. Without its services a job would not work.
async fn fits(request: &PrepareRequest<'_>) -> Result<(), ExecutorError> {
    let requires = &request.job.options.requires;
    if let Some(service) = requires.services.first() {
        let text = format!(
            "the service `{}` needs an executor of containers; jobs run on the machine itself",
            service.image
        );
        return Err(ExecutorError::new(ExecutorErrorKind::Unsupported, text));
    }
    if let Some(image) = &requires.image {
        let text = format!("the job runs on the machine itself and not in the image `{image}`");
        request.output.say(text).await;
    }
    Ok(())
}

#[async_trait]
impl Executor for Ec2Executor {
    fn name(&self) -> &str {
        &self.name
    }

    fn limit(&self) -> Option<usize> {
        let options = &self.pool.landlord.options;
        match options.strategy {
            Strategy::Existing(_) => Some(self.limit.unwrap_or(options.jobs).min(options.jobs)),
            Strategy::Template(_) => self.limit,
        }
    }

    async fn prepare(
        &self,
        request: PrepareRequest<'_>,
    ) -> Result<Box<dyn Session>, ExecutorError> {
        let job = request.job.name.to_string();
        let on_demand = self.interrupted.has(request.run, &job);
        if request.cancel.is_cancelled() {
            return Err(super::wait::canceled().into());
        }
        fits(&request).await?;
        let slot = self
            .pool
            .take(request.run, on_demand, &request.output, &request.cancel)
            .await?;
        let session = match self.connect(&slot, &request).await {
            Ok(session) => session,
            Err(error) => {
                let (run, output) = (request.run, &request.output);
                let released = self.pool.release(&slot, run, output).await;
                return Err(match released {
                    Ok(()) => error,
                    Err(worse) => error.with_hint(format!("giving it back failed too: {worse}")),
                });
            }
        };
        crate::faults::point("connected");
        let (notices, over) = (Notices::default(), CancellationToken::new());
        let inner: Arc<dyn Session> = Arc::new(session);
        let is_spot = slot.machine().is_some_and(|rented| rented.is_spot);
        let watcher = is_spot.then(|| {
            let url = self.pool.landlord.options.reach.notices.clone();
            let inner = Arc::clone(&inner);
            tokio::spawn(notice::watch(inner, url, notices.clone(), over.clone()))
        });
        Ok(Box::new(Ec2Session {
            inner,
            pool: Arc::clone(&self.pool),
            slot,
            run: request.run,
            job,
            output: request.output,
            notices,
            interrupted: self.interrupted.clone(),
            over,
            watcher: Mutex::new(watcher),
        }))
    }

    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
        let mut report = ReapReport::default();
        let scope = match scope {
            ReapScope::Run(run) => {
                self.reap_own(*run, &mut report).await?;
                Scope::Run(run.to_string())
            }
            ReapScope::Abandoned => Scope::Expired,
            _ => {
                let text = "this scope of cleaning up is not known";
                return Err(Ec2Error::new(Ec2ErrorKind::Options, text).into());
            }
        };
        let found = self.reaper().reap(&scope).await?;
        report.removed.extend(found.removed);
        report.left.extend(found.left);
        Ok(report)
    }
}
