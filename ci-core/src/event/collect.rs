//! Keeps the events of a run in memory, for tests and for programs that look at them afterwards.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{EventRecord, Interest, RunEvent, Sink, SinkError};

/// Keeps every event of a run in memory. Only for runs whose output fits there; a program that wants
/// events as they come takes a [`channel`](super::channel()).
pub struct Collect {
    shared: Arc<Shared>,
    interest: Interest,
}

/// Sees what a [`Collect`] has kept, also while the run lasts. Cheap to clone.
#[derive(Clone)]
pub struct CollectHandle {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    kept: Mutex<Kept>,
    changed: Condvar,
}

#[derive(Default)]
struct Kept {
    records: Vec<EventRecord>,
    finished: bool,
}

impl Collect {
    /// A sink, and the handle that sees what it keeps.
    #[must_use]
    pub fn new() -> (Self, CollectHandle) {
        let shared = Arc::<Shared>::default();
        let handle = CollectHandle {
            shared: Arc::clone(&shared),
        };
        let sink = Self {
            shared,
            interest: Interest::All,
        };
        (sink, handle)
    }

    /// Leaves out what the steps write.
    #[must_use]
    pub fn without_output(mut self) -> Self {
        self.interest = Interest::Lifecycle;
        self
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        // A list of records is whole also after a panic elsewhere.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CollectHandle {
    /// The records so far.
    #[must_use]
    pub fn records(&self) -> Vec<EventRecord> {
        self.shared.lock().records.clone()
    }

    /// The events so far.
    #[must_use]
    pub fn events(&self) -> Vec<RunEvent> {
        let kept = self.shared.lock();
        kept.records.iter().map(|r| r.event.clone()).collect()
    }

    /// What a job has written so far, all steps and streams in the order it came.
    #[must_use]
    pub fn output(&self, of: &str) -> String {
        let kept = self.shared.lock();
        kept.records
            .iter()
            .filter_map(|record| match &record.event {
                RunEvent::Output { job, text, .. } if **job == *of => Some(&**text),
                _ => None,
            })
            .collect()
    }

    /// Whether the last event has come.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.shared.lock().finished
    }

    /// Waits until `found` likes an event, one from before included, but no longer than `limit`. Gives
    /// the event. Blocks the thread: in async code use it through a blocking task.
    pub fn wait_for(
        &self,
        limit: Duration,
        mut found: impl FnMut(&RunEvent) -> bool,
    ) -> Option<EventRecord> {
        let start = Instant::now();
        let mut seen = 0;
        let mut kept = self.shared.lock();
        loop {
            if let Some(record) = kept.records[seen..].iter().find(|r| found(&r.event)) {
                return Some(record.clone());
            }
            seen = kept.records.len();
            let left = limit.checked_sub(start.elapsed())?;
            if kept.finished {
                return None;
            }
            kept = self
                .shared
                .changed
                .wait_timeout(kept, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl fmt::Debug for Collect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collect")
            .field("interest", &self.interest)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CollectHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectHandle")
            .field("records", &self.shared.lock().records.len())
            .finish_non_exhaustive()
    }
}

impl Sink for Collect {
    fn name(&self) -> &'static str {
        "collect"
    }

    fn interest(&self) -> Interest {
        self.interest
    }

    fn event(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        self.shared.lock().records.push(record.clone());
        self.shared.changed.notify_all();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.shared.lock().finished = true;
        self.shared.changed.notify_all();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::samples;
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn the_handle_sees_what_the_sink_took() {
        let (mut sink, handle) = Collect::new();
        for record in samples() {
            sink.event(&record).unwrap();
        }
        assert_eq!(handle.records(), samples());
        assert_eq!(handle.output("lint"), "warning: unused variable\n");
        assert_eq!(handle.output("build"), "");
        assert!(!handle.is_finished());
        sink.finish().unwrap();
        assert!(handle.is_finished());
        assert_eq!(handle.events().len(), samples().len());
    }

    #[test]
    fn waiting_ends_with_the_event_the_end_or_the_limit() {
        let (mut sink, handle) = Collect::new();
        let is_ready = |event: &RunEvent| matches!(event, RunEvent::JobReady { .. });
        assert_eq!(handle.wait_for(Duration::ZERO, is_ready), None);
        let waiting = std::thread::spawn({
            let handle = handle.clone();
            move || handle.wait_for(LONG, is_ready)
        });
        for record in &samples()[..2] {
            sink.event(record).unwrap();
        }
        assert_eq!(waiting.join().unwrap().as_ref(), Some(&samples()[1]));
        sink.finish().unwrap();
        let never = handle.wait_for(LONG, |event| matches!(event, RunEvent::Warning { .. }));
        assert_eq!(never, None);
    }
}
