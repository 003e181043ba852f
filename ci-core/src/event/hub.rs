//! Hands the events of a run to its sinks, each on a thread of its own.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{EventRecord, Interest, RunEvent, Sink, SinkError};
use crate::clock::Clock;
use crate::id::RunId;

/// How many bytes of output may wait for a sink. What comes above that is dropped and counted: the log
/// in the store has it.
const OUTPUT_BUDGET: usize = 8 << 20;
/// How long a sink that has taken everything rests: events that come meanwhile come together, so that a
/// run of many small jobs does not go back and forth between threads for each.
const REST: Duration = Duration::from_millis(5);
/// How often a sink is ticked.
const TICK: Duration = Duration::from_millis(100);
/// How long a sink may take for one event at the end of the run before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(5);

/// Hands the events of a run to its sinks. Handing out never waits, whatever the sinks do.
pub struct EventHub {
    run: RunId,
    clock: Clock,
    seq: AtomicU64,
    interest: Interest,
    sinks: Vec<Feed>,
}

/// What waits for one sink.
struct Feed {
    interest: Interest,
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Arc<EventRecord>>,
    /// How many bytes of output wait.
    output: usize,
    /// How many bytes of output were dropped since the last event that was not.
    dropped: u64,
    /// The sink's thread need not be woken yet.
    resting: bool,
    /// No more events come.
    closed: bool,
    /// The sink takes no more.
    dead: bool,
    /// How many events the sink has taken.
    taken: u64,
    /// Why the sink was dropped, if it was.
    failure: Option<String>,
}

impl Waiting {
    /// Whether the sink may rest on, whatever came.
    fn rests_on(&self) -> bool {
        self.resting && !self.closed && self.output <= OUTPUT_BUDGET / 4
    }
}

impl Queue {
    /// Lets what comes next gather for a moment.
    fn rest(&self) {
        let mut waiting = self.lock();
        waiting.resting = true;
        let rested = self
            .changed
            .wait_timeout_while(waiting, REST, |waiting| waiting.rests_on());
        let (mut waiting, _) = rested.unwrap_or_else(PoisonError::into_inner);
        waiting.resting = false;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let wanting = sinks
            .into_iter()
            .filter(|sink| sink.interest() > Interest::Nothing);
        let sinks: Vec<Feed> = wanting.map(Feed::start).collect();
        let interest = sinks
            .iter()
            .map(|feed| feed.interest)
            .max()
            .unwrap_or(Interest::Nothing);
        Self {
            run,
            clock,
            seq: AtomicU64::new(0),
            interest,
            sinks,
        }
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

    /// Hands out an event.
    pub fn emit(&self, event: RunEvent) {
        if !self.wants_lifecycle() || (event.is_output() && !self.wants_output()) {
            return;
        }
        let record = Arc::new(self.record(event));
        for feed in &self.sinks {
            if feed.interest == Interest::All || !record.event.is_output() {
                self.offer(feed, &record);
            }
        }
    }

    fn record(&self, event: RunEvent) -> EventRecord {
        EventRecord {
            run: self.run,
            seq: self.seq.fetch_add(1, Ordering::Relaxed) + 1,
            time: self.clock.wall(),
            event,
        }
    }

    fn offer(&self, feed: &Feed, record: &Arc<EventRecord>) {
        let mut waiting = feed.queue.lock();
        if waiting.dead {
            return;
        }
        if let RunEvent::Output { text, .. } = &record.event {
            if waiting.output + text.len() > OUTPUT_BUDGET {
                waiting.dropped += text.len() as u64;
                return;
            }
            waiting.output += text.len();
        }
        if waiting.dropped > 0 {
            let bytes = std::mem::take(&mut waiting.dropped);
            let dropped = self.record(RunEvent::OutputDropped { bytes });
            waiting.events.push_back(Arc::new(dropped));
        }
        waiting.events.push_back(Arc::clone(record));
        if waiting.rests_on() {
            return;
        }
        drop(waiting);
        feed.queue.changed.notify_one();
    }

    /// What went wrong with sinks so far, in words.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        self.sinks
            .iter()
            .filter_map(|feed| feed.queue.lock().failure.clone())
            .collect()
    }

    /// Waits until the sinks have taken everything. One that hangs is left behind: it does not hang the
    /// run. May block.
    pub fn close(&self) {
        for feed in &self.sinks {
            feed.queue.lock().closed = true;
            feed.queue.changed.notify_one();
        }
        for feed in &self.sinks {
            feed.wait();
        }
    }
}

impl Drop for EventHub {
    fn drop(&mut self) {
        for feed in &self.sinks {
            feed.queue.lock().closed = true;
            feed.queue.changed.notify_one();
        }
    }
}

impl Feed {
    fn start(mut sink: Box<dyn Sink>) -> Self {
        let queue = Arc::new(Queue::default());
        let own = Arc::clone(&queue);
        let interest = sink.interest();
        let name = sink.name().to_owned();
        let thread = std::thread::Builder::new()
            .name(format!("sink {name}"))
            .spawn(move || {
                let served = catch_unwind(AssertUnwindSafe(|| serve(&mut *sink, &own)));
                let why = match served {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(_) => Some("it panicked".to_owned()),
                };
                let mut waiting = own.lock();
                waiting.dead = true;
                waiting.failure = why.map(|why| format!("the sink `{name}` was dropped: {why}"));
                waiting.events.clear();
                drop(waiting);
                own.changed.notify_all();
            });
        Self {
            interest,
            queue,
            thread: Mutex::new(thread.ok()),
        }
    }

    /// Waits for the sink's end, for as long as it gets on.
    fn wait(&self) {
        let mut waiting = self.queue.lock();
        let mut seen = waiting.taken;
        let mut since = Instant::now();
        while !waiting.dead {
            let (next, _) = self
                .queue
                .changed
                .wait_timeout(waiting, TICK)
                .unwrap_or_else(PoisonError::into_inner);
            waiting = next;
            if waiting.taken != seen {
                (seen, since) = (waiting.taken, Instant::now());
            } else if since.elapsed() > PATIENCE {
                return;
            }
        }
        drop(waiting);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// Feeds a sink until no more events come.
fn serve(sink: &mut dyn Sink, queue: &Queue) -> Result<(), SinkError> {
    let mut ticked = Instant::now();
    let mut busy = false;
    loop {
        let next = {
            let mut waiting = queue.lock();
            if busy && waiting.events.is_empty() && !waiting.closed {
                drop(waiting);
                busy = false;
                queue.rest();
                waiting = queue.lock();
            }
            if waiting.events.is_empty() && !waiting.closed {
                let wait = TICK.saturating_sub(ticked.elapsed());
                let (next, _) = queue
                    .changed
                    .wait_timeout(waiting, wait)
                    .unwrap_or_else(PoisonError::into_inner);
                waiting = next;
            }
            let next = waiting.events.pop_front();
            if let Some(record) = &next {
                waiting.taken += 1;
                if let RunEvent::Output { text, .. } = &record.event {
                    waiting.output -= text.len();
                }
            } else if waiting.closed {
                drop(waiting);
                return sink.finish();
            }
            next
        };
        if let Some(record) = next {
            sink.event(&record)?;
            busy = true;
        }
        if ticked.elapsed() >= TICK {
            ticked = Instant::now();
            sink.tick()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::session::Stream;

    fn output(bytes: usize) -> RunEvent {
        let text = "x".repeat(bytes).into();
        RunEvent::Output {
            job: "a".into(),
            step: 0,
            stream: Stream::Stdout,
            text,
        }
    }

    fn ready() -> RunEvent {
        RunEvent::JobReady { job: "a".into() }
    }

    /// Hands on what it gets, and waits for leave before each.
    struct Slow(mpsc::Sender<RunEvent>, mpsc::Receiver<()>);

    impl Sink for Slow {
        fn name(&self) -> &'static str {
            "slow"
        }

        fn event(&mut self, record: &EventRecord) -> Result<(), SinkError> {
            let _ = self.1.recv();
            let _ = self.0.send(record.event.clone());
            Ok(())
        }
    }

    struct Failing;

    impl Sink for Failing {
        fn name(&self) -> &'static str {
            "failing"
        }

        fn event(&mut self, _record: &EventRecord) -> Result<(), SinkError> {
            Err(SinkError("no".to_owned()))
        }
    }

    fn hub(sinks: Vec<Box<dyn Sink>>) -> EventHub {
        EventHub::new(RunId::new(), Clock::system(), sinks)
    }

    #[test]
    fn a_slow_sink_misses_output_is_told_how_much_and_misses_nothing_else() {
        let (sender, got) = mpsc::channel();
        let (leave, wait) = mpsc::channel();
        let hub = hub(vec![Box::new(Slow(sender, wait))]);
        let many = OUTPUT_BUDGET / 65_536 + 40;
        for _ in 0..many {
            hub.emit(output(65_536));
        }
        hub.emit(ready());
        drop(leave);
        hub.close();
        let got: Vec<RunEvent> = got.iter().collect();
        let (mut came, mut dropped) = (0, 0);
        for event in &got {
            match event {
                RunEvent::Output { text, .. } => came += text.len() as u64,
                RunEvent::OutputDropped { bytes } => dropped += bytes,
                _ => {}
            }
        }
        assert!(dropped > 0);
        assert_eq!(came + dropped, many as u64 * 65_536);
        assert_eq!(got.last(), Some(&ready()));
    }

    #[test]
    fn a_failing_sink_leaves_the_others_alone() {
        let (sender, got) = mpsc::channel();
        let (leave, wait) = mpsc::channel();
        let hub = hub(vec![Box::new(Failing), Box::new(Slow(sender, wait))]);
        drop(leave);
        (0..100).for_each(|_| hub.emit(ready()));
        hub.close();
        assert_eq!(got.iter().count(), 100);
        assert_eq!(hub.failures(), ["the sink `failing` was dropped: no"]);
    }

    #[test]
    fn nobody_who_wants_nothing_costs_anything() {
        let hub = hub(vec![Box::new(crate::event::NullSink)]);
        assert!(!hub.wants_lifecycle() && !hub.wants_output());
    }
}
