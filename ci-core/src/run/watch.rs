//! What a run does with the store beside its journal: answers requests, keeps its leases, waits for
//! its group.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::error::RunError;
use super::host::RunHost;
use crate::id::RunId;
use crate::job::GroupUse;
use crate::outcome::CancelReason;
use crate::scheduler::Stop;
use crate::scheduler::drive::Command;
use crate::store::{
    LeaseRequest, Request, RequestKind, RunQuery, RunStore, StoreError, StoreErrorKind,
};
use crate::workflow::RunFacts;

/// How often a run says that it lives. Well below the time after which a store counts it as dead.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// Watches the store for a run until it is dropped.
pub(super) struct StoreWatch(Option<JoinHandle<()>>);

impl StoreWatch {
    pub(super) fn start(host: &Arc<RunHost>) -> Self {
        let Some(store) = host.store.clone() else {
            return Self(None);
        };
        Self(Some(tokio::spawn(watch(Arc::clone(host), store))))
    }
}

impl Drop for StoreWatch {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

async fn watch(host: Arc<RunHost>, store: Arc<dyn RunStore>) {
    let mut since_heartbeat = Duration::ZERO;
    loop {
        look(&host, &*store).await;
        host.clock.sleep(host.poll_interval).await;
        since_heartbeat += host.poll_interval;
        if since_heartbeat >= HEARTBEAT {
            since_heartbeat = Duration::ZERO;
            if !beat(&host, &*store).await {
                return;
            }
        }
    }
}

/// What others asked of a run through the store, as far as it was seen.
pub(super) struct Requests {
    /// The number of the last one.
    seen: u64,
    /// The last one from before this process took the run over: decisions count, cancellations were for
    /// the process before.
    earlier: u64,
}

impl Requests {
    /// Those up to `earlier` were for the process before.
    pub(super) fn new(earlier: u64) -> Self {
        Self { seen: 0, earlier }
    }
}

/// Obeys what others asked since the last look. True if somebody did.
pub(super) async fn look(host: &RunHost, store: &dyn RunStore) -> bool {
    let mut requests = host.requests.lock().await;
    match store.requests(host.run, requests.seen).await {
        Ok(new) => {
            let any = !new.is_empty();
            for record in new {
                requests.seen = record.seq;
                obey(host, record.request, record.seq <= requests.earlier);
            }
            any
        }
        Err(error) => {
            host.warn(None, format!("requests could not be read: {error}"));
            false
        }
    }
}

/// Says that the run lives. False if it came too late: then the run stops, for another process may
/// drive it.
async fn beat(host: &RunHost, store: &dyn RunStore) -> bool {
    match store.heartbeat(&host.owner).await {
        Ok(()) => true,
        Err(error) if error.kind() == StoreErrorKind::Lost => {
            host.warn(None, format!("this run is no longer ours: {error}"));
            let stop = Stop::Cancel(super::start::SHUTDOWN);
            host.request(Command::Stop {
                stop,
                teardown_too: true,
            });
            false
        }
        Err(error) => {
            host.warn(
                None,
                format!("the store did not take the heartbeat: {error}"),
            );
            true
        }
    }
}

fn obey(host: &RunHost, request: Request, earlier: bool) {
    match request.kind {
        RequestKind::Approve { job, approved } => match host.plan.find(&job) {
            Some(job) => host.request(Command::Decide {
                job,
                approved,
                by: request.by,
            }),
            None => host.warn(
                None,
                format!("`{}` decided about `{job}`, no job", request.by),
            ),
        },
        RequestKind::Cancel { .. } if earlier => {}
        RequestKind::Cancel { job: None, reason } => {
            host.request(Command::Stop {
                stop: Stop::Cancel(reason),
                teardown_too: false,
            });
        }
        RequestKind::Cancel {
            job: Some(job),
            reason,
        } => match host.plan.find(&job) {
            Some(job) => host.request(Command::StopJob {
                job,
                stop: Stop::Cancel(reason),
            }),
            None => host.warn(None, format!("`{}` canceled `{job}`, no job", request.by)),
        },
    }
}

/// Asks the older active runs of the same workflow and branch to stop.
pub(super) async fn supersede(
    store: &dyn RunStore,
    run: RunId,
    workflow: &str,
    facts: &RunFacts,
) -> Result<(), StoreError> {
    let Some(branch) = &facts.branch else {
        return Ok(());
    };
    let query = RunQuery {
        workflow: Some(workflow.to_owned()),
        branch: Some(branch.clone()),
        ..RunQuery::default()
    };
    for other in store.runs(&query).await?.runs {
        if other.active && other.id < run {
            // Repositories that share a store share names of workflows and branches too.
            if store.load(other.id).await?.facts.repository != facts.repository {
                continue;
            }
            let kind = RequestKind::Cancel {
                job: None,
                reason: CancelReason::Superseded,
            };
            let by = format!("run {run}");
            store
                .request(Request {
                    run: other.id,
                    kind,
                    by,
                })
                .await?;
        }
    }
    Ok(())
}

/// Waits for the run's place in its group. It holds the place until it is disowned. A run that is stopped
/// meanwhile waits no longer, and as it has no place nothing of it may begin; only one that `tears_down`
/// what an earlier life of it began waits on, for that needs the place. What else was asked is for the
/// driver.
pub(super) async fn take_run_group(
    host: &RunHost,
    group: Option<GroupUse>,
    inbox: &mut mpsc::UnboundedReceiver<Command>,
    tears_down: bool,
) -> Result<(), RunError> {
    let (Some(group), Some(store)) = (group, &host.store) else {
        return Ok(());
    };
    let request = LeaseRequest {
        group: Arc::clone(&group.name),
        limit: group.limit,
        owner: host.owner.clone(),
        run: host.run,
        job: "".into(),
    };
    let mut said = false;
    let mut asked = Vec::new();
    loop {
        host.end_abandoned(&**store, &request.group).await?;
        if store.acquire(&request).await?.is_some() {
            break;
        }
        if !std::mem::replace(&mut said, true) {
            host.warn(
                None,
                format!("waits for other runs in the group `{}`", group.name),
            );
        }
        tokio::select! {
            biased;
            command = inbox.recv() => match command {
                Some(Command::Stop { stop, teardown_too }) if teardown_too || !tears_down => {
                    asked.push(Command::Stop { stop, teardown_too: true });
                    break;
                }
                command => asked.extend(command),
            },
            () = host.clock.sleep(host.poll_interval) => {}
        }
    }
    for command in asked {
        host.request(command);
    }
    Ok(())
}
