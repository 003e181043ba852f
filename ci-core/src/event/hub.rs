//! Hands the events of a run to its sinks, each on a thread of its own.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use super::{EventRecord, Interest, RunEvent, Sink};
use crate::clock::Clock;
use crate::id::RunId;

/// Hands the events of a run to its sinks.
pub struct EventHub {
    run: RunId,
    clock: Clock,
    seq: AtomicU64,
    interest: Interest,
    sinks: std::sync::Mutex<Vec<(Interest, mpsc::Sender<Arc<EventRecord>>)>>,
    threads: std::sync::Mutex<Vec<std::thread::JoinHandle<()>>>,
}

impl fmt::Debug for EventHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventHub")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl EventHub {
    /// A hub for `run` that feeds `sinks`.
    #[must_use]
    pub fn new(run: RunId, clock: Clock, sinks: Vec<Box<dyn Sink>>) -> Self {
        let mut hub = Self {
            run,
            clock,
            seq: AtomicU64::new(0),
            interest: Interest::Nothing,
            sinks: std::sync::Mutex::default(),
            threads: std::sync::Mutex::default(),
        };
        for mut sink in sinks {
            let interest = sink.interest();
            if interest == Interest::Nothing {
                continue;
            }
            hub.interest = hub.interest.max(interest);
            let (sender, receiver) = mpsc::channel::<Arc<EventRecord>>();
            let thread = std::thread::spawn(move || {
                for record in receiver {
                    if sink.event(&record).is_err() {
                        return;
                    }
                }
                let _ = sink.finish();
            });
            hub.sinks
                .get_mut()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push((interest, sender));
            if let Ok(threads) = hub.threads.get_mut() {
                threads.push(thread);
            }
        }
        hub
    }

    /// Whether any sink wants events other than output: if not, do not even make them.
    #[must_use]
    pub fn wants_lifecycle(&self) -> bool {
        self.interest >= Interest::Lifecycle
    }

    /// Whether any sink wants output.
    #[must_use]
    pub fn wants_output(&self) -> bool {
        self.interest >= Interest::All
    }

    /// Hands out an event. Never waits.
    pub fn emit(&self, event: RunEvent) {
        if !self.wants_lifecycle() || (event.is_output() && !self.wants_output()) {
            return;
        }
        let record = Arc::new(EventRecord {
            run: self.run,
            seq: self.seq.fetch_add(1, Ordering::Relaxed) + 1,
            time: self.clock.wall(),
            event,
        });
        for (interest, sender) in self
            .sinks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .iter()
        {
            if *interest == Interest::All || !record.event.is_output() {
                let _ = sender.send(Arc::clone(&record));
            }
        }
    }

    /// Waits until the sinks have taken everything, but no longer than they can be expected to.
    pub fn close(&self) {
        self.sinks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clear();
        for thread in self
            .threads
            .lock()
            .map(|mut t| std::mem::take(&mut *t))
            .unwrap_or_default()
        {
            let _ = thread.join();
        }
    }
}
