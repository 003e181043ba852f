//! Journal first: an event goes to the sinks when the store has it for good.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;
use crate::event::{EventHub, EventRecord, RunEvent};
use crate::id::RunId;
use crate::store::{Commit, RunStore, StoreError};

/// Takes the events of a run in order, writes them to the journal and then shows them to the sinks.
pub(super) struct Recorder {
    run: RunId,
    clock: Clock,
    hub: Arc<EventHub>,
    store: Option<Arc<dyn RunStore>>,
    seq: AtomicU64,
    queue: Mutex<Queue>,
}

/// Events that wait for their commit. Commits are ready in the order of the appends, so whoever sees
/// his own ready may show all that were queued before.
#[derive(Default)]
struct Queue {
    next: u64,
    waiting: VecDeque<(u64, Vec<RunEvent>)>,
}

/// Events that were queued and are to be shown once they are durable.
#[must_use]
pub(super) struct Receipt {
    ticket: u64,
    commit: Option<Commit>,
}

impl Recorder {
    pub(super) fn new(
        run: RunId,
        clock: Clock,
        hub: Arc<EventHub>,
        store: Option<Arc<dyn RunStore>>,
        last_seq: u64,
    ) -> Self {
        let (seq, queue) = (AtomicU64::new(last_seq), Mutex::default());
        Self {
            run,
            clock,
            hub,
            store,
            seq,
            queue,
        }
    }

    /// Whether anybody takes events: if not, they need not be made.
    pub(super) fn is_on(&self) -> bool {
        self.store.is_some() || self.hub.wants_lifecycle()
    }

    pub(super) fn hub(&self) -> &Arc<EventHub> {
        &self.hub
    }

    /// Queues events in order. Does not wait.
    pub(super) fn queue(&self, events: Vec<RunEvent>) -> Option<Receipt> {
        if events.is_empty() || !self.is_on() {
            return None;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Appended under the lock: the journal and the queue have one order.
        let store = self.store.as_ref();
        let commit = store.map(|store| store.append(self.run, self.records(&events)));
        let ticket = queue.next;
        queue.next += 1;
        queue.waiting.push_back((ticket, events));
        Some(Receipt { ticket, commit })
    }

    /// Waits until what was queued is durable, and shows it.
    pub(super) async fn publish(&self, receipt: Receipt) -> Result<(), StoreError> {
        if let Some(commit) = receipt.commit {
            commit.await?;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while queue
            .waiting
            .front()
            .is_some_and(|(ticket, _)| *ticket <= receipt.ticket)
        {
            for event in queue
                .waiting
                .pop_front()
                .into_iter()
                .flat_map(|(_, events)| events)
            {
                self.hub.emit(event);
            }
        }
        Ok(())
    }

    /// Records an event on which nothing depends: shown at once, durable soon. If the journal fails,
    /// the next event that is waited for says so.
    pub(super) fn note(&self, event: RunEvent) {
        if let Some(store) = &self.store {
            store.note(self.run, self.records(std::slice::from_ref(&event)));
        }
        self.hub.emit(event);
    }

    fn records(&self, events: &[RunEvent]) -> Vec<EventRecord> {
        let records = events.iter().map(|event| EventRecord {
            run: self.run,
            seq: self.seq.fetch_add(1, Ordering::Relaxed) + 1,
            time: self.clock.wall(),
            event: event.clone(),
        });
        records.collect()
    }
}
