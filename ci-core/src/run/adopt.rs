//! A run that this process drives from now on: a new one that the store is told of, or one of a dead
//! process that is taken over.

use std::sync::Arc;

use super::error::{RunError, RunErrorKind};
use super::history::History;
use super::past::Past;
use super::watch;
use crate::id::RunId;
use crate::store::{Lease, NewRun, OwnerId, RunStore};

/// What a run has from the process that drove it before.
#[derive(Default)]
pub(super) struct Inherited {
    /// The number of the last request that was for that process.
    pub(super) asked: u64,
    /// The places in groups that it held: what it left running still needs them.
    pub(super) places: Vec<Lease>,
}

/// The hold of this process on a run. Dropped before the run begins it gives the run back.
pub(super) struct Adopted {
    store: Option<Arc<dyn RunStore>>,
    owner: OwnerId,
}

impl Adopted {
    /// Makes the run known to the store, or takes it over. A run that is taken over may have gone on
    /// since `past` was read: `past` is what holds now.
    pub(super) async fn take(
        store: Option<Arc<dyn RunStore>>,
        owner: &OwnerId,
        new: NewRun,
        past: &mut Past,
        supersede: bool,
    ) -> Result<(Self, Inherited), RunError> {
        let mut adopted = Self {
            store: None,
            owner: owner.clone(),
        };
        let Some(store) = store else {
            return Ok((adopted, Inherited::default()));
        };
        let run = new.id;
        let mut inherited = Inherited::default();
        // From here on: whoever stops waiting for the store does not stop the store.
        adopted.store = Some(Arc::clone(&store));
        if let Past::Resumed(_) = past {
            let requests = store.requests(run, 0).await?;
            inherited.asked = requests.last().map_or(0, |last| last.seq);
            inherited.places = store.own(run, owner).await?;
        } else {
            store.create(new.clone(), owner).await?;
        }
        let made = match past {
            Past::Resumed(history) => read_again(&*store, run, history).await,
            _ if supersede => {
                let name = &new.workflow.name;
                let told = watch::supersede(&*store, run, name, &new.facts).await;
                told.map_err(RunError::from)
            }
            _ => Ok(()),
        };
        match made {
            Ok(()) => Ok((adopted, inherited)),
            Err(error) => {
                adopted.give_back().await;
                Err(error)
            }
        }
    }

    /// The run begins: it gives itself back when it ends.
    pub(super) fn begins(mut self) {
        self.store = None;
    }

    /// The run does not begin: others may take it up.
    pub(super) async fn give_back(mut self) {
        if let Some(store) = self.store.take() {
            // If that fails it is free when this process ends.
            let _ = store.disown(&self.owner).await;
        }
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        let (Some(store), Ok(runtime)) = (self.store.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let owner = self.owner.clone();
        runtime.spawn(async move {
            let _ = store.disown(&owner).await;
        });
    }
}

/// What the process before did until it ended.
async fn read_again(
    store: &dyn RunStore,
    run: RunId,
    history: &mut History,
) -> Result<(), RunError> {
    *history = History::of(&store.load(run).await?.journal);
    check_open(run, history)
}

/// Whether a run can go on.
pub(super) fn check_open(run: RunId, history: &History) -> Result<(), RunError> {
    match history.finished {
        Some(outcome) if !outcome.can_go_on() => {
            let message = format!("the run `{run}` has ended as {outcome}");
            Err(RunError::new(RunErrorKind::NotResumable, message)
                .with_hint("repeat what failed with `rerun`"))
        }
        _ => Ok(()),
    }
}
