//! The places of a job in groups that hold across all processes that share the store.

use std::sync::Arc;

use super::host::RunHost;
use crate::id::JobId;
use crate::job::GroupUse;
use crate::scheduler::Ticket;
use crate::store::{Lease, LeaseRequest, StoreError};

impl RunHost {
    /// Whether the job needs a place in a group that other processes may hold.
    pub(super) fn shares_groups(&self, job: JobId) -> bool {
        self.store.is_some() && !self.plan.job(job).options.groups.is_empty()
    }

    /// Takes a place in each group of the job among all runs that share the store; `None` if one is
    /// full. What was taken before is given back then.
    pub(super) async fn take_leases(
        &self,
        ticket: Ticket,
    ) -> Result<Option<Vec<Lease>>, StoreError> {
        let Some(store) = &self.store else {
            return Ok(Some(Vec::new()));
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
            if let Some(lease) = store.acquire(&request).await? {
                leases.push(lease);
            } else {
                self.give_leases(leases).await;
                return Ok(None);
            }
        }
        if let Some(receipt) = self.recorder.queue(vec![self.started(ticket)]) {
            self.recorder.publish(receipt).await?;
        }
        Ok(Some(leases))
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
