//! A queue to one thread that is woken for what somebody waits for; the rest comes along with it, or
//! after a while.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many things may lie in the queue before the thread is woken for them.
const MOST: usize = 256;

/// The queue.
pub(super) struct Inbox<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    queued: VecDeque<T>,
    /// Whether somebody waits for something that is queued.
    is_urgent: bool,
    /// Nothing more comes.
    is_closed: bool,
    /// The thread is gone.
    is_deaf: bool,
    waits: Waits,
}

/// What the thread waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    Nothing,
    Urgent,
    Anything,
}

impl<T> fmt::Debug for Inbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

impl<T> Inbox<T> {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                queued: VecDeque::new(),
                is_urgent: false,
                is_closed: false,
                is_deaf: false,
                waits: Waits::Nothing,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues something. If the thread is gone it is dropped.
    pub(super) fn send(&self, thing: T, is_urgent: bool) {
        let mut state = self.lock();
        if state.is_deaf {
            return;
        }
        state.queued.push_back(thing);
        state.is_urgent |= is_urgent || state.queued.len() >= MOST;
        let wakes = match state.waits {
            Waits::Nothing => false,
            Waits::Urgent => state.is_urgent,
            Waits::Anything => true,
        };
        drop(state);
        if wakes {
            self.changed.notify_one();
        }
    }

    /// Says that nothing more comes.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Waits for something urgent, and for anything else no longer than `linger`. Gives all that is
    /// queued then; `None` when nothing more comes.
    pub(super) fn take(&self, linger: Duration) -> Option<VecDeque<T>> {
        let mut state = self.lock();
        // What comes soon after something was done waits for more.
        let mut due = Instant::now() + linger;
        while !state.is_urgent && !state.is_closed {
            let left = due.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                state.waits = Waits::Urgent;
                let waited = self.changed.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            } else if state.queued.is_empty() {
                state.waits = Waits::Anything;
                let waited = self.changed.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                due = Instant::now() + linger;
            } else {
                break;
            }
        }
        state.waits = Waits::Nothing;
        state.is_urgent = false;
        let queued = std::mem::take(&mut state.queued);
        (!queued.is_empty()).then_some(queued)
    }
}

/// The thread's end of an inbox: when it goes nobody waits for the thread in vain.
pub(super) struct Ear<T>(pub(super) Arc<Inbox<T>>);

impl<T> Drop for Ear<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_deaf = true;
        let queued = std::mem::take(&mut state.queued);
        drop(state);
        drop(queued);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    #[test]
    fn what_is_urgent_brings_the_rest_along() {
        let inbox = Inbox::new();
        inbox.send(1, false);
        inbox.send(2, true);
        inbox.send(3, false);
        assert_eq!(inbox.take(LONG).unwrap(), [1, 2, 3]);
        inbox.send(4, true);
        assert_eq!(inbox.take(LONG).unwrap(), [4]);
    }

    #[test]
    fn what_is_not_urgent_comes_after_a_while_or_when_there_is_much() {
        let inbox = Inbox::new();
        inbox.send(1, false);
        assert_eq!(inbox.take(Duration::from_millis(1)).unwrap(), [1]);
        for number in 0..MOST {
            inbox.send(number, false);
        }
        assert_eq!(inbox.take(LONG).unwrap().len(), MOST);
    }

    #[test]
    fn a_thread_that_waits_is_woken_for_anything_urgent() {
        let inbox = Arc::new(Inbox::new());
        let ear = Ear(Arc::clone(&inbox));
        let thread = std::thread::spawn(move || {
            let mut taken = Vec::new();
            while let Some(things) = ear.0.take(Duration::from_millis(1)) {
                taken.extend(things);
            }
            taken
        });
        for number in 0..1000 {
            inbox.send(number, number % 7 == 0);
        }
        inbox.close();
        assert_eq!(thread.join().unwrap(), (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_is_kept_for_a_thread_that_is_gone() {
        let inbox = Arc::new(Inbox::new());
        let kept = Arc::new(());
        inbox.send(Arc::clone(&kept), true);
        drop(Ear(Arc::clone(&inbox)));
        inbox.send(Arc::clone(&kept), true);
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
