//! Hands the events of a run to a program through a bounded channel.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{EventRecord, Interest, Sink, SinkError};

/// A sink that hands its events to the receiver, at most `capacity` ahead of it.
///
/// A program that falls further behind misses output (an
/// [`OutputDropped`](super::RunEvent::OutputDropped) tells how much) and no other event, like every
/// slow sink. Receive beside the run, not after it; drop the receiver to stop listening.
///
/// ```
/// # async fn listen() {
/// use ci_core::event::{RunEvent, channel};
/// # let capacity = std::num::NonZeroUsize::MIN;
///
/// let (sink, mut events) = channel(capacity);
/// // Give `sink` to the run, and meanwhile:
/// while let Some(record) = events.recv().await {
///     if let RunEvent::JobFinished { job, result, .. } = &record.event {
///         println!("{job}: {result}");
///     }
/// }
/// # drop(sink); }
/// ```
#[must_use]
pub fn channel(capacity: NonZeroUsize) -> (ChannelSink, EventReceiver) {
    let shared = Arc::new(Shared {
        queue: Mutex::default(),
        changed: Condvar::new(),
        arrived: Notify::new(),
        capacity: capacity.get(),
    });
    let sink = ChannelSink {
        shared: Arc::clone(&shared),
        interest: Interest::All,
    };
    (sink, EventReceiver { shared })
}

/// The end of a [`channel`] that goes to the run.
pub struct ChannelSink {
    shared: Arc<Shared>,
    interest: Interest,
}

/// The end of a [`channel`] that the program keeps.
pub struct EventReceiver {
    shared: Arc<Shared>,
}

// A queue of its own, because it has a blocking and an async end: the sender is a plain thread, and
// the blocking send of an async channel panics in the wrong place.
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    arrived: Notify,
    capacity: usize,
}

#[derive(Default)]
struct Queue {
    records: VecDeque<Arc<EventRecord>>,
    no_sender: bool,
    no_receiver: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        self.changed
            .wait(queue)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells both ends to look again.
    fn wake(&self) {
        self.changed.notify_all();
        self.arrived.notify_one();
    }
}

impl ChannelSink {
    /// Leaves out what the steps write.
    #[must_use]
    pub fn without_output(mut self) -> Self {
        self.interest = Interest::Lifecycle;
        self
    }
}

impl Sink for ChannelSink {
    fn name(&self) -> &'static str {
        "channel"
    }

    fn interest(&self) -> Interest {
        self.interest
    }

    fn event(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        let record = Arc::new(record.clone());
        let mut queue = self.shared.lock();
        while queue.records.len() >= self.shared.capacity && !queue.no_receiver {
            queue = self.shared.wait(queue);
        }
        if queue.no_receiver {
            return Err(SinkError("nobody receives events any more".to_owned()));
        }
        queue.records.push_back(record);
        drop(queue);
        self.shared.wake();
        Ok(())
    }
}

impl Drop for ChannelSink {
    fn drop(&mut self) {
        self.shared.lock().no_sender = true;
        self.shared.wake();
    }
}

impl EventReceiver {
    /// The next event; `None` after the last. Safe to cancel: no event is lost.
    pub async fn recv(&mut self) -> Option<Arc<EventRecord>> {
        loop {
            // A wake-up between the look and the wait is kept by `Notify`.
            match self.look() {
                Next::Event(record) => return Some(record),
                Next::End => return None,
                Next::NotYet => self.shared.arrived.notified().await,
            }
        }
    }

    /// The next event; `None` after the last. Blocks the thread until there is one.
    pub fn blocking_recv(&mut self) -> Option<Arc<EventRecord>> {
        let mut queue = self.shared.lock();
        while queue.records.is_empty() && !queue.no_sender {
            queue = self.shared.wait(queue);
        }
        let record = queue.records.pop_front();
        drop(queue);
        self.shared.changed.notify_all();
        record
    }

    /// The next event if it is there already.
    pub fn try_recv(&mut self) -> Option<Arc<EventRecord>> {
        match self.look() {
            Next::Event(record) => Some(record),
            Next::NotYet | Next::End => None,
        }
    }

    fn look(&self) -> Next {
        let mut queue = self.shared.lock();
        match queue.records.pop_front() {
            Some(record) => {
                drop(queue);
                self.shared.changed.notify_all();
                Next::Event(record)
            }
            None if queue.no_sender => Next::End,
            None => Next::NotYet,
        }
    }
}

enum Next {
    Event(Arc<EventRecord>),
    NotYet,
    End,
}

impl Drop for EventReceiver {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.no_receiver = true;
        queue.records.clear();
        drop(queue);
        self.shared.wake();
    }
}

impl fmt::Debug for ChannelSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelSink")
            .field("capacity", &self.shared.capacity)
            .field("interest", &self.interest)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for EventReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventReceiver")
            .field("waiting", &self.shared.lock().records.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::samples;
    use super::*;

    const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

    fn send_all(mut sink: ChannelSink) -> std::thread::JoinHandle<Result<(), SinkError>> {
        std::thread::spawn(move || samples().iter().try_for_each(|record| sink.event(record)))
    }

    #[tokio::test]
    async fn a_program_receives_every_event_and_the_end() {
        let (sink, mut receiver) = channel(TWO);
        let sending = send_all(sink);
        let mut got = Vec::new();
        while let Some(record) = receiver.recv().await {
            got.push((*record).clone());
        }
        assert_eq!(got, samples());
        assert!(sending.join().unwrap().is_ok());
    }

    #[test]
    fn a_thread_receives_every_event_and_the_end() {
        let (sink, mut receiver) = channel(TWO);
        let sending = send_all(sink);
        let got: Vec<_> = std::iter::from_fn(|| receiver.blocking_recv()).collect();
        assert_eq!(got.len(), samples().len());
        assert!(sending.join().unwrap().is_ok());
        assert!(receiver.try_recv().is_none());
    }

    #[test]
    fn the_sender_stays_within_the_capacity_and_notices_that_nobody_listens() {
        let (mut sink, receiver) = channel(TWO);
        sink.event(&samples()[0]).unwrap();
        sink.event(&samples()[1]).unwrap();
        let blocked = std::thread::spawn(move || sink.event(&samples()[2]));
        assert_eq!(receiver.shared.lock().records.len(), 2);
        drop(receiver);
        let error = blocked.join().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "nobody receives events any more");
    }
}
