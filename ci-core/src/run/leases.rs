//! The places of a job in groups that hold across all processes that share the store.

use std::sync::Arc;

use super::host::RunHost;
use crate::executor::ReapScope;
use crate::id::JobId;
use crate::job::GroupUse;
use crate::scheduler::Ticket;
use crate::store::{Lease, LeaseRequest, RunStore, StoreError};

/// The places of a job in its groups.
pub(super) enum Places {
    /// It has them all.
    Taken(Vec<Lease>),
    /// This group has none that is free.
    Full(Arc<str>),
}

impl RunHost {
    /// Whether the job needs a place in a group that other processes may hold.
    pub(super) fn shares_groups(&self, job: JobId) -> bool {
        self.store.is_some() && !self.plan.job(job).options.groups.is_empty()
    }

    /// Takes a place in each group of the job among all runs that share the store. If one is full, what
    /// was taken before is given back.
    pub(super) async fn take_leases(&self, ticket: Ticket) -> Result<Places, StoreError> {
        let Some(store) = &self.store else {
            return Ok(Places::Taken(Vec::new()));
        };
        let spec = self.plan.job(ticket.job);
        let mut leases = Vec::new();
        // In the order of their names: two jobs that want the same groups never wait for each other.
        let mut groups: Vec<&GroupUse> = spec.options.groups.iter().collect();
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        for group in groups {
            let request = LeaseRequest {
                group: Arc::clone(&group.name),
                limit: group.limit,
                owner: self.owner.clone(),
                run: self.run,
                job: Arc::clone(&spec.name),
            };
            let taken = match self.end_abandoned(&**store, &request.group).await {
                Ok(()) => store.acquire(&request).await,
                Err(error) => Err(error),
            };
            match taken {
                Ok(Some(lease)) => leases.push(lease),
                Ok(None) => {
                    self.give_leases(leases).await;
                    return Ok(Places::Full(request.group));
                }
                Err(error) => {
                    self.give_leases(leases).await;
                    return Err(error);
                }
            }
        }
        if let Some(receipt) = self.recorder.queue(vec![self.started(ticket)]) {
            self.recorder.publish(receipt).await?;
        }
        Ok(Places::Taken(leases))
    }

    /// Ends what the runs of dead processes still do that hold places of a group: processes outlive an
    /// engine that was killed, and are not to run beside who has the place next.
    pub(super) async fn end_abandoned(
        &self,
        store: &dyn RunStore,
        group: &str,
    ) -> Result<(), StoreError> {
        for run in store.abandoned(group).await? {
            for executor in &self.executors {
                // That takes its time. Whoever resumed the run meanwhile has its jobs.
                if !store.abandoned(group).await?.contains(&run) {
                    break;
                }
                match executor.reap(&ReapScope::Run(run)).await {
                    Ok(report) => self.warn_of_left(&**executor, report),
                    // One that no job needs may be absent, such as an engine that is not installed.
                    Err(_) if !self.uses(executor.name()) => {}
                    Err(error) => self.warn(None, crate::error::chain(&error)),
                }
            }
        }
        Ok(())
    }

    fn uses(&self, executor: &str) -> bool {
        let mut jobs = self.plan.dag.jobs();
        jobs.any(|job| &*self.executor_name(job) == executor)
    }

    /// Gives places back. A failure is no more than a warning: they are free when this process ends.
    pub(super) async fn give_leases(&self, leases: Vec<Lease>) {
        let Some(store) = &self.store else { return };
        for lease in leases {
            if let Err(error) = store.release(&lease).await {
                self.warn(None, format!("`{}` was not released: {error}", lease.group));
            }
        }
    }
}
