//! Which jobs share which machine, and how long a machine is kept for the next one.

use std::sync::{Arc, Mutex, PoisonError};

use ci_core::id::RunId;
use ci_core::session::Output;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::error::{Ec2Error, Ec2ErrorKind};
use super::options::Strategy;
use super::rent::{Landlord, Rented};

/// The machines of one executor.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) landlord: Landlord,
    slots: Mutex<Vec<Arc<Slot>>>,
}

/// A machine, or one on its way.
#[derive(Debug)]
pub(super) struct Slot {
    machine: OnceCell<Rented>,
    on_demand: bool,
    state: Mutex<SlotState>,
}

#[derive(Debug, Default)]
struct SlotState {
    /// The run of each job that uses it.
    users: Vec<RunId>,
    /// The run it was launched for.
    run: Option<RunId>,
    /// It takes no more jobs.
    closed: bool,
    /// Counts the times it was used, so that a timer knows whether it is still the last.
    uses: u64,
}

impl Slot {
    /// The machine, once it is there.
    pub(super) fn machine(&self) -> Option<&Rented> {
        self.machine.get()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    pub(super) fn new(landlord: Landlord) -> Self {
        Self {
            landlord,
            slots: Mutex::default(),
        }
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A machine for a job of `run`: one that is there already, or a new one.
    pub(super) async fn take(
        self: &Arc<Self>,
        run: RunId,
        on_demand: bool,
        output: &Output,
        cancel: &CancellationToken,
    ) -> Result<Arc<Slot>, Ec2Error> {
        let slot = self.reserve(run, on_demand);
        let begun = slot
            .machine
            .get_or_try_init(|| self.rent(run, on_demand, output, cancel))
            .await;
        match begun {
            Ok(_) => Ok(slot),
            Err(error) => {
                Self::leave(&slot, run);
                if slot.machine.get().is_none() && slot.state().users.is_empty() {
                    self.remove(&slot);
                }
                Err(error)
            }
        }
    }

    fn reserve(&self, run: RunId, on_demand: bool) -> Arc<Slot> {
        let is_existing = matches!(self.landlord.options.strategy, Strategy::Existing(_));
        let most = self.landlord.options.jobs;
        let mut slots = self.slots();
        for slot in slots.iter() {
            let mut state = slot.state();
            // There is one existing machine, and whoever wants it shares it.
            let fits = is_existing
                || (state.run == Some(run)
                    && state.users.len() < most
                    && (slot.on_demand || !on_demand));
            if fits && !state.closed {
                state.users.push(run);
                state.uses += 1;
                drop(state);
                return Arc::clone(slot);
            }
        }
        let slot = Arc::new(Slot {
            machine: OnceCell::new(),
            on_demand,
            state: Mutex::new(SlotState {
                users: vec![run],
                run: Some(run),
                closed: false,
                uses: 1,
            }),
        });
        slots.push(Arc::clone(&slot));
        slot
    }

    /// Rents in a task of its own: whoever waits for it may go away.
    async fn rent(
        self: &Arc<Self>,
        run: RunId,
        on_demand: bool,
        output: &Output,
        cancel: &CancellationToken,
    ) -> Result<Rented, Ec2Error> {
        let cancel = cancel.child_token();
        let _stop = cancel.clone().drop_guard();
        let (give, got) = tokio::sync::oneshot::channel();
        let (landlord, output) = (self.landlord.clone(), output.clone());
        tokio::spawn(async move {
            let rented = landlord
                .rent(&run.to_string(), on_demand, &output, &cancel)
                .await;
            if let Err(Ok(nobody)) = give.send(rented) {
                let _ = landlord.give_back(&nobody, &output).await;
            }
        });
        got.await.unwrap_or_else(|_| {
            Err(Ec2Error::new(
                Ec2ErrorKind::Machine,
                "getting a machine did not end",
            ))
        })
    }

    fn leave(slot: &Slot, run: RunId) -> bool {
        let mut state = slot.state();
        if let Some(at) = state.users.iter().position(|user| *user == run) {
            state.users.swap_remove(at);
        }
        state.users.is_empty()
    }

    fn remove(&self, slot: &Arc<Slot>) {
        slot.state().closed = true;
        self.slots().retain(|other| !Arc::ptr_eq(other, slot));
    }

    /// Takes no more jobs on a machine that is broken.
    pub(super) fn close(slot: &Slot) {
        slot.state().closed = true;
    }

    /// A job of `run` does not need the machine any more. The last one gives it back, at once or when it
    /// was kept long enough.
    pub(super) async fn release(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        run: RunId,
        output: &Output,
    ) -> Result<(), Ec2Error> {
        let keep = self.landlord.options.keep;
        let uses = {
            let slots = self.slots();
            let is_last = Self::leave(slot, run);
            let mut state = slot.state();
            if !is_last {
                return Ok(());
            }
            if keep.is_zero() {
                state.closed = true;
            }
            drop(slots);
            (!state.closed).then_some(state.uses)
        };
        let Some(uses) = uses else {
            return self.give_back(slot, output).await;
        };
        let (pool, slot) = (Arc::clone(self), Arc::clone(slot));
        tokio::spawn(async move {
            tokio::time::sleep(keep).await;
            let idle = {
                let _slots = pool.slots();
                let mut state = slot.state();
                let idle = state.users.is_empty() && state.uses == uses && !state.closed;
                state.closed |= idle;
                idle
            };
            if idle {
                let _ = pool.give_back(&slot, &Output::discard()).await;
            }
        });
        Ok(())
    }

    /// Gives the machine of a slot back, in a task that nobody can cut short.
    async fn give_back(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        output: &Output,
    ) -> Result<(), Ec2Error> {
        self.remove(slot);
        let (pool, slot, output) = (Arc::clone(self), Arc::clone(slot), output.clone());
        let work = tokio::spawn(async move {
            match slot.machine() {
                Some(rented) => pool.landlord.give_back(rented, &output).await,
                None => Ok(()),
            }
        });
        work.await.unwrap_or_else(|error| {
            let text = "giving the machine back did not end";
            Err(Ec2Error::new(Ec2ErrorKind::Machine, text).with_source(error))
        })
    }

    /// The machines that jobs of `run` use or used.
    pub(super) fn of_run(&self, run: RunId) -> Vec<Arc<Slot>> {
        let slots = self.slots();
        let of_run = |slot: &&Arc<Slot>| {
            let state = slot.state();
            state.run == Some(run) || state.users.contains(&run)
        };
        slots.iter().filter(of_run).map(Arc::clone).collect()
    }

    /// Forgets the jobs of a run that is dead, and gives the machine back if nobody else uses it.
    pub(super) async fn evict(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        run: RunId,
    ) -> Result<bool, Ec2Error> {
        let is_idle = {
            let _slots = self.slots();
            let mut state = slot.state();
            state.users.retain(|user| *user != run);
            state.closed |= state.users.is_empty();
            state.users.is_empty()
        };
        if is_idle {
            self.give_back(slot, &Output::discard()).await?;
        }
        Ok(is_idle)
    }

    /// Gives every machine back that no job uses.
    pub(super) async fn drain(self: &Arc<Self>) -> Result<(), Ec2Error> {
        let idle: Vec<Arc<Slot>> = {
            let slots = self.slots();
            let is_idle = |slot: &&Arc<Slot>| {
                let mut state = slot.state();
                let idle = state.users.is_empty();
                state.closed |= idle;
                idle
            };
            slots.iter().filter(is_idle).map(Arc::clone).collect()
        };
        let mut failed = Ok(());
        for slot in idle {
            let given = self.give_back(&slot, &Output::discard()).await;
            failed = failed.and(given);
        }
        failed
    }
}
