//! Journal first: an event goes to the sinks when the store has it for good.
//!
//! A job that depends on nothing that is still on its way to the disk need not wait for it (see
//! [`drive`](crate::scheduler::drive)): what it says is held back here until its start is shown.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// The most bytes of output that are held back. What comes above that is dropped and counted, as for a
/// sink that is slow: the log in the store has it.
const MOST_OUTPUT: usize = 8 << 20;

/// Events that wait for their commit. Commits are ready in the order of the appends, so whoever sees
/// his own ready may show all that were queued before.
#[derive(Default)]
struct Queue {
    next: u64,
    waiting: VecDeque<(u64, Vec<RunEvent>)>,
    /// The jobs whose start waits, with its ticket: what they say goes behind it.
    starting: Vec<(Arc<str>, u64)>,
    /// How many bytes of output wait.
    output: usize,
    /// How many bytes of output were dropped.
    dropped: u64,
}

/// Events that were queued and are to be shown once they are durable.
#[must_use]
pub(super) struct Receipt {
    ticket: u64,
    commit: Option<Commit>,
}

impl Queue {
    /// The ticket of the start of an event's job, if that waits.
    fn start_of(&self, event: &RunEvent) -> Option<u64> {
        if self.starting.is_empty() {
            return None;
        }
        let job = event.job()?;
        let start = self.starting.iter().rev().find(|(of, _)| of == job);
        start.map(|(_, ticket)| *ticket)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
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

    /// Queues events in order. Does not wait. The receipt is one word where nothing is queued.
    pub(super) fn queue(&self, events: Vec<RunEvent>) -> Option<Box<Receipt>> {
        if events.is_empty() || !self.is_on() {
            return None;
        }
        let mut queue = self.lock();
        // Appended under the lock: the journal and the queue have one order.
        let store = self.store.as_ref();
        let commit = store.map(|store| store.append(self.run, self.records(&events)));
        let ticket = queue.next;
        queue.next += 1;
        queue
            .starting
            .extend(events.iter().filter_map(|event| match event {
                RunEvent::JobStarted { job, .. } => Some((Arc::clone(job), ticket)),
                _ => None,
            }));
        queue.waiting.push_back((ticket, events));
        Some(Box::new(Receipt { ticket, commit }))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until what was queued is durable, and shows it.
    pub(super) async fn publish(&self, receipt: Box<Receipt>) -> Result<(), StoreError> {
        let committed = match receipt.commit {
            Some(commit) => commit.await,
            None => Ok(()),
        };
        let mut queue = self.lock();
        if committed.is_err() {
            // What waits is never shown, and nothing goes behind it any more.
            queue.starting.clear();
            return committed;
        }
        while let Some((_, events)) = queue
            .waiting
            .pop_front_if(|batch| batch.0 <= receipt.ticket)
        {
            for event in events {
                if let RunEvent::Output { text, .. } = &event {
                    queue.output = queue.output.saturating_sub(text.len());
                }
                self.hub.emit(event);
            }
        }
        queue
            .starting
            .retain(|(_, ticket)| *ticket > receipt.ticket);
        if queue.dropped > 0 && queue.output == 0 {
            let bytes = std::mem::take(&mut queue.dropped);
            self.hub.emit(RunEvent::OutputDropped { bytes });
        }
        Ok(())
    }

    /// Records an event on which nothing depends: durable soon, and shown at once if the start of its
    /// job is. If the journal fails, the next event that is waited for says so.
    pub(super) fn note(&self, event: RunEvent) {
        let queue = self.lock();
        if let Some(store) = &self.store {
            store.note(self.run, self.records(std::slice::from_ref(&event)));
        }
        self.put(queue, event);
    }

    /// Shows an event that the journal does not have, once the start of its job is shown.
    pub(super) fn show(&self, event: RunEvent) {
        self.put(self.lock(), event);
    }

    fn put(&self, mut queue: MutexGuard<'_, Queue>, event: RunEvent) {
        let Some(ticket) = queue.start_of(&event) else {
            drop(queue);
            return self.hub.emit(event);
        };
        if let RunEvent::Output { text, .. } = &event {
            if queue.output + text.len() > MOST_OUTPUT {
                queue.dropped += text.len() as u64;
                return;
            }
            queue.output += text.len();
        }
        let batch = queue.waiting.iter_mut().find(|(of, _)| *of == ticket);
        if let Some((_, events)) = batch {
            events.push(event);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Collect, CollectHandle};
    use crate::session::Stream;

    fn recorder() -> (Recorder, CollectHandle) {
        let (sink, seen) = Collect::new();
        let (run, clock) = (RunId::new(), Clock::system());
        let hub = EventHub::new(run, clock.clone(), vec![Box::new(sink)]);
        (Recorder::new(run, clock, Arc::new(hub), None, 0), seen)
    }

    fn started(job: &str) -> RunEvent {
        RunEvent::JobStarted {
            job: job.into(),
            attempt: 1,
            executor: "local".into(),
        }
    }

    fn output(job: &str, text: &str) -> RunEvent {
        RunEvent::Output {
            job: job.into(),
            step: 0,
            stream: Stream::Stdout,
            text: text.into(),
        }
    }

    fn shown(recorder: &Recorder, seen: &CollectHandle) -> Vec<String> {
        recorder.hub().close();
        let of = |event: &RunEvent| match event {
            RunEvent::JobStarted { job, .. } => format!("{job} starts"),
            RunEvent::Output { job, text, .. } => format!("{job}: {}", text.len()),
            RunEvent::OutputDropped { bytes } => format!("dropped {bytes}"),
            other => format!("{other:?}"),
        };
        seen.records()
            .iter()
            .map(|record| of(&record.event))
            .collect()
    }

    #[tokio::test]
    async fn what_a_job_says_comes_after_its_start_and_nobody_else_waits() {
        let (recorder, seen) = recorder();
        let one = recorder.queue(vec![started("a")]).expect("a receipt");
        let two = recorder.queue(vec![started("b")]).expect("a receipt");
        recorder.show(output("b", "22"));
        recorder.show(output("a", "1"));
        recorder.show(output("c", "333"));
        recorder.publish(one).await.expect("published");
        recorder.show(output("a", "4444"));
        recorder.publish(two).await.expect("published");
        recorder.note(output("b", "55555"));
        let expected = [
            "c: 3", "a starts", "a: 1", "a: 4", "b starts", "b: 2", "b: 5",
        ];
        assert_eq!(shown(&recorder, &seen), expected);
    }

    #[tokio::test]
    async fn a_disk_that_stands_still_does_not_fill_the_memory() {
        let (recorder, seen) = recorder();
        let start = recorder.queue(vec![started("a")]).expect("a receipt");
        let piece = "x".repeat(MOST_OUTPUT / 2);
        for _ in 0..3 {
            recorder.show(output("a", &piece));
        }
        recorder.publish(start).await.expect("published");
        let kept = format!("a: {}", piece.len());
        let expected = [
            "a starts",
            &kept,
            &kept,
            &format!("dropped {}", piece.len()),
        ];
        assert_eq!(shown(&recorder, &seen), expected);
    }
}
